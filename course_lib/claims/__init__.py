"""The claims ledger: what was published, what we measured, and a verdict that is computed.

``course_lib/claims/claims.yml`` holds the claims; the numbers come from the records of the
studies. An entry has the fields

- ``id`` (small letters, digits and hyphens; the anchor of its row), ``chapter`` ("04"), ``claim``
  in our words;
- ``source``, a key of ``sources`` and of ``book/references.bib``, ``where`` in it, and what was
  ``published`` there: the only numbers that are typed;
- ``study``, the two quantities ``a`` and ``b``, and the relation ``is`` that is claimed of them;
- ``verdict``, which must be the computed one;
- ``why`` a claim did not reproduce, as far as we know: what was "Measured:", or "A guess:";
- ``headline: true`` for the one claim of a chapter that is measured again with other seeds.

The relation is judged by the difference of the two quantities, seed by seed, with its 95 % Student
t interval, over three seeds or more:

=========  =====================================  ======================
is         *reproduced*: the interval of a − b    *direction only*
=========  =====================================  ======================
greater    lies above zero                        the mean lies above
less       lies below zero                        the mean lies below
equal      lies within ± ``margin``               the mean lies within
=========  =====================================  ======================

Everything else is *not reproduced at this scale*. Two equal numbers are never proved: ``margin``
says which difference would matter, and the claim says so in words.

A quantity has a ``label`` and is a fixed ``value``, or a ``metric`` of the cell that ``select``
names, in the record of the claim's study or of a ``study`` of its own. Further fields make derived
quantities, each seed by seed:

- ``minus``, another metric that is taken off: a gain, or a loss;
- ``at``: ``{along: KEY, cost: METRIC, budget: QUANTITY}``. Then ``select`` leaves KEY open, and the
  metric is read where the cost is the mean of the budget, on the curve through the cells that
  differ in KEY, straight over the logarithm of the cost: quality at equal seconds, for example.
"""

from course_lib.claims.ledger import LEDGER, VERDICTS, Claim, load
from course_lib.claims.page import ledger, table
from course_lib.claims.quantities import LedgerError, Side

__all__ = ["LEDGER", "VERDICTS", "Claim", "LedgerError", "Side", "ledger", "load", "table"]
