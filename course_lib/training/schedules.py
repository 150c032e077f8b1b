"""Learning-rate schedules: each factory returns a function from step to multiplier.

A multiplier scales the optimizer's own rate, so 1.0 is the peak. Steps count from 0. A
schedule with an end keeps its last value after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant() -> Schedule:
    """Always 1."""
    return lambda step: 1.0


CONSTANT = constant()


def warmup_linear(warmup: int, total: int) -> Schedule:
    """Rise linearly over `warmup` steps, then fall linearly to reach 0 at step `total`.

    Source: Devlin et al. (2018), appendix A.2. The first step already has the rate
    1/`warmup`: a first step at rate 0 would be wasted.
    """
    _check_phases(warmup, total)

    def multiplier(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return max(0.0, (total - step) / (total - warmup))

    return multiplier


def warmup_inverse_sqrt(warmup: int) -> Schedule:
    """Rise linearly over `warmup` steps, then fall with the inverse square root of the step.

    Source: Vaswani et al. (2017), equation 3, divided by its peak (reached at step
    `warmup`), so that the optimizer's rate is the peak rate. The paper counts from 1.
    """

    def multiplier(step: int) -> float:
        count = step + 1
        return min(count / warmup, math.sqrt(warmup / count))

    return multiplier


def cosine(total: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Rise linearly over `warmup` steps, then follow half a cosine from 1 to `floor`.

    Source: Loshchilov & Hutter (2017), equation 5, one cycle without restarts.
    """
    _check_phases(warmup, total)

    def multiplier(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / (total - warmup))
        return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done))

    return multiplier


def slanted_triangular(total: int, *, cut_frac: float = 0.1, ratio: float = 32.0) -> Schedule:
    """A short rise from 1/`ratio` to 1, then a long fall back to 1/`ratio`.

    Source: Howard & Ruder (2018), equation 3 (T = `total`). The paper divides the falling
    part by cut · (1/cut_frac − 1), which is T − cut whenever T · cut_frac is whole. Otherwise
    it would fall below the smallest rate before the end, so T − cut is used throughout.
    """
    cut = math.floor(total * cut_frac + 1e-9)  # 0.29 * 100 is 28.999… in floating point
    _check_phases(cut, total)

    def multiplier(step: int) -> float:
        step = min(step, total)
        rise = step / cut if step < cut else 1.0 - (step - cut) / (total - cut)
        return (1.0 + rise * (ratio - 1.0)) / ratio

    return multiplier


def _check_phases(warmup: int, total: int) -> None:
    if not 0 <= warmup < total:
        raise ValueError(
            f"warmup={warmup} and total={total}; expected 0 <= warmup < total (in steps)"
        )
