"""What a check may cost the learner: bounded time, and no change to any random state."""

from __future__ import annotations

import contextlib
import ctypes
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

Value = TypeVar("Value")
REPEAT = 0.1  # seconds between further alarms, for code that swallows the first one


class TimeLimit(BaseException):
    """The time is up. Not an `Exception`, so that `except Exception` in an answer lets it pass."""


def run_limited(function: Callable[[], Value], seconds: float) -> Value:
    """Return `function()`, or raise TimeLimit when it has not finished after `seconds`.

    On the main thread of Linux and macOS (Jupyter, Colab and pytest run cells and tests there) a
    timer signal stops Python code wherever it is. Elsewhere (Windows, a worker thread) the
    function runs in a thread of its own, which is asked to stop and, if need be, abandoned.
    Neither way can stop one long call inside C code, such as a single enormous matrix product:
    it ends first.

    Raises: TimeLimit, and whatever `function` raises.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and hasattr(signal, "setitimer"):
        return _run_with_signal(function, seconds)
    return _run_in_thread(function, seconds)


def _run_with_signal(function: Callable[[], Value], seconds: float) -> Value:
    armed = True

    def on_alarm(signum: int, frame: object) -> None:
        if armed:
            raise TimeLimit

    started = time.monotonic()
    previous_handler = signal.signal(signal.SIGALRM, on_alarm)
    # Somebody else's timer (pytest-timeout's, say) is put back afterwards, less the time we took.
    previous_delay, previous_repeat = signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT)
    try:
        try:
            return function()
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler)
        if previous_delay:
            left = previous_delay - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), previous_repeat)


def _run_in_thread(function: Callable[[], Value], seconds: float) -> Value:
    results: list[Value] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:  # handed over to the caller below
            errors.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        finished = not thread.is_alive()
        attempts = 0
        while thread.is_alive() and attempts < 20:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeLimit)
            )
            thread.join(REPEAT)
            attempts += 1
    if not finished:
        raise TimeLimit
    if errors:
        raise errors[0]
    return results[0]


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Put the random states of Python, NumPy and torch back on leaving."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    # Asking for the state of a CUDA device would start CUDA, so only when it already runs.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch's CPU generator; only for use inside `random_states_kept`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
