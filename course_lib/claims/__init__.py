"""The claims ledger: what was published, what we measured, and a verdict that is computed.

`claims.yml` holds the claims, `claims.schema.yml` says what their fields mean; the numbers come
from the records of the studies. A claim compares two quantities `a` and `b`, each a fixed value or
a metric of a record. The relation that it states is judged by the difference of the two, seed by
seed, with its 95 % Student t interval, over three seeds or more:

=========  =====================================  ======================
is         *reproduced*: the interval of a − b    *direction only*
=========  =====================================  ======================
greater    lies above zero                        the mean lies above
less       lies below zero                        the mean lies below
equal      lies within ± `margin`                 the mean lies within
=========  =====================================  ======================

Everything else is *not reproduced at this scale*. Two equal numbers are never proved: `margin`
says which difference would matter, and the claim says so in words.

A quantity may be derived, seed by seed: `minus` takes another metric off, a gain or a loss; with
`at`, `select` leaves a key open, and the metric is read where the cost is the mean of the budget,
on the curve through the cells that differ in that key, straight over the logarithm of the cost:
quality at equal seconds, for example.
"""

from course_lib.claims.ledger import LEDGER, VERDICTS, Claim, load
from course_lib.claims.page import ledger, table
from course_lib.claims.quantities import LedgerError, Side

__all__ = ["LEDGER", "VERDICTS", "Claim", "LedgerError", "Side", "ledger", "load", "table"]
