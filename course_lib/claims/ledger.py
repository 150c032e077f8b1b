"""The claims of the ledger, checked field by field, and their verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from course_lib.claims.quantities import LedgerError, Records, Side, side
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.studies.engine.core import RESULTS

LEDGER = Path(__file__).with_name("claims.yml")
VERDICTS = ("reproduced", "direction only", "not reproduced at this scale")
RELATIONS = {"greater": ">", "less": "<", "equal": "≈"}
_TEXTS = ("id", "chapter", "claim", "source", "where", "published", "study", "is", "verdict")
_NEEDED = (*_TEXTS, "a", "b")
_OPTIONAL = ("margin", "headline", "why")


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
    relation: str  # one of RELATIONS' signs
    b: Side
    margin: float | None  # of "≈"
    recorded_verdict: str
    headline: bool
    why: str  # of a claim that does not reproduce; may be empty
    citation: str
    url: str
    entry: dict[str, Any]  # as written in the ledger

    @property
    def difference(self) -> Interval:
        """a − b over seeds, turned round for "<": there, too, positive means as claimed."""
        count = max(len(self.a.values), len(self.b.values))
        a, b = (s.values * count if s.fixed else s.values for s in (self.a, self.b))
        sign = -1.0 if self.relation == "<" else 1.0
        return t_interval([sign * (x - y) for x, y in zip(a, b, strict=True)])

    @property
    def verdict(self) -> str:
        """Computed from the record; a test fails when it is not the one in the ledger."""
        mean, low, high = self.difference
        if self.margin is None:
            shown, leaning = low > 0, mean > 0
        else:
            shown, leaning = -self.margin < low and high < self.margin, abs(mean) < self.margin
        return VERDICTS[0] if shown else VERDICTS[1] if leaning else VERDICTS[2]

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.a.seeds or self.b.seeds


def load(
    path: Path = LEDGER,
    *,
    chapter: str | None = None,
    results: Path = RESULTS,
    headlines: bool = False,
) -> list[Claim]:
    """The claims of the ledger, in its order: all of them, or those of one chapter.

    Args:
        path: the ledger.
        chapter: two digits, such as "04"; None for all chapters.
        results: the folder of the records.
        headlines: only the headline claim of each chapter.

    Raises:
        LedgerError: a field is missing or unknown, an id is doubled, a study, metric or source
            does not exist, the seeds of the two sides differ. The message names file, entry and
            field.
    """
    book = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(book, dict) or set(book) != {"sources", "claims"}:
        raise LedgerError(f"{path.name}: expected the two parts sources and claims")
    sources, entries = book["sources"], book["claims"]
    _check_sources(sources, path)
    for place, entry in enumerate(entries):
        _check_fields(entry, f"{path.name}, claim {_named(entry, place)}")
    _check_unique(entries, path)
    records = Records(results)
    return [
        _claim(entry, sources, path, records)
        for entry in entries
        if (chapter is None or entry["chapter"] == chapter)
        and (not headlines or "headline" in entry)
    ]


def _named(entry: Any, place: int) -> str:
    known = isinstance(entry, dict) and entry.get("id")
    return repr(entry["id"]) if known else f"number {place + 1} (no id)"


def _check_sources(sources: Any, path: Path) -> None:
    for key, source in sources.items():
        for field in ("citation", "url"):
            if not isinstance(source, dict) or not source.get(field):
                raise LedgerError(f"{path.name}, source {key!r} misses {field}")
        if unknown := sorted(set(source) - {"citation", "url"}):
            raise LedgerError(f"{path.name}, source {key!r} does not know {', '.join(unknown)}")


def _check_fields(entry: Any, where: str) -> None:
    """The form of an entry, before any record is read."""
    if not isinstance(entry, dict):
        raise LedgerError(f"{where}: {entry!r} is no mapping")
    if missing := [name for name in _NEEDED if name not in entry]:
        raise LedgerError(f"{where} misses {', '.join(missing)}")
    if unknown := sorted(set(entry) - set(_NEEDED) - set(_OPTIONAL)):
        fields = ", ".join((*_NEEDED, *_OPTIONAL))
        raise LedgerError(f"{where} does not know {', '.join(unknown)}; fields are {fields}")
    for name in _TEXTS:
        if not _is_text(entry[name]):
            raise LedgerError(f"{where}, field {name!r}: {entry[name]!r} is no text")
    for name, pattern, wanted in (
        ("id", r"[a-z0-9]+(-[a-z0-9]+)*", "small letters, digits and hyphens"),
        ("chapter", r"\d\d", 'two digits in quotes, such as "04"'),
    ):
        if not re.fullmatch(pattern, entry[name]):
            raise LedgerError(f"{where}, field {name!r}: {entry[name]!r}; expected {wanted}")
    for name, choices in (("is", RELATIONS), ("verdict", VERDICTS)):
        if entry[name] not in choices:
            message = f"{entry[name]!r}; expected one of {', '.join(choices)}"
            raise LedgerError(f"{where}, field {name!r}: {message}")
    if ("margin" in entry) != (entry["is"] == "equal"):
        raise LedgerError(f"{where}, field 'margin': an equal claim has one, and no other claim")
    margin = entry.get("margin", 1)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or margin <= 0:
        raise LedgerError(f"{where}, field 'margin': {margin!r}; expected a number above 0")
    if entry.get("headline", True) is not True:
        raise LedgerError(f"{where}, field 'headline': write true, or leave it out")
    if "why" in entry and (entry["verdict"] == VERDICTS[0] or not _is_text(entry["why"])):
        raise LedgerError(f"{where}, field 'why': a text for a claim that does not reproduce")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_unique(entries: list[dict[str, Any]], path: Path) -> None:
    for kind, named in (
        ("have the id", [entry["id"] for entry in entries]),
        ("are the headline of chapter", [e["chapter"] for e in entries if "headline" in e]),
    ):
        for double in sorted({name for name in named if named.count(name) > 1}):
            raise LedgerError(f"{path.name}: two claims {kind} {double!r}; only one may")


def _claim(entry: dict[str, Any], sources: dict[str, Any], path: Path, records: Records) -> Claim:
    where = f"{path.name}, claim {entry['id']!r}"
    if entry["source"] not in sources:
        message = f"{entry['source']!r} is not listed under sources"
        raise LedgerError(f"{where}, field 'source': {message}")
    try:
        records[entry["study"]]
    except LookupError as error:
        raise LedgerError(f"{where}, field 'study': {error.args[0]}") from error
    a, b = (side(entry[name], entry["study"], f"{where}, field {name!r}", records) for name in "ab")
    if a.fixed and b.fixed:
        raise LedgerError(f"{where}, fields 'a' and 'b': neither side comes from a record")
    if not a.fixed and not b.fixed and a.seeds != b.seeds:
        raise LedgerError(f"{where}, field 'b': it has the seeds {b.seeds}, a has {a.seeds}")
    source = sources[entry["source"]]
    same = ("id", "chapter", "claim", "source", "where", "published", "study")
    return Claim(
        **{name: entry[name] for name in same},
        a=a,
        relation=RELATIONS[entry["is"]],
        b=b,
        margin=float(entry["margin"]) if "margin" in entry else None,
        recorded_verdict=entry["verdict"],
        headline="headline" in entry,
        why=entry.get("why", ""),
        citation=source["citation"],
        url=source["url"],
        entry=entry,
    )
