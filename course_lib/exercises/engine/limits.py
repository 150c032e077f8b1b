"""What a check may cost the learner: bounded time, and nothing of the session left changed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
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

    A timer signal stops Python code wherever it is, but only on the main thread, where Jupyter,
    Colab and pytest run cells and tests; on another thread there is no limit. One long call
    inside C code, such as a single enormous matrix product, ends first.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
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


@contextlib.contextmanager
def session_kept() -> Iterator[None]:
    """Put back on leaving what an answer may change for the whole session.

    These are the random states of Python, NumPy and torch, torch's gradient mode, default dtype,
    default device, number of threads and deterministic mode, the working directory, and the
    recursion limit.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    device, threads = torch.get_default_device(), torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    folder, depth = os.getcwd(), sys.getrecursionlimit()
    # Asking for the state of a CUDA device would start CUDA, so only when it already runs.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=list(devices)):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_deterministic_debug_mode() != deterministic:
            torch.set_deterministic_debug_mode(deterministic)
        os.chdir(folder)
        sys.setrecursionlimit(depth)


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch's CPU generator; only for use inside `session_kept`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
