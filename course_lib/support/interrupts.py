"""Ending long work between two steps instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopRequest:
    """Inside `with`, turns Ctrl-C and SIGTERM into the attribute `signal`.

    A second Ctrl-C interrupts at once. Python lets only the main thread handle signals; elsewhere,
    and when not `active`, this does nothing and `signal` stays None.
    """

    def __init__(self, *, active: bool) -> None:
        self.active = active and threading.current_thread() is threading.main_thread()
        self.signal: int | None = None

    def __enter__(self) -> StopRequest:
        if self.active:
            self.former = {
                number: signal.signal(number, self._note) or signal.SIG_DFL
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(self, *error: object) -> None:
        if self.active:
            for number, handler in self.former.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal == signal.SIGINT and number == signal.SIGINT:
            signal.default_int_handler(number, frame)  # KeyboardInterrupt
        self.signal = number
