"""The claims ledger: what was published, what we measured, and a verdict that is computed.

`claims.yml` holds the claims, `claims.schema.yml` says what their fields mean; the numbers come
from the records of the studies. A claim compares two quantities `a` and `b`, each a fixed value or
a metric of a record. The relation that it states is judged by the difference of the two, seed by
seed, with its 95% Student t interval, over three seeds or more:

=========  =====================================  ======================
is         *reproduced*: the interval of a − b    *direction only*
=========  =====================================  ======================
greater    lies above zero                        the mean lies above
less       lies below zero                        the mean lies below
equal      lies within ± `margin`                 the mean lies within
=========  =====================================  ======================

Everything else is *not reproduced at this scale*. Two equal numbers are never proved: `margin`
says which difference would matter, and the claim says so in words. A headline claim is measured
again with other seeds (`robustness`); where these give another verdict, it is *not decided at this
scale*, and its line keeps its `history`.

A verdict is worth what could have made the claim fail. Each has a `kind`: *tested*, it could have
failed, and both sides had equal terms; *weaker opponent*, one side had less search, a smaller
budget or a handicap that the claim does not name; *by construction*, nothing could have made it
fail: it is counted, proved, or follows from how the two sides were made. `because` says why.

A quantity may be derived, seed by seed: `minus` takes another metric off, a gain or a loss; with
`at`, `select` leaves a key open, and the metric is read where the cost is the mean of the budget,
on the curve through the cells that differ in that key, straight over the logarithm of the cost:
quality at equal seconds, for example.
"""

from course_lib.claims.ledger import KINDS, LEDGER, VERDICTS, Claim, load
from course_lib.claims.page import ledger, table
from course_lib.claims.quantities import LedgerError, Side

__all__ = ["KINDS", "LEDGER", "VERDICTS", "Claim", "LedgerError", "Side", "ledger", "load", "table"]
