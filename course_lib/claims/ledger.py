"""The claims of the ledger, checked against its schema, and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from course_lib.claims.quantities import LedgerError, Records, Side, side
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.studies.engine import forms
from course_lib.studies.engine.core import RESULTS

LEDGER = Path(__file__).with_name("claims.yml")
SCHEMA = Path(__file__).with_name("claims.schema.yml")
VERDICTS = ("reproduced", "direction only", "not reproduced at this scale")
RELATIONS = {"greater": ">", "less": "<", "equal": "≈"}


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
        LedgerError: the ledger is not YAML or has another form than its schema, an id is doubled,
            a study, metric or source does not exist, the seeds of the two sides differ. The
            message names file, entry and field.
    """
    sources, entries = _read(path)
    for what, names in (
        ("have the id", [entry["id"] for entry in entries]),
        ("are the headline of chapter", [e["chapter"] for e in entries if "headline" in e]),
    ):
        for double in sorted({name for name in names if names.count(name) > 1}):
            raise LedgerError(f"{path.name}: two claims {what} {double!r}; only one may")
    records = Records(results)
    return [
        _claim(entry, sources, f"{path.name}, claim {entry['id']!r}", records)
        for entry in entries
        if (chapter is None or entry["chapter"] == chapter)
        and (not headlines or "headline" in entry)
    ]


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Sources and claims of a ledger that has the form of the schema."""
    try:
        book = yaml.load(path.read_text(encoding="utf-8"), Loader=_OneOfEachKey)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path.name} cannot be read: {error}") from None
    for place, said in forms.problems(book, SCHEMA):
        raise LedgerError(f"{path.name}{_entry(place, book)}: {said}")
    return book["sources"], book["claims"]


def _entry(place: tuple[str | int, ...], book: Any) -> str:
    """Entry and field of a place in the ledger, in words."""
    part, name, fields = (*place[:2], place[2:]) if len(place) > 1 else (None, None, place)
    said = f", source {name!r}" if part == "sources" else ""
    if part == "claims":
        entry = book["claims"][name]
        known = isinstance(entry, dict) and entry.get("id")
        said = f", claim {known!r}" if known else f", claim number {name + 1} (no id)"
    return said + "".join(f", field {field!r}" for field in fields)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that in C is five times as fast


class _OneOfEachKey(_LOADER):
    """YAML's safe loader, but a key that comes twice in a mapping is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} comes twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _claim(entry: dict[str, Any], sources: dict[str, Any], where: str, records: Records) -> Claim:
    if entry["source"] not in sources:
        message = f"{entry['source']!r} is not listed under sources"
        raise LedgerError(f"{where}, field 'source': {message}")
    records.get(entry["study"], f"{where}, field 'study'")
    a, b = (side(entry[name], entry["study"], f"{where}, field {name!r}", records) for name in "ab")
    if a.fixed and b.fixed:
        raise LedgerError(f"{where}, fields 'a' and 'b': neither side comes from a record")
    if not a.fixed and not b.fixed and a.seeds != b.seeds:
        raise LedgerError(f"{where}, field 'b': it has the seeds {b.seeds}, a has {a.seeds}")
    same = ("id", "chapter", "claim", "source", "where", "published", "study")
    return Claim(
        **{name: entry[name] for name in same},
        **sources[entry["source"]],
        a=a,
        relation=RELATIONS[entry["is"]],
        b=b,
        margin=float(entry["margin"]) if "margin" in entry else None,
        recorded_verdict=entry["verdict"],
        headline="headline" in entry,
        why=entry.get("why", ""),
        entry=entry,
    )
