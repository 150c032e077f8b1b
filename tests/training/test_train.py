"""The training loop: it learns, resumes to the bit, stops cleanly, and reports trouble."""

import errno
import math
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from course_lib.data.batching import Batch, StreamSampler
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.support import progress
from course_lib.training import schedules
from course_lib.training.checkpoint import load_weights, save_weights
from course_lib.training.loop import History, TrainingDiverged, TrainingStopped, fit
from course_lib.training.losses import StreamLoss, sequence_loss, translation_loss
from course_lib.transformer.model import Transformer, TransformerConfig

ROOT = Path(__file__).resolve().parents[2]


class Sampler:
    """Random sentences; the batch depends on the step alone."""

    batch_size = 4

    def __init__(self, seed=0, pause=0.0):
        self.seed, self.pause = seed, pause

    def batch(self, step):
        time.sleep(self.pause)
        generator = torch.Generator().manual_seed(1000 * self.seed + step % 3)
        return torch.randint(1, 12, (4, 7), generator=generator)


class Tagger(nn.Module):
    """Small, with dropout (so the random state matters) and tied weights."""

    def __init__(self, width=8):
        super().__init__()
        self.embedding = nn.Embedding(12, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(width, 12)
        self.output.weight = self.embedding.weight

    def forward(self, tokens):
        return self.output(self.dropout(self.rnn(self.embedding(tokens))[0]))


def loss_fn(model, batch):
    return sequence_loss(model(batch[:, :-1]), batch[:, 1:])


def tagger(seed=0):
    torch.manual_seed(seed)
    return Tagger()


class Pairs(Sampler):
    """Random sentence pairs, some of them padded."""

    def batch(self, step):
        ids = (
            super().batch(step).masked_fill(torch.arange(7) > torch.tensor([[6], [4], [5], [3]]), 0)
        )
        return Batch(ids, ids.index_fill(1, torch.tensor([0]), 1))


smoothed_loss = partial(translation_loss, label_smoothing=0.1)


def transformer(seed=0, dropout=0.3):
    torch.manual_seed(seed)
    return Transformer(TransformerConfig.tiny(12, 12, dropout=dropout, tie="all"))


RUNS = {"tagger": (tagger, loss_fn, Sampler), "transformer": (transformer, smoothed_loss, Pairs)}


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


# --- the loss ---------------------------------------------------------------------------------


def test_sequence_loss_is_the_mean_over_real_tokens():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    targets = torch.tensor([[1, 2, 4], [3, 0, 0]])
    rows = [(0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 3)]
    by_hand = -sum(logits.log_softmax(-1)[b, t, v] for b, t, v in rows) / len(rows)
    loss = sequence_loss(logits, targets)
    torch.testing.assert_close(loss, by_hand)
    loss.backward()
    assert logits.grad[1, 1:].abs().max() == 0  # padding teaches nothing


def test_sequence_loss_of_uniform_logits_is_log_v_with_and_without_smoothing():
    logits, targets = torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.long)
    for smoothing in (0.0, 0.1):
        loss = sequence_loss(logits, targets, label_smoothing=smoothing)
        assert loss.item() == pytest.approx(math.log(7))


def test_label_smoothing_punishes_certainty():
    logits = 50 * nn.functional.one_hot(torch.tensor([[1, 2]]), 5).float()
    targets = torch.tensor([[1, 2]])
    assert sequence_loss(logits, targets, label_smoothing=0.1) > 1
    assert sequence_loss(logits, targets) < 1e-3


def test_translation_loss_smooths_by_one_argument():
    """(1 - ε) · cross-entropy + ε · the mean of −log p over all V tokens, per real token."""
    model, batch = transformer().eval(), Pairs().batch(0)
    log_probs = model(batch.source, batch.target[:, :-1]).log_softmax(-1)
    expected = batch.target[:, 1:]
    plain = -log_probs.gather(-1, expected[..., None])[..., 0]
    smooth = 0.9 * plain + 0.1 * -log_probs.mean(-1)
    real = expected != 0
    torch.testing.assert_close(smoothed_loss(model, batch), smooth[real].mean())
    torch.testing.assert_close(translation_loss(model, batch), plain[real].mean())
    assert real.sum() < real.numel()


