"""What nearly every study records of a model and its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def size(model: nn.Module) -> int:
    """The number of parameters; tied ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def mean(values: Sequence[float]) -> float:
    """The mean of some numbers, bools included."""
    return sum(values) / len(values)


def last_loss(losses: Sequence[float], steps: int = 50) -> float:
    """The mean training loss of the last `steps` steps."""
    return mean(losses[-steps:])


def loss_curve(losses: Sequence[float], every: int) -> list[float]:
    """The mean training loss of each `every` steps, one after the other."""
    return [mean(losses[start : start + every]) for start in range(0, len(losses), every)]
