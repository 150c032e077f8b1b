"""Peak memory of attention over a long source, each case in a process of its own.

``python -m tools.bench.memory fast 4096`` prints the peak in bytes of one forward and backward
pass; "none" in place of "fast" or "explicit" makes the inputs only.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from course_lib.attention.attend import attend, attend_fast
from tools.project import ROOT

LENGTH, HEADS, HEAD_WIDTH = 4096, 8, 64  # one sentence, the heads of Vaswani et al. (2017), base
MOST = 2_000_000_000
PATHS = ("none", "fast", "explicit")


@dataclass(frozen=True)
class Peak:
    """Largest resident size of a process, in bytes; ``passed`` is None where there is no target."""

    name: str
    length: int
    peak: int
    target: int | None
    passed: bool | None


def peak_of(path: str, length: int = LENGTH) -> Peak:
    """Measure one path in a fresh process.

    Raises:
        subprocess.CalledProcessError: the process failed, for example for want of memory.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.memory", path, str(length)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    peak = int(done.stdout)
    target = MOST if path == "fast" else None
    return Peak(
        name=f"attend, {path} path" if path != "none" else "the inputs alone",
        length=length,
        peak=peak,
        target=target,
        passed=None if target is None else peak < target,
    )


def peak_row(result: Peak) -> str:
    """One line of the table of peaks."""
    verdict = "no target"
    if result.target is not None:
        verdict = f"< {result.target / 1e6:.0f} {'pass' if result.passed else 'FAIL'}"
    return f"{f'{result.name}, n={result.length}':<32} {result.peak / 1e6:>8.0f}   {verdict}"


def attend_once(path: str, length: int) -> int:
    """Forward and backward with a padding mask; the peak of this process so far."""
    torch.set_num_threads(1)
    given = [torch.randn(1, HEADS, length, HEAD_WIDTH, requires_grad=True) for _ in range(3)]
    mask = torch.arange(length) < length - length // 8
    if path != "none":
        out = attend(*given, mask)[0] if path == "explicit" else attend_fast(*given, mask)
        out.sum().backward()
    return own_peak()


def own_peak() -> int:
    """Largest resident size of this process so far, in bytes."""
    try:  # Linux; there ru_maxrss would also count the process that started this one
        status = Path("/proc/self/status").read_text("utf8")
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))
    except (OSError, AttributeError):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(attend_once(sys.argv[1], int(sys.argv[2])))
