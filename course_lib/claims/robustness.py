"""The headline claim of each chapter, measured again with other seeds than the recorded ones.

The cells that the headline claims need are run anew, into a folder of their own beside this file;
the records of the studies stay as they are. A claim whose verdict turns with the seeds is *not
decided at this scale* (`ledger.Claim.verdict`), and its line keeps its `history`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from course_lib import studies
from course_lib.claims.ledger import AGAIN, LEDGER, Claim, load, reads
from course_lib.studies.engine.core import RESULTS, Config, Study, plain

SHIFT = 10  # seeds 0, 1, 2 become 10, 11, 12


def other_seeds(study: Study, count: int | None = None) -> tuple[int, ...]:
    """As many seeds as the study has, or `count`, none of them among its own."""
    return tuple(seed + SHIFT for seed in study.seeds[:count])


def needed(claims: Sequence[Claim]) -> dict[str, list[Config]]:
    """The cells of each study that these claims are decided by, in the study's order."""
    wanted: dict[str, list[Config]] = {}
    for claim in claims:
        for name, select in reads(claim):
            wanted.setdefault(name, []).append(select)
    return {
        name: [
            config
            for config in map(plain, studies.get(name).cells)
            if any(select.items() <= config.items() for select in selects)
        ]
        for name, selects in wanted.items()
    }


def plan(
    ledger: Path = LEDGER, *, seeds: int | None = None, results: Path = RESULTS
) -> list[tuple[str, int, float]]:
    """(study, cells to run, minutes on one core by the record) for all headline claims."""
    rows = []
    for name, configs in needed(compare(ledger, results=results)).items():
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

    cells = needed(compare(ledger, results=results))
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


def compare(ledger: Path = LEDGER, *, results: Path = RESULTS, again: Path = AGAIN) -> list[Claim]:
    """Every claim that is or was a headline, by chapter; `again` holds it by the other seeds."""
    claims = (claim for claim in load(ledger, results=results, again=again) if claim.measured_again)
    return sorted(claims, key=lambda claim: claim.chapter)