def test_sequence_loss_errors():
    with pytest.raises(ValueError, match=r"\(B, T, V\)"):
        sequence_loss(torch.zeros(2, 4, 5), torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="every target is padding"):
        sequence_loss(torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.long))


# --- the loop ---------------------------------------------------------------------------------


def test_learns_and_records_every_step():
    model = tagger()
    history = fit(model, loss_fn, Sampler(), 250, lr=1e-2)
    assert history.steps == list(range(250))
    assert history.losses[-1] < 0.5 * history.losses[0]
    assert history.seconds == sorted(history.seconds) and history.seconds[0] > 0
    assert History(**history.to_dict()) == history


def test_equal_to_a_bare_loop():
    ours, bare = tagger(), tagger()
    torch.manual_seed(5)
    history = fit(ours, loss_fn, Sampler(), 12, lr=1e-2, clip=0.5)
    torch.manual_seed(5)
    optimizer = torch.optim.Adam(bare.parameters(), lr=1e-2)
    losses = []
    for step in range(12):
        loss = loss_fn(bare, Sampler().batch(step))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(bare.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    assert history.losses == losses
    assert same(ours, bare)


def test_schedule_scales_every_group_from_its_own_rate():
    model = tagger()
    groups = [
        {"params": [model.embedding.weight], "lr": 0.1},
        {"params": list(model.rnn.parameters()), "lr": 0.01},
    ]
    optimizer = torch.optim.SGD(groups)
    fit(model, loss_fn, Sampler(), 6, optimizer=optimizer, schedule=schedules.cosine(10))
    expected = schedules.cosine(10)(5)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx(
        [0.1 * expected, 0.01 * expected]
    )


def test_clip_bounds_the_update():
    model = tagger()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    fit(model, loss_fn, Sampler(), 1, optimizer=optimizer, clip=1e-3)
    pairs = zip(model.parameters(), before, strict=True)
    moved = math.sqrt(sum((a - b).square().sum().item() for a, b in pairs))
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_frozen_parameters_stay():
    model = tagger()
    model.rnn.requires_grad_(False)
    before = [parameter.clone() for parameter in model.rnn.parameters()]
    fit(model, loss_fn, Sampler(), 3)
    assert all(torch.equal(a, b) for a, b in zip(model.rnn.parameters(), before, strict=True))


# --- 16 bits ------------------------------------------------------------------------------------


def test_bf16_multiplies_in_16_bits_and_keeps_weights_and_loss_in_32():
    seen = set()

    def watched(model, batch):
        loss = translation_loss(model, batch)
        seen.add((model(batch.source, batch.target).dtype, loss.dtype))
        return loss

    model, plain = transformer(dropout=0.0), transformer(dropout=0.0)
    losses = fit(model, watched, Pairs(), 30, lr=3e-3, bf16=True).losses
    expected = fit(plain, watched, Pairs(), 30, lr=3e-3).losses
    assert seen == {(torch.bfloat16, torch.float32), (torch.float32, torch.float32)}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert losses == pytest.approx(expected, abs=0.05) and losses != expected
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_in_16_bits_is_another_run(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(transformer(), translation_loss, Pairs(), 3, checkpoint=path, bf16=True)
    fit(transformer(), translation_loss, Pairs(), 4, checkpoint=path, bf16=True)
    with pytest.raises(ValueError, match="bf16 True there, None here"):
        fit(transformer(), translation_loss, Pairs(), 5, checkpoint=path)


# --- resuming ---------------------------------------------------------------------------------


def test_resumed_run_is_the_same_to_the_bit(tmp_path):
    whole, part = tagger(), tagger()
    torch.manual_seed(1)
    expected = fit(whole, loss_fn, Sampler(), 30, schedule=schedules.cosine(30))
    path = tmp_path / "run.safetensors"
    torch.manual_seed(1)
    fit(part, loss_fn, Sampler(), 17, schedule=schedules.cosine(30), checkpoint=path)
    again = tagger(seed=9)  # a new process would start from other weights and random numbers
    history = fit(again, loss_fn, Sampler(), 30, schedule=schedules.cosine(30), checkpoint=path)
    assert history.losses == expected.losses
    assert same(again, whole)
    assert again.output.weight is again.embedding.weight


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_resumed_stream_training_carries_the_state(tmp_path, cell):
    ids = torch.randint(4, 20, (400,), generator=torch.Generator().manual_seed(0))
    path = tmp_path / "run.safetensors"

    def train(steps, checkpoint=None):
        torch.manual_seed(0)
        model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8, cell=cell, dropout=0.2))
        sampler = StreamSampler(ids, 4, 6)
        return fit(model, StreamLoss(), sampler, steps, checkpoint=checkpoint), model

    expected, whole = train(40)
    train(21, path)
    history, resumed = train(40, path)
    assert history.losses == expected.losses
    assert same(resumed, whole)


