"""Running studies: cell by cell, resumable, and checked by a small smoke cell."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from course_lib.studies.engine.artifacts import CHECKPOINTS
from course_lib.studies.engine.core import RESULTS, Metrics, Study, leaves
from course_lib.studies.engine.environment import describe, resolve_device
from course_lib.studies.engine.store import Store, problems
from course_lib.studies.engine.workers import Outcome, Task, work

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
) -> list[Outcome]:
    """Run the cells of ``study`` that are not recorded yet; return those that failed.

    Every finished cell is in the record before the next one starts, so a run that is killed
    goes on where it was. ``seeds`` takes only the first so many seeds of the study.

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
        tasks = [
            Task(config, seed)
            for config, seed in study.promised()
            if seed in wanted and not store.has(config, seed)
        ]
        total = len(study.cells) * len(wanted)
        recorded = total - len(tasks)
        report(f"{study.name}: {recorded} of {total} cells recorded, {len(tasks)} to run")
        if not store.has_smoke():
            tasks.insert(0, Task(study.smoke, study.seeds[0], smoke=True))
        where = describe(device)
        failed: list[Outcome] = []
        done, finished, spent = recorded, 0, 0.0
        environment = _environment(device, checkpoints)
        for outcome in work(tasks, study.run, jobs=jobs, environment=environment):
            task = outcome.task
            if outcome.metrics is None:
                failed.append(outcome)
                report(_failure(study, outcome))
            elif task.smoke:
                store.add_smoke(outcome.metrics)
                report(f"[smoke] {_label(task)}: {outcome.seconds:.1f} s")
            else:
                store.add(task.config, task.seed, outcome.metrics, outcome.seconds, where)
            if task.smoke:
                continue
            done, finished, spent = done + 1, finished + 1, spent + outcome.seconds
            left = spent / finished * (total - done) / jobs
            ending = f", about {_duration(left)} left" if done < total else ""
            how = "failed after " if outcome.metrics is None else ""
            report(f"[{done}/{total}] {_label(task)}: {how}{outcome.seconds:.1f} s{ending}")
        store.write()  # also drops cells of configurations that the study no longer has
    return failed


def check(study: Study, *, results: Path = RESULTS, report: Report = print) -> list[str]:
    """Run the smoke cell again and compare; return what is wrong with the record.

    The record's form and completeness are checked too. A timing study stops there.
    """
    path = Path(results) / f"{study.name}.json"
    if not path.is_file():
        return [f"no record; make it with: python -m course_lib.studies run {study.name}"]
    data = json.loads(path.read_text(encoding="utf-8"))
    wrong = problems(data, study)
    if not data.get("complete", True):
        report(f"{study.name}: partial, {len(data['cells'])} of {data['promised']} cells")
    if wrong or study.timing:
        return wrong
    smoke = data["smoke"]
    task = Task(smoke["config"], smoke["seed"], smoke=True)
    environment = _environment("cpu", Path())
    [outcome] = work([task], study.run, jobs=1, environment=environment)
    if outcome.metrics is None:
        return [_failure(study, outcome)]
    return differences(smoke["metrics"], outcome.metrics, smoke["tolerance"])


def differences(recorded: Metrics, now: Metrics, tolerance: float) -> list[str]:
    """Numbers that differ by more than ``tolerance``, and metrics that came or went."""
    before, after = leaves(recorded), leaves(now)
    wrong = [f"metric {name} is gone" for name in before if name not in after]
    wrong += [f"metric {name} is new" for name in after if name not in before]
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
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
        "COURSE_QUIET": "1",
        "COURSE_DEVICE": device,
        "COURSE_ARTIFACTS": str(checkpoints),
    }


@contextmanager
def _alone(study: Study, results: Path) -> Iterator[None]:
    """Hold the study's lock; the system lets go of it when the process ends, however it ends."""
    place = str((Path(results) / study.name).resolve())
    digest = hashlib.sha256(place.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"course-study-{os.getuid()}-{digest}.lock"
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(
                f"study {study.name} is being run by another process; wait for it or stop it"
            ) from error
        yield


def _label(task: Task) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in task.config.items()) + (
        f" seed={task.seed}"
    )


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _failure(study: Study, outcome: Outcome) -> str:
    config = json.dumps(outcome.task.config, ensure_ascii=False)
    return f"FAILED {study.name} {config} seed={outcome.task.seed}:\n{outcome.error}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
