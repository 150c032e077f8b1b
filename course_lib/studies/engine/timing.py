"""How studies measure time: calls take turns, so that other work on the machine hits all alike."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

Name = TypeVar("Name")
SAMPLE = 0.001  # seconds; shorter calls are repeated until one sample lasts that long


def synchronize(device: str) -> None:
    """Wait until the device has done what it was told; the CPU already has."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def median_milliseconds(
    calls: Mapping[Name, Callable[[], object]],
    *,
    device: str,
    seed: int,
    rounds: tuple[int, int],
    budget: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, float]:
    """The median time of each call, to five digits; one sample of each a round.

    Args:
        seed: of the order, another one in each round.
        rounds: the fewest and the most.
        budget: seconds for all of them together, as far as `rounds` allows.
    """
    shuffle = random.Random(seed).shuffle

    def sample(name: Name, times: int) -> float:
        synchronize(device)
        started = clock()
        for _ in range(times):
            calls[name]()
        synchronize(device)
        return (clock() - started) / times

    for name in calls:
        sample(name, 1)  # the first call loads code and sets up buffers
    times, spent = {}, 0.0
    for name in calls:
        once = sample(name, 1)
        times[name] = min(200, max(1, math.ceil(SAMPLE / max(once, 1e-9))))
        spent += once * times[name]
    fewest, most = rounds
    found: dict[Name, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for _ in range(min(most, max(fewest, round(budget / spent)))):
        shuffle(names)
        for name in names:
            found[name].append(sample(name, times[name]))
    medians = {name: 1000 * statistics.median(taken) for name, taken in found.items()}
    return {name: float(f"{median:.5g}") for name, median in medians.items()}