def test_stream_loss_carries_the_state_but_not_the_gradient():
    torch.manual_seed(0)
    model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8))
    sampler = StreamSampler(torch.randint(4, 20, (400,)), 4, 6)
    loss = StreamLoss()
    loss(model, sampler.batch(0))
    assert not loss.state.requires_grad
    carried = loss(model, sampler.batch(1)).item()
    assert carried != pytest.approx(StreamLoss()(model, sampler.batch(1)).item(), abs=1e-7)
    first = StreamLoss()(model, sampler.batch(0)).item()
    assert loss(model, sampler.batch(0)).item() == pytest.approx(first)  # fresh streams forget


def test_finished_run_returns_at_once(tmp_path):
    path = tmp_path / "run.safetensors"
    model = tagger()
    history = fit(model, loss_fn, Sampler(), 5, checkpoint=path)
    again = tagger(seed=3)
    assert fit(again, loss_fn, Sampler(), 5, checkpoint=path) == history
    assert same(model, again)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.5}, "learning rates"),
        ({"clip": None}, "clip 1.0 there, None here"),
        ({"sampler": Sampler(seed=4)}, "sampler seed 0 there, 4 here"),
        ({"steps": 2}, "5 steps there, only 2 asked"),
        ({"model": Tagger(width=4)}, "other shape: embedding.weight"),
    ],
)
def test_checkpoint_of_another_run_is_refused(tmp_path, change, said):
    path = tmp_path / "run.safetensors"
    usual = {"model": tagger(), "loss_fn": loss_fn, "sampler": Sampler(), "steps": 5}
    fit(**usual, checkpoint=path)
    with pytest.raises(ValueError, match=said):
        fit(**{**usual, **change}, checkpoint=path)


SCRIPT = """
import sys
from tests.training.test_train import RUNS
from course_lib.training.checkpoint import save_weights
from course_lib.training.loop import fit
kind, path, out, pause = sys.argv[1:]
build, loss, sampler = RUNS[kind]
model = build()
fit(model, loss, sampler(pause=float(pause)), 60, checkpoint=path, every=5)
save_weights(model, out)
"""


def start(kind, path, out, pause):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind, str(path), str(out), str(pause)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path, process, seconds=300):
    limit = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit, f"{path.name} did not appear"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("tagger", signal.SIGKILL),
        ("transformer", signal.SIGKILL),
        ("transformer", signal.SIGTERM),
    ],
)
def test_killed_then_resumed_equals_never_killed(tmp_path, kind, number):
    path, out = tmp_path / "run.safetensors", tmp_path / "resumed.safetensors"
    process = start(kind, path, out, pause=0.05)
    wait_for(path, process)
    process.send_signal(number)
    errors = process.communicate()[1]
    assert process.returncode != 0 and not out.exists()
    if number == signal.SIGTERM:
        assert "TrainingStopped: stopped by SIGTERM after" in errors
    finish = start(kind, path, out, pause=0.0)
    errors = finish.communicate()[1]
    assert finish.returncode == 0, errors
    build, loss, sampler = RUNS[kind]
    whole = build()
    fit(whole, loss, sampler(), 60)
    resumed = build(seed=1)
    load_weights(resumed, out)
    assert same(resumed, whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_finishes_the_step_and_saves(tmp_path, number):
    path = tmp_path / "run.safetensors"

    def stopping_loss(model, batch):
        if len(calls := stopping_loss.calls) == 7:
            os.kill(os.getpid(), number)
        calls.append(1)
        return loss_fn(model, batch)

    stopping_loss.calls = []
    former = signal.getsignal(number)
    expected = TrainingStopped if number == signal.SIGTERM else KeyboardInterrupt
    model = tagger()
    with pytest.raises(expected, match="after 8 steps; saved in"):
        fit(model, stopping_loss, Sampler(), 20, checkpoint=path)
    assert signal.getsignal(number) == former
    resumed = tagger(seed=2)
    history = fit(resumed, loss_fn, Sampler(), 20, checkpoint=path)
    assert history.steps == list(range(20))


# --- trouble ----------------------------------------------------------------------------------


def test_diverged_loss_names_step_rate_and_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"

    def breaks(model, batch):
        breaks.calls += 1
        return loss_fn(model, batch) * (float("nan") if breaks.calls > 7 else 1.0)

    breaks.calls = 0
    model = tagger()
    with pytest.raises(TrainingDiverged) as caught:
        fit(model, breaks, Sampler(), 20, lr=0.003, checkpoint=path, every=5)
    message = str(caught.value)
    assert "loss became nan at step 7" in message and "0.003" in message
    assert f"{path} (after 5 steps)" in message
    assert (caught.value.step, caught.value.checkpoint) == (7, path)
    assert len(caught.value.history.losses) == 7
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_diverged_gradient_is_caught_before_it_reaches_the_weights():
    model = tagger()
    model.embedding.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingDiverged, match="gradient norm became .* no checkpoint was kept"):
        fit(model, loss_fn, Sampler(), 3)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_weights_come_back_and_tied_ones_are_stored_once(tmp_path):
    path = tmp_path / "weights.safetensors"
    model, other = tagger(0), tagger(1)
    save_weights(model, path)
    stored = safetensors.torch.load_file(path)
    assert "embedding.weight" in stored and "output.weight" not in stored
    load_weights(other, path)
    assert same(model, other)


