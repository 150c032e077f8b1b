"""Running studies: cell by cell, resumable, and checked by a small smoke cell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course_lib.studies.engine.artifacts import CHECKPOINTS
from course_lib.studies.engine.core import RESULTS, Metrics, Study, leaves
from course_lib.studies.engine.environment import describe, resolve_device
from course_lib.studies.engine.record import Store, load, problems
from course_lib.studies.engine.workers import Finished, Job, work

Report = Callable[[str], None]


def run(
    study: Study,
    *,
    seeds: int | None = None,
    device: str = "auto",
    jobs: int = 2,
    results: Path = RESULTS,
    checkpoints: Path = CHECKPOINTS,
    report: Report = print,
) -> list[Finished]:
    """Run the cells of `study` that are not recorded yet; return those that failed.

    Every finished cell is in the record before the next one starts, so a run that is killed
    goes on from there. `seeds` takes only the first so many seeds of the study; `jobs` cells run
    at once.

    Raises:
        ValueError: more seeds than the study promises, no job, an unknown device.
        RuntimeError: another process is running this study.
    """
    if seeds is not None and not 1 <= seeds <= len(study.seeds):
        raise ValueError(f"seeds={seeds}; study {study.name} promises 1 to {len(study.seeds)}")
    if jobs < 1:
        raise ValueError(f"jobs={jobs}; expected at least 1")
    device = resolve_device(device)
    jobs = 1 if study.timing else jobs
    with _alone(study, results):
        store = Store(study, results)
        wanted = set(study.seeds[:seeds])
        to_run = [
            Job(config, seed)
            for config, seed in study.promised()
            if seed in wanted and not store.has(config, seed)
        ]
        total = len(study.cells) * len(wanted)
        done = total - len(to_run)
        report(f"{study.name}: {done} of {total} cells recorded, {len(to_run)} to run")
        if not store.has_smoke():
            to_run.insert(0, Job(study.smoke, study.seeds[0], smoke=True))
        place = describe(device)
        failed: list[Finished] = []
        finished, spent = 0, 0.0
        environment = _environment(device, checkpoints)
        for outcome in work(to_run, study.run, at_once=jobs, environment=environment):
            job, how = outcome.job, ""
            if outcome.metrics is None:
                failed.append(outcome)
                report(_failure(study, outcome))
                how = "failed after "
            elif job.smoke:
                store.add_smoke(outcome.metrics)
            else:
                store.add(job.config, job.seed, outcome.metrics, outcome.seconds, place)
            progress, ending = "smoke", ""
            if not job.smoke:
                done, finished, spent = done + 1, finished + 1, spent + outcome.seconds
                left = spent / finished * (total - done) / jobs
                progress = f"{done}/{total}"
                ending = f", about {_duration(left)} left" if done < total else ""
            report(f"[{progress}] {_label(job)}: {how}{outcome.seconds:.1f} s{ending}")
        store.write()  # also drops cells of configurations that the study no longer has
    return failed


def check(study: Study, *, results: Path = RESULTS, report: Report = print) -> list[str]:
    """Run the smoke cell again and compare; return what is wrong with the record.

    The record's form and completeness are checked too. A timing study stops there.
    """
    try:
        record = load(study.name, results=results)
    except (KeyError, ValueError) as error:
        return [error.args[0]]
    wrong = problems(record, study)
    if not record.complete:
        report(f"{study.name}: partial, {len(record.cells)} of {record.promised} cells")
    if wrong or study.timing or record.smoke is None:
        return wrong
    job = Job(record.smoke["config"], record.smoke["seed"], smoke=True)
    environment = _environment("cpu", Path())
    [outcome] = work([job], study.run, at_once=1, environment=environment)
    if outcome.metrics is None:
        return [_failure(study, outcome)]
    return differences(record.smoke["metrics"], outcome.metrics, record.smoke["tolerance"])


def differences(recorded: Metrics, now: Metrics, tolerance: float) -> list[str]:
    """Numbers that differ by more than `tolerance`, and metrics that came or went.

    A metric called "seconds" is time, which is another one on another day.
    """
    before, after = leaves(recorded), leaves(now)
    wrong = [f"metric {name} is gone" for name in before if name not in after]
    wrong += [f"metric {name} is new" for name in after if name not in before]
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        if name.rpartition(".")[2] == "seconds":
            continue
        if isinstance(old, int | float) and isinstance(new, int | float):
            if not math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance):
                wrong.append(f"{name} was {old:.6g}, is {new:.6g} (tolerance {tolerance})")
        elif type(old) is not type(new):
            wrong.append(f"{name} was {old!r}, is {new!r}")
    return sorted(wrong)


def _environment(device: str, checkpoints: Path) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # oneDNN keeps what it compiled for each shape of a 16-bit product, 1,024 of them. Masked
        # words make a new shape at every step: 8 GB after some thousand. With 32, the small BERT
        # of chapter 11 has the same losses and steps as fast; 100 steps take 1.1 GB, not 1.5.
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",
        "COURSE_QUIET": "1",
        "COURSE_DEVICE": device,
        "COURSE_ARTIFACTS": str(checkpoints),
    }


@contextmanager
def _alone(study: Study, results: Path) -> Iterator[None]:
    """Hold the study's lock; the system lets go of it when the process ends, however it ends."""
    import filelock

    path = Path(results) / f".{study.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path, timeout=0):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)  # filelock notices a file that is no longer there
    except filelock.Timeout:
        raise RuntimeError(
            f"study {study.name} is being run by another process; wait for it or stop it"
        ) from None


def _label(job: Job) -> str:
    row = {**job.config, "seed": job.seed}
    return " ".join(f"{name}={_short(value)}" for name, value in row.items())


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _failure(study: Study, outcome: Finished) -> str:
    config = json.dumps(outcome.job.config, ensure_ascii=False)
    return f"FAILED {study.name} {config} seed={outcome.job.seed}:\n{outcome.error}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
