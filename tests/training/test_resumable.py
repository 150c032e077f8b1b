"""A run goes on to the bit, stops cleanly, and never goes on from what is not its own."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from course_lib.data.batching import StreamSampler
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.training import schedules
from course_lib.training.checkpoint import read_checkpoint, save_weights
from course_lib.training.loop import TrainingDiverged, fit
from course_lib.training.losses import StreamLoss, translation_loss
from course_lib.training.resumable import TrainingStopped, fit_resumable
from tests.training.models import (
    Pairs,
    Sampler,
    Tagger,
    loss_fn,
    same,
    smoothed_loss,
    tagger,
    transformer,
)

ROOT = Path(__file__).resolve().parents[2]


def test_bf16_multiplies_in_16_bits_and_keeps_weights_and_loss_in_32(tmp_path):
    seen = set()

    def watched(model, batch):
        loss = translation_loss(model, batch)
        seen.add((model(batch.source, batch.target).dtype, loss.dtype))
        return loss

    path = tmp_path / "run.safetensors"
    model, plain = transformer(dropout=0.0), transformer(dropout=0.0)
    losses = fit_resumable(model, watched, Pairs(), 30, lr=3e-3, bf16=True, checkpoint=path).losses
    expected = fit_resumable(plain, watched, Pairs(), 30, lr=3e-3).losses
    assert seen == {(torch.bfloat16, torch.float32), (torch.float32, torch.float32)}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert losses == pytest.approx(expected, abs=0.05) and losses != expected
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(ValueError, match="bf16 True there, None here"):
        fit_resumable(transformer(), translation_loss, Pairs(), 31, lr=3e-3, checkpoint=path)


# --- going on ---------------------------------------------------------------------------------


def test_resumed_run_is_the_same_to_the_bit(tmp_path):
    whole, part = tagger(), tagger()
    schedule = schedules.cosine(30)
    torch.manual_seed(1)
    expected = fit(whole, loss_fn, Sampler(), 30, schedule=schedule)
    path = tmp_path / "run.safetensors"
    torch.manual_seed(1)
    fit_resumable(part, loss_fn, Sampler(), 17, schedule=schedule, checkpoint=path)
    again = tagger(seed=9)  # a new process would start from other weights and random numbers
    history = fit_resumable(again, loss_fn, Sampler(), 30, schedule=schedule, checkpoint=path)
    assert history.losses == expected.losses and history.steps == expected.steps
    assert history.seconds == sorted(history.seconds)
    assert same(again, whole)
    assert again.output.weight is again.embedding.weight
    finished = tagger(seed=3)
    call = {"schedule": schedule, "checkpoint": path}
    assert fit_resumable(finished, loss_fn, Sampler(), 30, **call) == history
    assert same(finished, whole)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_resumed_stream_training_carries_the_state(tmp_path, cell):
    ids = torch.randint(4, 20, (400,), generator=torch.Generator().manual_seed(0))
    path = tmp_path / "run.safetensors"

    def train(steps, checkpoint=None):
        torch.manual_seed(0)
        model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8, cell=cell, dropout=0.2))
        sampler = StreamSampler(ids, 4, 6)
        return fit_resumable(model, StreamLoss(), sampler, steps, checkpoint=checkpoint), model

    expected, whole = train(40)
    train(21, path)
    history, resumed = train(40, path)
    assert history.losses == expected.losses
    assert same(resumed, whole)


def test_a_seed_that_is_no_json_value_goes_into_the_checkpoint(tmp_path):
    class Seeded(Sampler):
        def batch(self, step):
            return Sampler(int(self.seed)).batch(step)

    sampler, path = Seeded(np.int64(3)), tmp_path / "run.safetensors"
    model = tagger()
    fit_resumable(model, loss_fn, sampler, 2, checkpoint=path)
    fit_resumable(model, loss_fn, sampler, 3, checkpoint=path)
    sampler.seed = np.int64(4)
    with pytest.raises(ValueError, match="sampler seed"):
        fit_resumable(model, loss_fn, sampler, 4, checkpoint=path)


def test_the_carried_state_follows_the_device_of_the_model(tmp_path):
    path = tmp_path / "run.safetensors"
    model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8))
    ids = torch.arange(400) % 16 + 4
    fit_resumable(model, StreamLoss(), StreamSampler(ids, 4, 6), 2, checkpoint=path)
    elsewhere = RNNLanguageModel(RNNLanguageModelConfig(20, width=8)).to("meta")
    carried = read_checkpoint(path).restore(elsewhere, torch.optim.Adam(elsewhere.parameters()))
    assert {tensor.device.type for tensor in carried.values()} == {"meta"}


def test_progress_is_saved_as_often_as_asked(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        "course_lib.training.checkpoint.save_checkpoint",
        lambda path, model, optimizer, info, carried: saved.append(len(info["history"]["steps"])),
    )
    fit_resumable(tagger(), loss_fn, Sampler(), 11, checkpoint=tmp_path / "run", every=4)
    assert saved == [4, 8, 11]


# --- another run ------------------------------------------------------------------------------

USUAL = {"model": tagger, "loss_fn": loss_fn, "sampler": Sampler(), "steps": 5}


class Counted(Sampler):
    """One that knows how many batches an epoch has."""

    def __len__(self):
        return 3


Counted.__name__ = "Sampler"


def adamw(model, **settings):
    return torch.optim.AdamW(model.parameters(), lr=1e-3, **settings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.5}, r"learning rates \[0.001\] there, \[0.5\] here"),
        ({"clip": None}, "clip 1.0 there, None here"),
        ({"sampler": Sampler(seed=4)}, "sampler seed 0 there, 4 here"),
        ({"sampler": Pairs()}, "sampler 'Sampler' there, 'Pairs' here"),
        ({"sampler": Counted()}, "batches per epoch None there, 3 here"),
        ({"steps": 2}, "5 steps there, only 2 asked"),
        ({"model": partial(Tagger, width=4)}, "other shape: embedding.weight"),
        ({"optimizer": adamw}, "optimizer 'Adam' there, 'AdamW' here"),
        ({"schedule": lambda step: 1.0 - step / 5000}, "schedule 1 at step 1 there, 0.9998 here"),
    ],
)
def test_checkpoint_of_another_run_is_refused(tmp_path, change, said):
    path = tmp_path / "run.safetensors"
    fit_resumable(**{**USUAL, "model": tagger()}, checkpoint=path)
    refused(path, change, said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weight_decay": 0.1}, r"weight_decay \[0.0\] there, \[0.1\] here"),
        ({"betas": (0.9, 0.98)}, r"betas \[\[0.9, 0.999\]\] there, \[\[0.9, 0.98\]\] here"),
        ({"eps": 1e-6}, "eps"),
        ({"amsgrad": True}, "amsgrad"),
        ({"foreach": True}, None),  # as fast as it likes
    ],
)
def test_other_settings_of_the_optimizer_are_another_run(tmp_path, settings, said):
    path = tmp_path / "run.safetensors"
    model = tagger()
    optimizer = adamw(model, weight_decay=0.0)
    fit_resumable(model, loss_fn, Sampler(), 5, optimizer=optimizer, checkpoint=path)
    change = {"optimizer": partial(adamw, **{"weight_decay": 0.0, **settings})}
    refused(path, change, said)


def refused(path, change, said):
    """The call that was changed says why, and changes nothing itself."""
    call = {**USUAL, **change}
    model = call["model"]()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if "optimizer" in call:
        call["optimizer"] = call["optimizer"](model)
    call = {**call, "model": model, "checkpoint": path}
    if said is None:
        fit_resumable(**call)
        return
    with pytest.raises(ValueError, match=said) as caught:
        fit_resumable(**call)
    assert str(path) in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def harmed(header):
    """Ways to damage the header of a run, one at a time."""
    yield {"info": header["info"]}
    yield {"optimizer": header["optimizer"]}
    yield [header]
    history = header["info"]["history"]
    for info in (None, {"identity": {}}, {"history": history}):
        yield header | {"info": info}
    for wrong in (history | {"losses": [1.0]}, history | {"seconds": ["a"] * 5}, None):
        yield header | {"info": header["info"] | {"history": wrong}}
    yield header | {"info": header["info"] | {"identity": []}}
    yield header | {"info": header["info"] | {"multipliers": ["x"]}}
    for part in ("scalars", "param_groups"):
        yield header | {"optimizer": header["optimizer"] | {part: None}}
    yield header | {"optimizer": header["optimizer"] | {"param_groups": [5]}}


def test_a_damaged_header_names_the_file_and_changes_nothing(tmp_path):
    path = tmp_path / "run.safetensors"
    fit_resumable(**{**USUAL, "model": tagger()}, checkpoint=path)
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["run"])
    tensors = safetensors.torch.load_file(path)
    texts = ["", "{", "null", *map(json.dumps, harmed(header))]
    for text in texts:
        safetensors.torch.save_file(tensors, path, metadata={"run": text})
        refused(path, {}, "no whole safetensors file")
    safetensors.torch.save_file(tensors, path, metadata={"run": json.dumps(header)})
    refused(path, {}, None)
    without = {name: tensor for name, tensor in tensors.items() if name != "random.cpu"}
    for damaged in (without, tensors | {"random.cpu": torch.ones(3)}):
        safetensors.torch.save_file(damaged, path, metadata={"run": json.dumps(header)})
        refused(path, {}, "no whole safetensors file")


def test_checkpoints_of_before_name_less_and_still_load(tmp_path):
    path = tmp_path / "run.safetensors"
    fit_resumable(**{**USUAL, "model": tagger()}, checkpoint=path)
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["run"])
    info = header["info"]
    for name in ("betas", "eps", "weight_decay", "amsgrad", "maximize"):
        info["identity"].pop(name)
    info.pop("multipliers")
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, metadata={"run": json.dumps(header)})
    refused(path, {}, None)


# --- stopped ----------------------------------------------------------------------------------

SCRIPT = """
import sys
from tests.training.models import Pairs, smoothed_loss, transformer
from course_lib.training.resumable import fit_resumable
sampler = Pairs(pause=0.05)
fit_resumable(transformer(), smoothed_loss, sampler, 60, checkpoint=sys.argv[1], every=5)
"""


def test_killed_then_resumed_equals_never_killed(tmp_path):
    path = tmp_path / "run.safetensors"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], cwd=ROOT)
    limit = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    whole = transformer()
    expected = fit(whole, smoothed_loss, Pairs(), 60)
    resumed = transformer(seed=1)
    history = fit_resumable(resumed, smoothed_loss, Pairs(), 60, checkpoint=path)
    assert history.losses == expected.losses and same(resumed, whole)


@pytest.mark.parametrize("at", [7, 9])  # of 10 steps, the last one too
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_finishes_the_step_and_saves(tmp_path, number, at):
    path = tmp_path / "run.safetensors"

    def stopping_loss(model, batch):
        if len(calls := stopping_loss.calls) == at:
            os.kill(os.getpid(), number)
        calls.append(1)
        return loss_fn(model, batch)

    stopping_loss.calls = []
    former = signal.getsignal(number)
    expected = TrainingStopped if number == signal.SIGTERM else KeyboardInterrupt
    with pytest.raises(expected, match=f"after {at + 1} steps; saved in"):
        fit_resumable(tagger(), stopping_loss, Sampler(), 10, checkpoint=path)
    assert signal.getsignal(number) == former
    history = fit_resumable(tagger(seed=2), loss_fn, Sampler(), 10, checkpoint=path)
    assert history.steps == list(range(10))


def test_a_second_ctrl_c_interrupts_at_once(tmp_path):
    def impatient(model, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_resumable(tagger(), impatient, Sampler(), 10, checkpoint=path)
    assert not path.exists()


# --- trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [1.0, None])
def test_the_last_good_checkpoint_stays_and_is_named(tmp_path, clip):
    path = tmp_path / "run.safetensors"

    def breaks(model, batch):
        breaks.calls += 1
        return loss_fn(model, batch) * (math.nan if breaks.calls > 7 else 1.0)

    breaks.calls = 0
    with pytest.raises(TrainingDiverged) as caught:
        fit_resumable(tagger(), breaks, Sampler(), 20, clip=clip, checkpoint=path, every=5)
    assert "loss became nan at step 7" in str(caught.value)
    assert f"last good checkpoint: {path} (after 5 steps)" in str(caught.value)
    with pytest.raises(TrainingDiverged, match=r"at step 5 .* \(after 5 steps\)"):
        fit_resumable(tagger(), breaks, Sampler(), 20, clip=clip, checkpoint=path, every=5)
    path.unlink()
    with pytest.raises(TrainingDiverged, match="at step 0 .*; no checkpoint was written yet"):
        fit_resumable(tagger(), breaks, Sampler(), 20, clip=clip, checkpoint=path, every=5)


def test_a_spoiled_weight_is_not_saved_over_the_good_checkpoint(tmp_path):
    path, model = tmp_path / "run.safetensors", tagger()
    call = {
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "checkpoint": path,
        "every": 5,
    }
    fit_resumable(model, loss_fn, Sampler(), 5, **call)
    before = path.read_bytes()

    def spoils(model, batch):
        if len(spoils.calls) == 4:  # the tenth step
            model.rnn.bias_hh_l0.data[0] = math.inf
        spoils.calls.append(1)
        return 0.0 * model.rnn.weight_hh_l0.sum()

    spoils.calls = []
    with pytest.raises(TrainingDiverged, match=r"largest weight became inf .*\(after 5 steps"):
        fit_resumable(model, spoils, Sampler(), 20, **call)
    assert len(spoils.calls) == 5 and path.read_bytes() == before


def test_full_disk_leaves_the_former_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    fit_resumable(tagger(), loss_fn, Sampler(), 5, checkpoint=path)
    before = path.read_bytes()
    assert len(before) > 4096  # the limit below cuts the file
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit then fails
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="the former file stays"):
            fit_resumable(tagger(), loss_fn, Sampler(), 10, checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_plain_weights_are_no_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    save_weights(tagger(), path)
    with pytest.raises(ValueError, match="Weights are for load_weights"):
        fit_resumable(tagger(), loss_fn, Sampler(), 2, checkpoint=path)
