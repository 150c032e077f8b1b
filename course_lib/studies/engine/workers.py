"""Cells in their own processes: one thread each, a crash takes down one cell only."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from course_lib.studies.engine.core import Config, Metrics, leaves, plain

Run = Callable[[Config, int], Metrics]


@dataclass(frozen=True)
class Job:
    """One cell to run. A smoke cell runs on the CPU everywhere and keeps no artifacts."""

    config: Config
    seed: int
    smoke: bool = False


@dataclass(frozen=True)
class Finished:
    """What became of a job: `metrics`, or `error` with the traceback."""

    job: Job
    seconds: float
    metrics: Metrics | None = None
    error: str | None = None


def work(
    jobs: Iterable[Job], run: Run, *, at_once: int, environment: dict[str, str]
) -> Iterator[Finished]:
    """Run `jobs` in `at_once` processes and yield each outcome as soon as it is there.

    `environment` is set for the processes. They end when this generator is closed, and also when
    the parent is killed without a chance to say so.
    """
    pending = deque(jobs)
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, Job, float]] = {}
    try:
        while pending or busy:
            while pending and len(busy) < at_once:
                worker = idle.pop() if idle else _Worker(run, environment)
                busy[worker.pipe] = (worker, pending[0], time.perf_counter())
                worker.pipe.send(pending.popleft())
            for pipe in wait(list(busy)):
                worker, job, started = busy.pop(pipe)
                try:
                    yield worker.pipe.recv()
                    idle.append(worker)
                except (EOFError, ConnectionResetError):
                    error = worker.obituary()
                    yield Finished(job, time.perf_counter() - started, error=error)
    finally:
        for worker in [*idle, *(entry[0] for entry in busy.values())]:
            worker.end()


class _Worker:
    def __init__(self, run: Run, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, run), daemon=True)
        with _environment(environment):  # read by the math libraries when they are imported
            self.process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

    def obituary(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"its process ended with exit code {code}"
        name = signal.strsignal(-code)
        return (
            f"its process was killed by signal {-code} ({name}); out of memory is the usual cause"
        )

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(timeout=30)  # a training run may still write its checkpoint
        self.process.kill()
        self.process.join()


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(pipe: Connection, run: Run) -> None:
    """The life of a worker process: take a job, run it, answer, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        pipe.send(perform(job, run))


def perform(job: Job, run: Run) -> Finished:
    """Run one job in this process."""
    import torch

    torch.manual_seed(job.seed)
    changes = {"COURSE_DEVICE": "cpu", "COURSE_ARTIFACTS": ""} if job.smoke else {}
    started = time.perf_counter()
    metrics = error = None
    try:
        with _environment(changes):
            metrics = _checked(run(dict(job.config), job.seed))
    except Exception:
        error = traceback.format_exc()
    return Finished(job, time.perf_counter() - started, metrics, error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _checked(metrics: Any) -> Metrics:
    if not isinstance(metrics, dict):
        raise TypeError(f"run returned a {type(metrics).__name__}; expected a dict of metrics")
    as_json = plain(metrics)
    if as_json is None:
        odd = [name for name, value in leaves(metrics).items() if plain([value]) is None]
        raise ValueError(
            f"metrics must be JSON values with finite numbers; these are not: {', '.join(odd)}"
        )
    return as_json
