"""The peak memory of a forward and a backward pass.

That is the highest sum of bytes that torch's allocator had handed out, over what was there before:
the layer, its input, the gradient of its output. On the CPU it is read from the profiler's log of
every allocation, which holds those inside kernels as well and does not depend on the machine's
load; the log is checked against the size of the results. The peak of the process (as the operating
system counts it) would add the allocator's reserves and hide the small sizes. On CUDA it is
`torch.cuda.max_memory_allocated`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.utils._pytree import tree_leaves


def peak_memory(call: Callable[[], object], device: str = "cpu") -> int:
    """The most bytes that `call` held at one time, beyond what was there before it.

    Raises:
        RuntimeError: the profiler's log does not add up (CPU).
    """
    call()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with _quiet_profiler(), torch.profiler.profile(activities=cpu, profile_memory=True) as log:
        results = call()
    events = [e for e in log.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    kept = {t.untyped_storage().data_ptr(): t for t in tree_leaves(results)}
    expected = sum(t.untyped_storage().nbytes() for t in kept.values())
    if live != expected:
        raise RuntimeError(
            f"after the call {live} bytes are live by the profiler's log, and its results take "
            f"{expected}: the log is not whole"
        )
    return peak


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Keep the profiler's "USDT: … profiler_start" off stderr; it reads the level when it starts.

    A level that the reader has set stays.
    """
    name = "KINETO_LOG_LEVEL"
    if name in os.environ:
        yield
        return
    os.environ[name] = "6"  # above the highest kind of message
    try:
        yield
    finally:
        del os.environ[name]
