"""One progress bar for people, none for stored outputs."""

from __future__ import annotations

import os
import sys
import threading

from tqdm.auto import tqdm

# tqdm's own lock spans processes; ours draw no common bar, and a worker that is ended would leak
# its semaphore.
tqdm.set_lock(threading.RLock())


def progress_bar(total: int, label: str, *, show: bool = True, start: int = 0) -> tqdm:
    """A bar that appears only where somebody is watching, and clears itself when done.

    It stays away when `show` is false, when the environment has `COURSE_QUIET=1` (set by
    the book's build), when a notebook is executed by a program, and when standard error is
    not a terminal. So no bar ever lands in a notebook's stored outputs.
    """
    return tqdm(
        total=total,
        initial=start,
        desc=label,
        leave=False,
        disable=not (show and somebody_watches()),
    )


def somebody_watches() -> bool:
    """True in a terminal and in a notebook that a person runs."""
    if os.environ.get("COURSE_QUIET", "0") not in ("", "0"):
        return False
    kernel = _notebook_kernel()
    if kernel is None:
        return sys.stderr is not None and sys.stderr.isatty()
    # A front end with a person in front of it lets a cell ask for input. Programs that
    # execute notebooks (nbclient, nbval) forbid it: nobody is there to answer.
    return bool(getattr(kernel, "_allow_stdin", True))


def _notebook_kernel() -> object | None:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)