def test_missing_extra_and_misshapen_names_are_listed(tmp_path):
    path = tmp_path / "weights.safetensors"
    stored = {"weight": torch.zeros(2, 5), "scale": torch.ones(2)}
    safetensors.torch.save_file(stored, path)
    model = nn.Linear(3, 2)
    before = model.weight.clone()
    with pytest.raises(ValueError) as caught:
        load_weights(model, path)
    message = str(caught.value)
    assert "missing: bias" in message and "extra: scale" in message
    assert "weight (2, 5) (the model has (2, 3))" in message
    assert torch.equal(model.weight, before)


def test_damaged_and_absent_files(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(tagger(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        load_weights(tagger(), path)
    with pytest.raises(ValueError, match="no whole safetensors file"):
        fit(tagger(), loss_fn, Sampler(), 2, checkpoint=path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_weights(tagger(), tmp_path / "absent.safetensors")


def test_a_pickle_is_never_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    torch.save(tagger().state_dict(), path)
    with pytest.raises(ValueError, match="no whole safetensors file"):
        load_weights(tagger(), path)


def test_plain_weights_are_no_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    save_weights(tagger(), path)
    with pytest.raises(ValueError, match="no training state"):
        fit(tagger(), loss_fn, Sampler(), 2, checkpoint=path)


FULL_DISK = """
import resource, signal, sys
from tests.training.test_train import Sampler, loss_fn, tagger
from course_lib.training.loop import fit
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit then fails like a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    fit(tagger(), loss_fn, Sampler(), 10, checkpoint=sys.argv[1])
except OSError as error:
    sys.exit(str(error))
"""


def test_full_disk_leaves_the_former_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(tagger(), loss_fn, Sampler(), 5, checkpoint=path)
    before = path.read_bytes()
    assert len(before) > 4096  # the limit below cuts the file
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and "the former file stays" in done.stderr, done.stderr
    assert str(path) in done.stderr
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_full_disk_error_keeps_its_number(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_weights(tagger(), tmp_path / "weights.safetensors")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


# --- progress ---------------------------------------------------------------------------------


def test_no_bar_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_QUIET", raising=False)
    fit(tagger(), loss_fn, Sampler(), 3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("asks", "shown"), [(True, True), (False, False)])
def test_bar_in_a_notebook_that_a_person_runs(monkeypatch, asks, shown):
    kernel = type("Kernel", (), {"_allow_stdin": asks})()
    monkeypatch.setattr(progress, "_notebook_kernel", lambda: kernel)
    monkeypatch.delenv("COURSE_QUIET", raising=False)
    assert progress.somebody_watches() is shown
    monkeypatch.setenv("COURSE_QUIET", "1")
    assert progress.somebody_watches() is False
