"""Training that survives a kill, computes in 16 bits, or shares its work among processes.

`fit_resumable` takes the steps of `course_lib.training.loop`, to the same bits as `fit`.
"""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Sized
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.support.interrupts import StopRequest
from course_lib.support.progress import progress_bar
from course_lib.training import checkpoint as files
from course_lib.training.distributed import ALONE, Team
from course_lib.training.loop import (
    History,
    Loss,
    Sampler,
    adam,
    check_weights,
    parameters,
    train_step,
)
from course_lib.training.schedules import CONSTANT, Schedule


class TrainingStopped(RuntimeError):
    """The process was asked to end (SIGTERM); the checkpoint holds everything so far."""


def fit_resumable(
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
    checkpoint: str | Path | None = None,
    every: int = 200,
    bf16: bool = False,
    team: Team = ALONE,
) -> History:
    """As `fit`, until `steps` steps are done in all.

    With `checkpoint`, progress is saved every `every` steps, on Ctrl-C, on SIGTERM and at the end.
    The same call goes on from that file as if nothing had happened, to the last bit. A path belongs
    to one run: use another one for another configuration or seed. A `loss_fn` that carries
    something from step to step offers `state_dict` and `load_state_dict`, as `StreamLoss` does.

    With `bf16`, matrix products inside `loss_fn` are computed in 16 bits (`torch.autocast` with
    bfloat16: 8 bits of precision, the range of 32-bit floats). Weights, optimizer and loss keep 32
    bits. It saves time on processors that were built for it, such as GPUs of compute capability 8.0
    or later.

    With a `team` of several processes (`course_lib.training.distributed`) all call this function
    with the same arguments. Each takes its rows of the same batches, the loss recorded is that of
    the whole batch, and rank 0 alone writes checkpoints and shows the bar.

    Raises:
        TrainingDiverged: a loss, a gradient or a weight is no longer finite.
        TrainingStopped: SIGTERM arrived; the checkpoint is written.
        ValueError: the checkpoint is damaged or belongs to another run, and nothing was changed.
    """
    optimizer = optimizer or adam(model, lr)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    path = None if checkpoint is None else Path(checkpoint)
    carrier: Any = loss_fn if hasattr(loss_fn, "state_dict") else None
    if carrier is not None and team.size > 1:
        raise ValueError(
            f"{type(loss_fn).__name__} carries a state from step to step, which {team.size} "
            f"processes cannot share; train it in one process"
        )
    run = _identity(optimizer, sampler, clip, bf16)
    history, carried = History(), {}  # carried: from step to step, by the loss or by the team
    if path is not None:
        history.kept = "no checkpoint was written yet"
    if path is not None and team.sees(path):
        saved = files.read_checkpoint(path)
        history = _history(saved, run, schedule, steps)
        carried = saved.restore(model, optimizer)
        if carrier is not None:
            carrier.load_state_dict(carried)
    team.spread_randomness(carried)
    replica = team.wrap(model)
    device = parameters(optimizer)[0].device.type

    def loss_of(model: nn.Module, batch: Any) -> Tensor:
        with torch.autocast(device, torch.bfloat16) if bf16 else nullcontext():
            return team.loss(loss_fn, model, batch)

    def save(path: Path) -> None:
        check_weights(optimizer, history)
        multipliers = [schedule(step) for step in history.steps]
        info = {"identity": run, "history": history.to_dict(), "multipliers": multipliers}
        carried = {**({} if carrier is None else carrier.state_dict()), **team.random_states()}
        if team.rank == 0:
            files.save_checkpoint(path, model, optimizer, info, carried)
        history.kept = _kept(path, history)

    model.train()
    before = len(history.steps)
    bar = progress_bar(steps, "training", show=progress and team.rank == 0, start=before)
    with bar, StopRequest(active=path is not None) as stop:
        for done in range(before + 1, steps + 1):
            train_step(replica, loss_of, sampler, optimizer, schedule, clip, history)
            bar.set_postfix_str(f"loss {history.losses[-1]:.3f}", refresh=False)
            bar.update()
            if path is None or not (done % every == 0 or done == steps or team.signal(stop.signal)):
                continue
            save(path)
            if asked := team.signal(stop.signal):  # it may have come while saving
                end = KeyboardInterrupt if asked == signal.SIGINT else TrainingStopped
                raise end(
                    f"stopped by {signal.Signals(asked).name} after {done} steps; saved in {path}. "
                    f"The same call goes on from there."
                )
    check_weights(optimizer, history)
    return history


# Settings of an optimizer that change how fast it computes and not what.
_SPEED = {"lr", "foreach", "fused", "capturable", "differentiable"}


def _identity(
    optimizer: torch.optim.Optimizer, sampler: Sampler, clip: float | None, bf16: bool
) -> dict[str, Any]:
    """What must be equal for a checkpoint to belong to this run (the model is checked by name)."""
    groups = optimizer.param_groups
    settings = {
        name: [group.get(name) for group in groups]
        for name in optimizer.defaults
        if name not in _SPEED
    }
    identity = {
        "optimizer": type(optimizer).__name__,
        "learning rates": [group["initial_lr"] for group in groups],
        **settings,
        "clip": clip,
        "sampler": type(sampler).__name__,
        "sampler seed": getattr(sampler, "seed", None),
        "batch size": getattr(sampler, "batch_size", None),
        "batches per epoch": len(sampler) if isinstance(sampler, Sized) else None,
        "bf16": bf16 or None,
    }
    return json.loads(json.dumps(identity, default=str))  # as it comes back from a file


def _history(
    saved: files.Checkpoint, run: dict[str, Any], schedule: Schedule, steps: int
) -> History:
    """What the checkpoint's run has done, if it is this run."""
    with files.reading(saved.path):
        there, history = saved.info["identity"], History(**saved.info["history"])
        rows = zip(history.steps, history.losses, history.seconds, strict=True)
        done = len([(int(step), float(loss), float(until)) for step, loss, until in rows])
        # Older files name less, and do not have the multipliers.
        multipliers = [float(multiplier) for multiplier in saved.info.get("multipliers", [])]
        differences = [
            f"{name} {there[name]!r} there, {value!r} here"
            for name, value in run.items()
            if there.get(name, value) != value
        ]
    for step, before in enumerate(multipliers):
        if not math.isclose(now := schedule(step), before, rel_tol=1e-9, abs_tol=1e-12):
            differences.append(f"schedule {before:.6g} at step {step} there, {now:.6g} here")
            break
    if done > steps:
        differences.append(f"{done} steps there, only {steps} asked here")
    if differences:
        raise ValueError(
            f"{saved.path} belongs to another run: {'; '.join(differences)}. "
            f"Delete the file to start anew, or give this run its own checkpoint path."
        )
    history.kept = _kept(saved.path, history)
    return history


def _kept(path: Path, history: History) -> str:
    return f"last good checkpoint: {path} (after {len(history.steps)} steps)"
