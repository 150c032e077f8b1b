"""Pairs of runs, interleaved, and the ratios of their times."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Result:
    """Ratios A / B of one comparison; ``passed`` is None where there is no target."""

    name: str
    pairs: int
    milliseconds: tuple[float, float]  # processor time of A and B, per unit
    ratio: float
    interval: tuple[float, float]
    wall_ratio: float
    wall_interval: tuple[float, float]
    target: float | None
    passed: bool | None


def compare(
    name: str,
    a: Callable[[], None],
    b: Callable[[], None],
    pairs: int,
    units: int,
    target: float | None,
) -> Result:
    """Time ``pairs`` interleaved pairs; each call does ``units`` units of work."""
    for _ in range(2):  # first calls allocate
        a()
        b()
    cpu, wall = [], []
    gc.collect()
    gc.disable()  # a collection would hit one half of a pair by chance
    for _ in range(pairs):
        times = [timed(function) for function in (a, b)]
        cpu.append((times[0][0], times[1][0]))
        wall.append((times[0][1], times[1][1]))
    gc.enable()
    ratios = [one / other for one, other in cpu]
    wall_ratios = [one / other for one, other in wall]
    ratio = statistics.median(ratios)
    return Result(
        name=name,
        pairs=pairs,
        milliseconds=tuple(
            1000 * statistics.median(side) / units for side in zip(*cpu, strict=True)
        ),
        ratio=ratio,
        interval=median_interval(ratios),
        wall_ratio=statistics.median(wall_ratios),
        wall_interval=median_interval(wall_ratios),
        target=target,
        passed=None if target is None else ratio <= target,
    )


def check_same_work(
    ours: nn.Module, theirs: nn.Module, loss: Callable[[], Tensor], their_loss: Callable[[], Tensor]
) -> None:
    """Before any timing: with the same weights and no dropout, the same loss and gradient.

    Raises:
        AssertionError: the two models do not compute the same.
    """
    losses, sizes = [], []
    for model, one in ((ours, loss), (theirs, their_loss)):
        model.eval()
        value = one()
        value.backward()
        losses.append(value.detach())
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        sizes.append(nn.utils.get_total_norm(gradients))
        model.zero_grad()
        model.train()
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(*sizes, rtol=1e-3, atol=1e-5)


def timed(function: Callable[[], None]) -> tuple[float, float]:
    """Processor seconds and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def median_interval(values: list[float]) -> tuple[float, float]:
    """95% bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(values, size=(2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(low), float(high)


def row(result: Result) -> str:
    """One line of the table."""
    verdict = (
        "no target"
        if result.target is None
        else f"<= {result.target:.2f} {'pass' if result.passed else 'FAIL'}"
    )
    a, b = result.milliseconds
    return (
        f"{result.name:<47} {a:>8.2f} {b:>8.2f}   "
        f"{result.ratio:>6.3f} [{result.interval[0]:.3f}, {result.interval[1]:.3f}]   "
        f"{result.wall_ratio:>6.3f} [{result.wall_interval[0]:.3f}, "
        f"{result.wall_interval[1]:.3f}]   {verdict}"
    )
