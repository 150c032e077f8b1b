"""One short training loop for the whole course: `train_step` is a step, `fit` takes many of them.

`course_lib.training.resumable` takes the same steps for runs that must survive a kill, compute in
16 bits, or share their work among processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.support.progress import progress_bar
from course_lib.training.schedules import CONSTANT, Schedule

Loss = Callable[[Any, Any], Tensor]  # model, batch -> scalar


class Sampler(Protocol):
    """Anything that makes the batch of a step from the step's number alone."""

    def batch(self, step: int) -> Any: ...


@dataclass
class History:
    """What happened at each step: its number, its loss, and the training seconds up to it."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    kept = "no checkpoint is kept: resumable.fit_resumable(…, checkpoint=…) would"  # for messages

    def note(self, loss: float, seconds: float) -> None:
        """One step more, its loss and how long it took."""
        self.steps.append(len(self.steps))
        self.losses.append(loss)
        self.seconds.append(sum(self.seconds[-1:]) + seconds)

    def to_dict(self) -> dict[str, list]:
        """Plain lists, ready for JSON; `History(**d)` is the way back."""
        return {"steps": self.steps, "losses": self.losses, "seconds": self.seconds}


class TrainingDiverged(FloatingPointError):
    """A loss, a gradient or a weight is no longer finite.

    After a bad loss or gradient the weights are those before that step. Attributes: step,
    learning_rate, history.
    """

    def __init__(self, what: str, rate: float, history: History) -> None:
        self.step, self.learning_rate, self.history = len(history.steps), rate, history
        super().__init__(
            f"the {what} at step {self.step} with learning rate {rate:.3g}; {history.kept}. "
            f"Lower the learning rate, warm it up, or clip the gradient."
        )


def fit(
    model: nn.Module,
    loss_fn: Loss,
    sampler: Sampler,
    steps: int,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    schedule: Schedule = CONSTANT,
    clip: float | None = 1.0,
    progress: bool = True,
) -> History:
    """Train `model` in place for so many steps, with Adam at rate `lr` unless told otherwise.

    Ends with `TrainingDiverged` where a loss, a gradient or a weight is no longer finite.
    """
    optimizer = optimizer or adam(model, lr)
    history = History()
    model.train()
    with progress_bar(steps, "training", show=progress) as bar:
        for _ in range(steps):
            train_step(model, loss_fn, sampler, optimizer, schedule, clip, history)
            bar.set_postfix_str(f"loss {history.losses[-1]:.3f}", refresh=False)
            bar.update()
    check_weights(optimizer, history)
    return history


def train_step(
    model: nn.Module,
    loss_fn: Loss,
    sampler: Sampler,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    clip: float | None,
    history: History,
) -> None:
    """One step: a batch, its loss, the gradient, the update; noted in `history`.

    The optimizer's own rates are multiplied by `schedule(step)`. A gradient whose norm, over all
    parameters together, is above `clip` is scaled down to it (Pascanu et al. 2013, algorithm 1).
    """
    step, started = len(history.steps), time.perf_counter()
    multiplier = schedule(step)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * multiplier
    loss = loss_fn(model, sampler.batch(step))
    optimizer.zero_grad()
    loss.backward()
    value = loss.item()
    norm = nn.utils.clip_grad_norm_(parameters(optimizer), math.inf if clip is None else clip)
    check_finite(optimizer, history, {"loss": value, "gradient norm": norm.item()})
    optimizer.step()
    history.note(value, time.perf_counter() - started)


def adam(model: nn.Module, lr: float) -> torch.optim.Adam:
    """Adam over the parameters that are not frozen (Kingma & Ba 2015)."""
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)


def parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """All that an optimizer moves."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def check_finite(
    optimizer: torch.optim.Optimizer, history: History, numbers: dict[str, float]
) -> None:
    """End the training where a number is NaN or infinite."""
    for what, number in numbers.items():
        if not math.isfinite(number):
            rate = optimizer.param_groups[0]["lr"]
            raise TrainingDiverged(f"{what} became {number}", rate, history)


def check_weights(optimizer: torch.optim.Optimizer, history: History) -> None:
    """End the training where the last update spoiled a weight."""
    largest = nn.utils.get_total_norm([p.detach() for p in parameters(optimizer)], math.inf)
    check_finite(optimizer, history, {"largest weight": largest.item()})
