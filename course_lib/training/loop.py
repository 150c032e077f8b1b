"""One short training loop for the whole course."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.support.interrupts import StopRequest
from course_lib.support.progress import progress_bar
from course_lib.training.checkpoint import (
    load_checkpoint,
    read_info,
    save_checkpoint,
)
from course_lib.training.distributed import ALONE, Team
from course_lib.training.schedules import Schedule, constant


class Sampler(Protocol):
    """Anything that makes the batch of a step from the step's number alone."""

    def batch(self, step: int) -> Any: ...


@dataclass
class History:
    """What happened at each step: its number, its loss, and the training seconds up to it."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, list]:
        """Plain lists, ready for JSON; ``History(**d)`` is the way back."""
        return asdict(self)


class TrainingDiverged(FloatingPointError):
    """The loss or the gradient became NaN or infinite; the weights are those before that step.

    Attributes: step, learning_rate, checkpoint (the last good one, or None), history.
    """

    def __init__(
        self, what: str, step: int, rate: float, saved: tuple[Path, int] | None, history: History
    ) -> None:
        kept = (
            f"last good checkpoint: {saved[0]} (after {saved[1]} steps)"
            if saved is not None
            else "no checkpoint was kept (pass checkpoint=…)"
        )
        super().__init__(
            f"the {what} at step {step} with learning rate {rate:.3g}; {kept}. "
            f"Lower the learning rate, warm it up, or clip the gradient."
        )
        self.step = step
        self.learning_rate = rate
        self.checkpoint = saved[0] if saved is not None else None
        self.history = history


class TrainingStopped(RuntimeError):
    """The process was asked to end (SIGTERM); the checkpoint holds everything so far.

    Attributes: step (steps done), checkpoint.
    """

    def __init__(self, step: int, checkpoint: Path) -> None:
        super().__init__(
            f"stopped by SIGTERM after {step} steps; saved in {checkpoint}. "
            f"The same call goes on from there."
        )
        self.step = step
        self.checkpoint = checkpoint


def fit(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    sampler: Sampler,
    steps: int,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    schedule: Schedule | None = None,
    clip: float | None = 1.0,
    checkpoint: str | Path | None = None,
    every: int = 200,
    progress: bool = True,
    bf16: bool = False,
    team: Team = ALONE,
) -> History:
    """Train ``model`` in place until ``steps`` steps are done.

    Each step takes ``sampler.batch(step)``, calls ``loss_fn(model, batch)``, clips the global
    gradient norm to ``clip`` and updates with ``optimizer`` (Adam at rate ``lr`` unless given),
    whose rates are multiplied by ``schedule(step)``.

    With ``checkpoint``, progress is saved every ``every`` steps, on Ctrl-C, on SIGTERM and at
    the end. The same call goes on from that file as if nothing had happened, to the last bit.
    A path belongs to one run: use another one for another configuration or seed. A ``loss_fn``
    that carries something from step to step offers ``state_dict`` and ``load_state_dict``, as
    ``StreamLoss`` does.

    With ``bf16``, matrix products inside ``loss_fn`` are computed in 16 bits (``torch.autocast``
    with bfloat16: 8 bits of precision, the range of 32-bit floats). Weights, optimizer and loss
    keep 32 bits. It works everywhere, and saves time on processors that were built for it, such as
    GPUs of compute capability 8.0 or later.

    With a ``team`` of several processes (``course_lib.training.distributed``) all call this
    function with the same arguments. Each takes its rows of the same batches, the loss recorded is
    that of the whole batch, and rank 0 alone writes checkpoints and shows the bar.

    Raises:
        TrainingDiverged: the loss or the gradient is no longer finite.
        TrainingStopped: SIGTERM arrived; the checkpoint is written.
        ValueError: the checkpoint is damaged or belongs to another run; or several processes are
            to use a ``loss_fn`` that carries something.
        OSError: the checkpoint cannot be written; the former one stays.
    """
    if steps < 0 or every < 1:
        raise ValueError(f"steps={steps}, every={every}; expected steps >= 0 and every >= 1")
    if optimizer is None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=lr)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    schedule = schedule or constant()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    path = Path(checkpoint) if checkpoint is not None else None
    identity = _identity(optimizer, sampler, clip, bf16)
    history = History()
    saved: tuple[Path, int] | None = None
    random_states: dict[str, Tensor] = {}  # of the team's other processes
    if team.size > 1 and hasattr(loss_fn, "state_dict"):
        raise ValueError(
            f"{type(loss_fn).__name__} carries a state from step to step, which {team.size} "
            f"processes cannot share; train it in one process"
        )
    if path is not None and team.sees(path):
        history, random_states = _resume(path, model, optimizer, loss_fn, identity, steps)
        saved = (path, len(history.steps))
    team.spread_randomness(random_states)
    replica = team.wrap(model)
    done = len(history.steps)
    elapsed = history.seconds[-1] if history.seconds else 0.0

    def save() -> tuple[Path, int]:
        info = {"identity": identity, "history": history.to_dict()}
        carried = loss_fn.state_dict() if hasattr(loss_fn, "state_dict") else {}
        carried |= {f"{_TEAM}{name}": state for name, state in team.random_states().items()}
        if team.rank == 0:
            save_checkpoint(path, model, optimizer, info, carried)
        return path, len(history.steps)

    model.train()
    bar = progress_bar(steps, "training", show=progress and team.rank == 0, start=done)
    device = parameters[0].device.type
    with bar, StopRequest(active=path is not None) as stop:
        for step in range(done, steps):
            started = time.perf_counter()
            multiplier = schedule(step)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * multiplier
            batch = sampler.batch(step)
            with torch.autocast(device, torch.bfloat16) if bf16 else nullcontext():
                loss = team.loss(loss_fn, replica, batch)
            optimizer.zero_grad()
            loss.backward()
            value = team.mean(loss)
            problem = None if math.isfinite(value) else f"loss became {value}"
            if clip is not None and problem is None:
                norm = nn.utils.clip_grad_norm_(parameters, clip).item()
                problem = None if math.isfinite(norm) else f"gradient norm became {norm}"
            if problem is not None:
                rate = optimizer.param_groups[0]["lr"]
                raise TrainingDiverged(problem, step, rate, saved, history)
            optimizer.step()
            elapsed += time.perf_counter() - started
            history.steps.append(step)
            history.losses.append(value)
            history.seconds.append(elapsed)
            if not bar.disable:
                bar.set_postfix_str(f"loss {value:.3f}", refresh=False)
                bar.update()
            if path is None:
                continue
            asked = team.signal(stop.signal)
            if (step + 1) % every == 0 or step + 1 == steps or asked:
                saved = save()
                asked = asked or team.signal(stop.signal)  # it may have come while saving
                if asked == signal.SIGINT:
                    raise KeyboardInterrupt(f"stopped after {step + 1} steps; saved in {path}")
                if asked:
                    raise TrainingStopped(step + 1, path)
    return history


_TEAM = "team."  # before the name of what the team's other processes carry


def _identity(
    optimizer: torch.optim.Optimizer, sampler: Sampler, clip: float | None, bf16: bool
) -> dict[str, Any]:
    """What must be equal for a checkpoint to belong to this run (the model is checked by name)."""
    return {
        "optimizer": type(optimizer).__name__,
        "learning rates": [group["initial_lr"] for group in optimizer.param_groups],
        "clip": clip,
        "sampler": type(sampler).__name__,
        "sampler seed": getattr(sampler, "seed", None),
        "batch size": getattr(sampler, "batch_size", None),
        "batches per epoch": len(sampler) if hasattr(sampler, "__len__") else None,
        "bf16": bf16 or None,  # None where it is not in older checkpoints
    }


def _resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    identity: dict[str, Any],
    steps: int,
) -> tuple[History, dict[str, Tensor]]:
    info = read_info(path)
    differences = [
        f"{name} {info['identity'].get(name)!r} there, {value!r} here"
        for name, value in identity.items()
        if info["identity"].get(name) != value
    ]
    done = len(info["history"]["steps"])
    if done > steps:
        differences.append(f"{done} steps there, only {steps} asked here")
    if differences:
        raise ValueError(
            f"{path} belongs to another run: {'; '.join(differences)}. "
            f"Delete the file to start anew, or give this run its own checkpoint path."
        )
    info, carried = load_checkpoint(path, model, optimizer)
    others = {name: carried.pop(name) for name in list(carried) if name.startswith(_TEAM)}
    if hasattr(loss_fn, "load_state_dict"):
        loss_fn.load_state_dict(carried)
    random_states = {name.removeprefix(_TEAM): state.cpu() for name, state in others.items()}
    return History(**info["history"]), random_states
