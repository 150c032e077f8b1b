"""The claims ledger: what was published, what we measured, and a verdict that is computed.

``claims.yml`` holds the claims; the numbers come from the records of the studies. A claim compares
two quantities, seed by seed, with Student's t interval of the difference:

- *reproduced*: the interval lies on the claimed side;
- *direction only*: the mean lies on the claimed side, the interval does not;
- *not reproduced at this scale*: the mean does not lie there.

A quantity is a fixed ``value``, or a ``metric`` of the cell that ``select`` names, in the record of
the claim's study or of a ``study`` of its own. ``minus`` is another metric, taken off seed by seed:
a gain, or a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from course_lib import plots, studies
from course_lib.evaluate import Interval, t_interval

LEDGER = Path(__file__).with_name("claims.yml")
VERDICTS = ("reproduced", "direction only", "not reproduced at this scale")
_FIELDS = ("id", "chapter", "claim", "source", "where", "published", "study", "a", "is", "b")
_METRIC_FIELDS = {"metric", "select", "study"}
_SIDE_FIELDS = _METRIC_FIELDS | {"label", "value", "minus"}


class LedgerError(ValueError):
    """An entry of the ledger is malformed; the message names file, entry and field."""


@dataclass(frozen=True)
class Side:
    """One of the two quantities of a comparison: a metric of a record, or a fixed value."""

    label: str
    values: tuple[float, ...]
    seeds: tuple[int, ...] = ()  # of the values; none for a fixed value

    @property
    def fixed(self) -> bool:
        return not self.seeds

    @property
    def text(self) -> str:
        if self.fixed:
            return f"{self.label}: {_number(self.values[0])}"
        mean, low, high = t_interval(self.values)
        return f"{self.label}: {_number(mean)} [{_number(low)}, {_number(high)}]"


@dataclass(frozen=True)
class Claim:
    """One line of the ledger, with its numbers read from the record."""

    id: str
    chapter: str
    claim: str
    source: str  # bib key
    where: str  # table, figure or section
    published: str
    study: str
    a: Side
    relation: str  # ">" or "<"
    b: Side
    recorded_verdict: str
    citation: str
    url: str

    @property
    def difference(self) -> Interval:
        """a − b over seeds, turned round for "<": positive means as claimed."""
        count = max(len(self.a.values), len(self.b.values))
        a, b = (s.values * count if s.fixed else s.values for s in (self.a, self.b))
        sign = 1.0 if self.relation == ">" else -1.0
        return t_interval([sign * (x - y) for x, y in zip(a, b, strict=True)])

    @property
    def verdict(self) -> str:
        """Computed from the record; a test fails when it is not the one in the ledger."""
        if self.difference.low > 0:
            return VERDICTS[0]
        return VERDICTS[1] if self.difference.mean > 0 else VERDICTS[2]


def load(path: Path = LEDGER, *, chapter: str | None = None) -> list[Claim]:
    """The claims of the ledger, in its order: all of them, or those of one chapter.

    Raises:
        LedgerError: a field is missing or unknown, an id is doubled, a study, metric or source
            does not exist, the seeds of the two sides differ.
    """
    ledger = yaml.safe_load(path.read_text(encoding="utf-8"))
    ids = [entry.get("id") for entry in ledger["claims"]]
    for double in {name for name in ids if name and ids.count(name) > 1}:
        raise LedgerError(f"{path.name}: two claims have the id {double!r}; ids must be unique")
    return [
        _claim(entry, ledger["sources"], path)
        for entry in ledger["claims"]
        if chapter is None or entry.get("chapter") == chapter
    ]


def table(chapter: str) -> None:
    """Display the claims of a chapter: published, measured, verdict.

    Raises:
        ValueError: the ledger has no claim of that chapter.
    """
    rows = [
        (
            claim.claim,
            f"{claim.published} [{claim.citation}]({claim.url}), {claim.where}",
            f"{claim.a.text}; {claim.b.text}",
            f"**{claim.verdict}**",
        )
        for claim in load(chapter=chapter)
    ]
    if not rows:
        raise ValueError(f"the ledger has no claim of chapter {chapter!r}")
    plots.table(
        rows,
        ["Claim", "Published", "Measured here", "Verdict"],
        "**Claims.** Means over seeds with 95 % t-intervals in brackets. The verdict is computed "
        "from the difference of the two quantities, seed by seed.",
    )


def _claim(entry: dict[str, Any], sources: dict[str, Any], path: Path) -> Claim:
    where = f"{path.name}, claim {entry.get('id', '(no id)')!r}"
    missing = [name for name in (*_FIELDS, "verdict") if name not in entry]
    unknown = sorted(set(entry) - set(_FIELDS) - {"verdict"})
    if missing or unknown:
        fault = f"misses {', '.join(missing)}" if missing else f"does not know {unknown}"
        raise LedgerError(f"{where} {fault}; fields are {', '.join(_FIELDS)}, verdict")
    if entry["source"] not in sources:
        raise LedgerError(f"{where}: source {entry['source']!r} is not listed under sources")
    if entry["is"] not in ("greater", "less"):
        raise LedgerError(f"{where}: 'is' is {entry['is']!r}; expected greater or less")
    if entry["verdict"] not in VERDICTS:
        raise LedgerError(f"{where}: verdict {entry['verdict']!r}; expected one of {VERDICTS}")
    a, b = (_side(entry[name], entry["study"], f"{where}, {name}") for name in ("a", "b"))
    if not a.fixed and not b.fixed and a.seeds != b.seeds:
        raise LedgerError(f"{where}: a has the seeds {a.seeds}, b has {b.seeds}")
    if a.fixed and b.fixed:
        raise LedgerError(f"{where}: neither side comes from several seeds of a record")
    source = sources[entry["source"]]
    return Claim(
        id=entry["id"],
        chapter=entry["chapter"],
        claim=entry["claim"],
        source=entry["source"],
        where=entry["where"],
        published=entry["published"],
        study=entry["study"],
        a=a,
        relation=">" if entry["is"] == "greater" else "<",
        b=b,
        recorded_verdict=entry["verdict"],
        citation=source["citation"],
        url=source["url"],
    )


def _side(side: dict[str, Any], study: str, where: str) -> Side:
    if "label" not in side or set(side) - _SIDE_FIELDS or ("value" in side) == ("metric" in side):
        raise LedgerError(f"{where}: expected label and either value, or metric and select")
    if "value" in side:
        return Side(side["label"], (float(side["value"]),))
    seeds, values = _read(side, study, where)
    if "minus" in side:
        less = side["minus"]
        if "metric" not in less or set(less) - _METRIC_FIELDS:
            raise LedgerError(f"{where}, minus: expected metric, select and study only")
        other_seeds, taken = _read(less, side.get("study", study), f"{where}, minus")
        if other_seeds != seeds:
            raise LedgerError(f"{where}: it has the seeds {seeds}, minus has {other_seeds}")
        values = tuple(x - y for x, y in zip(values, taken, strict=True))
    return Side(side["label"], values, seeds)


def _read(
    quantity: dict[str, Any], study: str, where: str
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Seeds and values of one metric."""
    select = quantity.get("select", {})
    try:
        record = studies.load(quantity.get("study", study))
        values = record.values(quantity["metric"], **select)
    except LookupError as error:
        raise LedgerError(f"{where}: {error.args[0]}") from error
    return tuple(record.seeds(**select)), tuple(float(value) for value in values)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2f}"
