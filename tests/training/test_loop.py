"""The training loop: it is a bare loop, and it notices where training has diverged."""

import math

import pytest
import torch
from torch import nn

from course_lib.training import schedules
from course_lib.training.loop import History, TrainingDiverged, fit
from course_lib.training.resumable import fit_resumable
from tests.training.models import Sampler, loss_fn, same, tagger

BOTH = pytest.mark.parametrize("fit", [fit, fit_resumable])


@BOTH
@pytest.mark.parametrize("clip", [0.5, 100.0, None])
def test_equal_to_a_bare_loop(fit, clip):
    ours, bare = tagger(), tagger()
    ours.eval()  # the loop trains
    torch.manual_seed(5)
    schedule = schedules.cosine(20, warmup=3)
    history = fit(ours, loss_fn, Sampler(), 12, lr=1e-2, clip=clip, schedule=schedule)
    torch.manual_seed(5)
    optimizer = torch.optim.Adam(bare.parameters(), lr=1e-2)
    losses = []
    for step in range(12):
        optimizer.param_groups[0]["lr"] = 1e-2 * schedule(step)
        loss = loss_fn(bare, Sampler().batch(step))
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(bare.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    assert history.losses == losses and history.steps == list(range(12))
    assert same(ours, bare)
    assert 0 < history.seconds[0] and history.seconds == sorted(history.seconds)
    assert History(**history.to_dict()) == history


@BOTH
@pytest.mark.parametrize("asked", [True, False])
def test_a_bar_is_drawn_where_it_is_asked_for(fit, asked, monkeypatch, capsys):
    monkeypatch.setattr("course_lib.support.progress.somebody_watches", lambda: True)
    fit(tagger(), loss_fn, Sampler(), 2, progress=asked)
    assert ("training" in capsys.readouterr().err) == asked


@BOTH
def test_seconds_are_those_of_the_steps_one_after_the_other(fit, monkeypatch):
    ticks = iter([0.0, 1.0, 10.0, 12.0, 20.0, 24.0])
    monkeypatch.setattr("course_lib.training.loop.time.perf_counter", lambda: next(ticks))
    assert fit(tagger(), loss_fn, Sampler(), 3).seconds == [1.0, 3.0, 7.0]


@BOTH
def test_schedule_scales_every_group_from_its_own_rate(fit):
    model = tagger()
    groups = [
        {"params": [model.embedding.weight], "lr": 0.1},
        {"params": list(model.rnn.parameters()), "lr": 0.01},
    ]
    optimizer = torch.optim.SGD(groups)
    for steps in (6, 6):  # the second run starts from the rates of before, not of the last step
        fit(model, loss_fn, Sampler(), steps, optimizer=optimizer, schedule=schedules.cosine(10))
        expected = schedules.cosine(10)(5)
        found = [group["lr"] for group in optimizer.param_groups]
        assert found == pytest.approx([0.1 * expected, 0.01 * expected])


def test_frozen_parameters_stay():
    model = tagger()
    model.rnn.requires_grad_(False)
    before = [parameter.clone() for parameter in model.rnn.parameters()]
    fit(model, loss_fn, Sampler(), 3)
    assert all(torch.equal(a, b) for a, b in zip(model.rnn.parameters(), before, strict=True))


def spoiled(what, at):
    """A loss that is not finite, or whose gradient is not, from its call number `at` on."""
    calls = []

    def loss(model, batch):
        calls.append(1)
        found = loss_fn(model, batch)
        if len(calls) > at and what == "loss":
            return found * math.nan
        if len(calls) > at:
            found = found + 0 * (found - found).sqrt()  # the slope of the root at 0 is infinite
        return found

    return loss


@BOTH
@pytest.mark.parametrize("clip", [1.0, None])
@pytest.mark.parametrize("what", ["loss", "gradient norm"])
@pytest.mark.parametrize("steps", [8, 20])  # of 8 steps the last one is bad
def test_a_step_that_is_not_finite_is_not_taken(fit, clip, what, steps):
    model, expected = tagger(), tagger()
    torch.manual_seed(1)
    before = fit(expected, loss_fn, Sampler(), 7, clip=clip)
    torch.manual_seed(1)
    with pytest.raises(
        TrainingDiverged, match=f"{what} became nan at step 7 .*rate 0.001"
    ) as caught:
        fit(model, spoiled(what, 7), Sampler(), steps, clip=clip)
    assert same(model, expected)
    assert caught.value.step == 7 and caught.value.learning_rate == 0.001
    assert caught.value.history.losses == before.losses
    assert "no checkpoint is kept: resumable.fit_resumable(…, checkpoint=…)" in str(caught.value)


@BOTH
def test_a_weight_that_the_last_step_spoiled_is_noticed(fit):
    model = nn.Linear(1, 1)

    def loss(model, batch):
        return 1e30 * model.weight.sum()

    optimizer = torch.optim.SGD(model.parameters(), lr=1e30)
    with pytest.raises(TrainingDiverged, match="largest weight became inf at step 1"):
        fit(model, loss, Sampler(), 1, optimizer=optimizer, clip=None)


def test_no_steps_change_nothing():
    model = tagger()
    assert fit(model, loss_fn, Sampler(), 0).losses == [] and same(model, tagger())
