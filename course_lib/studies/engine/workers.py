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


@dataclass(frozen=True)
class Task:
    """One cell to run. A smoke cell runs on the CPU everywhere and keeps no artifacts."""

    config: Config
    seed: int
    smoke: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a task: ``metrics``, or ``error`` with the traceback."""

    task: Task
    seconds: float
    metrics: Metrics | None = None
    error: str | None = None


def work(
    tasks: Iterable[Task],
    run: Callable[[Config, int], Metrics],
    *,
    jobs: int,
    environment: dict[str, str],
) -> Iterator[Outcome]:
    """Run ``tasks`` in ``jobs`` processes and yield each outcome as soon as it is there.

    ``environment`` is set for the processes. They end when this generator is closed, and also
    when the parent is killed without a chance to say so.
    """
    context = multiprocessing.get_context("spawn")
    pending = deque(tasks)
    idle: list[_Worker] = []
    busy: dict[Connection, tuple[_Worker, Task, float]] = {}
    try:
        while pending or busy:
            while pending and len(busy) < jobs:
                worker = idle.pop() if idle else _Worker(context, run, environment)
                task = pending.popleft()
                busy[worker.pipe] = (worker, task, time.perf_counter())
                worker.pipe.send(task)
            for pipe in wait(list(busy)):
                worker, task, started = busy.pop(pipe)
                try:
                    yield worker.pipe.recv()
                    idle.append(worker)
                except (EOFError, ConnectionResetError):
                    worker.process.join()
                    code = worker.process.exitcode
                    reason = (
                        f"its process was killed by signal {-code} "
                        f"({signal.strsignal(-code)}); out of memory is the usual cause"
                        if code < 0
                        else f"its process ended with exit code {code}"
                    )
                    yield Outcome(task, time.perf_counter() - started, error=reason)
    finally:
        for worker in [*idle, *(entry[0] for entry in busy.values())]:
            worker.end()


class _Worker:
    def __init__(
        self,
        context: multiprocessing.context.SpawnContext,
        run: Callable[[Config, int], Metrics],
        environment: dict[str, str],
    ) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, run), daemon=True)
        with _environment(environment):  # read by the math libraries when they are imported
            self.process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

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


def _serve(pipe: Connection, run: Callable[[Config, int], Metrics]) -> None:
    """The life of a worker process: take a task, run it, answer, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        pipe.send(perform(task, run))


def perform(task: Task, run: Callable[[Config, int], Metrics]) -> Outcome:
    """Run one task in this process."""
    import torch

    torch.manual_seed(task.seed)
    changes = {"COURSE_DEVICE": "cpu", "COURSE_ARTIFACTS": ""} if task.smoke else {}
    started = time.perf_counter()
    try:
        with _environment(changes):
            metrics = _checked(run(dict(task.config), task.seed))
        return Outcome(task, time.perf_counter() - started, metrics=metrics)
    except Exception:
        error = traceback.format_exc()
        return Outcome(task, time.perf_counter() - started, error=error)


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
