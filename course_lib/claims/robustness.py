"""The headline claim of each chapter, measured again with other seeds than the recorded ones.

The cells that the headline claims need are run anew, into a folder of their own beside this file;
the records of the studies stay as they are. A verdict that turns with the seeds is no verdict.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course_lib import studies
from course_lib.claims.ledger import LEDGER, Claim, load
from course_lib.studies.engine.core import RESULTS, Config, Study, plain

AGAIN = Path(__file__).parent / "robustness"
SHIFT = 10  # seeds 0, 1, 2 become 10, 11, 12


@dataclass(frozen=True)
class Comparison:
    """A headline claim by the recorded seeds and by the others; `again` is None if not run."""

    recorded: Claim
    again: Claim | None

    @property
    def holds(self) -> bool | None:
        """Whether the verdict is the same; None before it has been measured again."""
        return None if self.again is None else self.again.verdict == self.recorded.verdict


def other_seeds(study: Study, count: int | None = None) -> tuple[int, ...]:
    """As many seeds as the study has, or `count`, none of them among its own."""
    return tuple(seed + SHIFT for seed in study.seeds[:count])


def needed(claims: Sequence[Claim]) -> dict[str, list[Config]]:
    """The cells of each study that these claims are decided by, in the study's order."""
    wanted: dict[str, list[Config]] = {}
    for claim in claims:
        for name, select in _reads(claim):
            wanted.setdefault(name, []).append(select)
    return {
        name: [
            config
            for config in map(plain, studies.get(name).cells)
            if any(select.items() <= config.items() for select in selects)
        ]
        for name, selects in wanted.items()
    }


def _reads(claim: Claim) -> Iterator[tuple[str, Config]]:
    """(study, selection) of everything that a claim reads."""

    def of(quantity: dict[str, Any], study: str) -> Iterator[tuple[str, Config]]:
        study = quantity.get("study", study)
        if "metric" in quantity:
            yield study, plain(quantity.get("select", {}))
        for inner in (quantity.get("minus"), quantity.get("at", {}).get("budget")):
            if inner:
                yield from of(inner, study)

    for side in ("a", "b"):
        yield from of(claim.entry[side], claim.study)


def plan(
    ledger: Path = LEDGER, *, seeds: int | None = None, results: Path = RESULTS
) -> list[tuple[str, int, float]]:
    """(study, cells to run, minutes on one core by the record) for all headline claims."""
    rows = []
    for name, configs in needed(_headlines(ledger, results)).items():
        count = len(other_seeds(studies.get(name), seeds)) * len(configs)
        record = studies.load(name, results=results)
        spent = [cell["seconds"] for cell in record.cells if cell["config"] in configs]
        rows.append((name, count, count * sum(spent) / len(spent) / 60))
    return rows


def rerun(
    names: Sequence[str] = (),
    *,
    ledger: Path = LEDGER,
    seeds: int | None = None,
    results: Path = RESULTS,
    again: Path = AGAIN,
    **options: Any,
) -> int:
    """Run the cells that are not there yet, of all studies or of `names`; how many failed.

    Every cell is kept as soon as it is done, so a run that is killed goes on where it was.
    `options` are those of `runner.run`: device, jobs, report.

    Raises:
        KeyError: a study of `names` decides no headline claim.
    """
    from course_lib.studies.engine import runner

    cells = needed(_headlines(ledger, results))
    if unknown := sorted(set(names) - set(cells)):
        message = f"no headline claim needs {', '.join(unknown)}; needed: {', '.join(cells)}"
        raise KeyError(message)
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:  # no checkpoint of the course is replaced
        for name in names or cells:
            study = studies.get(name)
            others = replace(study, cells=cells[name], seeds=other_seeds(study, seeds))
            failed += len(runner.run(others, results=again, checkpoints=Path(scratch), **options))
    return failed


def compare(
    ledger: Path = LEDGER, *, results: Path = RESULTS, again: Path = AGAIN
) -> list[Comparison]:
    """Every headline claim by both sets of seeds, in the order of the chapters."""
    found = []
    for claim in _headlines(ledger, results):
        other = None
        if all(_complete(name, again) for name, _ in _reads(claim)):
            [other] = [c for c in _headlines(ledger, again, claim.chapter) if c.id == claim.id]
        found.append(Comparison(claim, other))
    return found


def _headlines(ledger: Path, results: Path = RESULTS, chapter: str | None = None) -> list[Claim]:
    claims = load(ledger, chapter=chapter, results=results, headlines=True)
    return sorted(claims, key=lambda claim: claim.chapter)


def _complete(name: str, results: Path) -> bool:
    try:
        return studies.load(name, results=results).complete
    except KeyError:  # not run yet
        return False
