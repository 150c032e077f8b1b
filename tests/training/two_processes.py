"""What each process of tests/training/test_distributed.py runs: ``two_processes.py FOLDER
SCENARIO …``.
"""

import json
import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch

from course_lib.data.batching import PairSampler
from course_lib.training import distributed, sharded
from course_lib.training.checkpoint import save_weights
from course_lib.training.loop import TrainingDiverged, adam, fit
from course_lib.training.losses import translation_loss
from course_lib.training.resumable import TrainingStopped, fit_resumable
from course_lib.transformer.model import Transformer, TransformerConfig

STEPS = 24
loss_fn = partial(translation_loss, label_smoothing=0.1)


class Slow(PairSampler):
    """Short and long sentences, four batches of 8 rows an epoch and a fifth of one row.

    No buckets: the lengths within a batch differ, and the processes get unlike numbers of words.
    """

    def __init__(self, pause=0.0):
        draw = random.Random(0)
        pairs = [
            tuple([draw.randrange(4, 12) for _ in range(length)] for _ in "st")
            for length in [*range(1, 15), *range(1, 15), *range(1, 6)]
        ]
        super().__init__(pairs, 8, seed=0, bucket=1)
        self.pause = pause

    def batch(self, step):
        time.sleep(self.pause)
        return super().batch(step)


def model(dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return Transformer(TransformerConfig.tiny(12, 12, dropout=dropout))


def run(scenario, team, folder):
    """Train as the scenario says; what came out of it."""
    seed = team.rank  # each process starts from other weights: those of rank 0 must count
    if scenario == "plain":
        net, path = model(seed=seed), folder / "plain.safetensors"
        history = fit_resumable(net, loss_fn, Slow(), 12, lr=1e-2, checkpoint=path, team=team)
    elif scenario in ("dropout", "interrupted"):
        net = model(dropout=0.2, seed=seed)
        path = folder / "run.safetensors" if scenario == "interrupted" else None
        pause = float(os.environ.get("PAUSE", 0))
        sampler = Slow(pause)
        torch.manual_seed(1)  # the same in all processes: the team must spread them out
        history = fit_resumable(net, loss_fn, sampler, STEPS, checkpoint=path, every=4, team=team)
    elif scenario in ("diverged", "asked to stop"):
        return troubled(scenario, team, folder)
    elif scenario == "sharded":
        return in_parts(team, folder)
    else:
        return refused(scenario, team, folder)
    save_weights(net, folder / f"{scenario}.{team.rank}.safetensors")
    return {"losses": history.losses, "next random number": torch.rand(1).item()}


def in_parts(team, folder):
    """The steps of "plain", each process with a part of every weight."""
    net = model(seed=team.rank)
    try:
        sharded.shard(net, [*net.encoder.layers, *net.decoder.layers], team)
    except RuntimeError as error:
        return {"error": str(error)}
    optimizer = adam(net, 1e-2)
    loss = partial(team.loss, loss_fn)
    history = fit(net, loss, Slow(), 12, optimizer=optimizer, progress=False)
    weights = sharded.whole(net)
    if team.rank == 0:
        twin = model(seed=7)
        twin.load_state_dict(weights)
        save_weights(twin, folder / "sharded.0.safetensors")
    kept = [mean for state in optimizer.state.values() for mean in state.values() if mean.dim()]
    held = {
        "weights": list(net.parameters()),
        "gradients": [weight.grad for weight in net.parameters()],
        "optimizer": kept,
    }
    return {
        "losses": history.losses,
        "held": {name: sum(one.to_local().numel() for one in of) for name, of in held.items()},
        "given": len(weights),
        "next random number": torch.rand(1).item(),
    }


def troubled(scenario, team, folder):
    """At its fourth step rank 1, and no other, meets a NaN or is asked to stop."""
    calls = []

    def loss(net, batch):
        calls.append(1)
        if team.rank == 0 or len(calls) != 4:
            return loss_fn(net, batch)
        if scenario == "diverged":
            return loss_fn(net, batch) * float("nan")
        os.kill(os.getpid(), signal.SIGTERM)
        return loss_fn(net, batch)

    try:
        fit_resumable(
            model(), loss, Slow(), 12, checkpoint=folder / f"{scenario}.safetensors", team=team
        )
    except (TrainingDiverged, TrainingStopped) as error:
        return {"error": str(error)}


def refused(scenario, team, folder):
    """Calls that are mistakes in every process."""
    loss, path = loss_fn, None
    if scenario == "carried state":
        loss = torch.nn.Module()  # has a state_dict
    elif scenario == "unshared folder":
        path = folder / f"{team.rank}.safetensors"
        if team.rank == 0:
            path.touch()
    try:
        fit_resumable(model(), loss, Slow(), 12, checkpoint=path, team=team)
    except ValueError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    out, *scenarios = sys.argv[1:]
    with distributed.join() as team:
        Path(out, f"pid.{team.rank}").write_text(str(os.getpid()))
        for scenario in scenarios:
            found = run(scenario, team, Path(out))
            Path(out, f"{scenario}.{team.rank}.json").write_text(json.dumps(found))
