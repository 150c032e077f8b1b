"""The claims of the ledger, checked against its schema, and their verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from course_lib.claims.quantities import LEAST_SEEDS, LedgerError, Records, Side, side
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.studies.engine import forms
from course_lib.studies.engine.core import RESULTS, Config, plain

LEDGER = Path(__file__).with_name("claims.yml")
SCHEMA = Path(__file__).with_name("claims.schema.yml")
AGAIN = Path(__file__).with_name("robustness")  # records of the same cells with other seeds
KINDS = ("tested", "weaker opponent", "by construction")
UNDECIDED = "not decided at this scale"
VERDICTS = ("reproduced", "direction only", "not reproduced at this scale", UNDECIDED)
RELATIONS = {"greater": ">", "less": "<", "equal": "≈"}


@dataclass(frozen=True)
class Claim:
    """One line of the ledger, with its numbers read from the record."""

    id: str
    chapter: str
    kind: str  # one of KINDS
    because: str  # why it is of that kind; may be empty
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
    shown: bool  # in the table of its chapter
    why: str  # of a claim that does not reproduce; may be empty
    shown_by: tuple[Side | str, ...]  # of a reason that was measured: quantities, other claims
    history: str  # what the line said before; may be empty
    citation: str
    url: str
    entry: dict[str, Any]  # as written in the ledger
    again: Claim | None = None  # the same claim by other seeds, where they have been run

    @property
    def difference(self) -> Interval:
        """a − b over seeds, turned round for "<": there, too, positive means as claimed."""
        count = max(len(self.a.values), len(self.b.values))
        a, b = (s.values * count if s.fixed else s.values for s in (self.a, self.b))
        sign = -1.0 if self.relation == "<" else 1.0
        return t_interval([sign * (x - y) for x, y in zip(a, b, strict=True)])

    @property
    def verdict(self) -> str:
        """Computed from the records; a test fails when it is not the one in the ledger."""
        turned = self.again is not None and self.again.by_its_seeds != self.by_its_seeds
        return UNDECIDED if turned else self.by_its_seeds

    @property
    def by_its_seeds(self) -> str:
        """The verdict of these seeds alone, whatever others say."""
        mean, low, high = self.difference
        if self.margin is None:
            shown, leaning = low > 0, mean > 0
        else:
            shown, leaning = -self.margin < low and high < self.margin, abs(mean) < self.margin
        return VERDICTS[0] if shown else VERDICTS[1] if leaning else VERDICTS[2]

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.a.seeds or self.b.seeds

    @property
    def measured_again(self) -> bool:
        """Whether it is, or was, a headline, which other seeds have to confirm."""
        return self.headline or bool(self.history)


def load(
    path: Path = LEDGER,
    *,
    chapter: str | None = None,
    results: Path = RESULTS,
    again: Path = AGAIN,
    headlines: bool = False,
) -> list[Claim]:
    """The claims of the ledger, in its order: all of them, or those of one chapter.

    A claim that was ever a headline (`headline`, `history`) is read a second time, from the
    records in `again`, if these hold its cells.

    Args:
        path: the ledger.
        chapter: two digits, such as "04"; None for all chapters.
        results: the folder of the records.
        again: the folder of the records of other seeds.
        headlines: only the headline claim of each chapter.

    Raises:
        LedgerError: the ledger is not YAML or has another form than its schema, an id is doubled,
            a study, metric or source does not exist, the sides share fewer than three seeds. The
            message names file, entry and field.
    """
    sources, entries = _read(path)
    for what, names in (
        ("have the id", [entry["id"] for entry in entries]),
        ("are the headline of chapter", [e["chapter"] for e in entries if "headline" in e]),
    ):
        for double in sorted({name for name in names if names.count(name) > 1}):
            raise LedgerError(f"{path.name}: two claims {what} {double!r}; only one may")
    records, others = Records(results), Records(again)
    texts = {entry["id"]: entry["claim"] for entry in entries}
    claims = []
    for entry in entries:
        if chapter not in (None, entry["chapter"]) or (headlines and "headline" not in entry):
            continue
        where = f"{path.name}, claim {entry['id']!r}"
        claim = _claim(entry, sources, texts, where, records)
        if claim.measured_again and _same_cells(claim, records, others):
            other = _claim({**entry, "shown_by": []}, sources, texts, where, others)
            claim = replace(claim, again=other)
        claims.append(claim)
    return claims


def reads(claim: Claim) -> Iterator[tuple[str, Config]]:
    """(study, selection) of everything that decides a claim."""

    def of(quantity: dict[str, Any], study: str) -> Iterator[tuple[str, Config]]:
        study = quantity.get("study", study)
        if "metric" in quantity:
            yield study, plain(quantity.get("select", {}))
        for inner in (quantity.get("minus"), quantity.get("at", {}).get("budget")):
            if inner:
                yield from of(inner, study)

    for name in ("a", "b"):
        yield from of(claim.entry[name], claim.study)


def _same_cells(claim: Claim, records: Records, others: Records) -> bool:
    """Whether the other seeds have been run, all of them, in the cells of today's records."""
    return all(
        others.has(study) and others.cells(study, select) == records.cells(study, select)
        for study, select in reads(claim)
    )


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
    said, fields = "", list(place)
    match place:
        case ("sources", name, *fields):
            said = f", source {name!r}"
        case ("claims", int(number), *fields):
            entry = book["claims"][number]
            known = isinstance(entry, dict) and entry.get("id")
            said = f", claim {known!r}" if known else f", claim number {number + 1} (no id)"
    return said + "".join(f", field {field!r}" for field in fields)


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # that in C is five times as fast


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


def _claim(
    entry: dict[str, Any],
    sources: dict[str, Any],
    texts: dict[str, str],
    where: str,
    records: Records,
) -> Claim:
    if entry["source"] not in sources:
        message = f"{entry['source']!r} is not listed under sources"
        raise LedgerError(f"{where}, field 'source': {message}")
    records.get(entry["study"], f"{where}, field 'study'")
    a, b = (side(entry[name], entry["study"], f"{where}, field {name!r}", records) for name in "ab")
    if a.fixed and b.fixed:
        raise LedgerError(f"{where}, fields 'a' and 'b': neither side comes from a record")
    if not a.fixed and not b.fixed:
        shared = [seed for seed in a.seeds if seed in b.seeds]
        if len(shared) < LEAST_SEEDS:
            raise LedgerError(f"{where}, field 'b': it has the seeds {b.seeds}, a has {a.seeds}")
        a, b = a.of(shared), b.of(shared)
    shown = entry.get("shown_by", [])
    place = f"{where}, field 'shown_by'"
    if strangers := {x for x in shown if isinstance(x, str)} - set(texts):
        raise LedgerError(f"{place}: the ledger has no claim {', '.join(sorted(strangers))}")
    same = ("id", "chapter", "kind", "claim", "source", "where", "published", "study")
    return Claim(
        **{name: entry[name] for name in same},
        **sources[entry["source"]],
        a=a,
        relation=RELATIONS[entry["is"]],
        b=b,
        margin=float(entry["margin"]) if "margin" in entry else None,
        recorded_verdict=entry["verdict"],
        headline="headline" in entry,
        shown="headline" in entry or "shown" in entry,
        because=entry.get("because", ""),
        why=entry.get("why", ""),
        shown_by=tuple(
            texts[x] if isinstance(x, str) else side(x, entry["study"], place, records)
            for x in shown
        ),
        history=entry.get("history", ""),
        entry=entry,
    )
