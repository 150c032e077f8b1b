"""Windows over a long text: what training reads, and scoring with a stride."""

import math

import pytest
import torch
from torch import nn

from course_lib.gpt.windows import WindowSampler, nats_per_token, token_nats, window_loss


class Counter(nn.Module):
    """Knows how many tokens it has read: after n of them, token n % 7 gets probability ½."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, tokens):
        read = torch.arange(1, tokens.shape[1] + 1).expand_as(tokens)
        known = (read % 7).unsqueeze(-1) == torch.arange(7)  # (B, T, 7)
        return self.scale * torch.tensor(6.0).log() * known


def test_a_pass_reads_every_token_about_once():
    ids = torch.arange(1000)
    sampler = WindowSampler(ids, 4, 16, seed=0)
    rows = [sampler.batch(step) for step in range(len(sampler))]
    for batch in rows:
        assert batch.inputs.shape == batch.targets.shape == (4, 16)
        torch.testing.assert_close(batch.targets, batch.inputs + 1)
    read = torch.cat([batch.inputs.flatten() for batch in rows])
    assert len(read) == len(read.unique()) == len(sampler) * 64 > 900


def test_cuts_move_from_pass_to_pass():
    sampler = WindowSampler(torch.arange(1000), 4, 16, seed=0)
    firsts = {(sampler.batch(epoch * len(sampler)).inputs[0, 0] % 16).item() for epoch in range(20)}
    assert len(firsts) > 5


def test_the_same_step_gives_the_same_batch():
    one, other = (WindowSampler(torch.arange(300), 2, 8, seed) for seed in (1, 2))
    again = WindowSampler(torch.arange(300), 2, 8, 1)
    assert torch.equal(one.batch(25).inputs, again.batch(25).inputs)
    assert not torch.equal(one.batch(25).inputs, other.batch(25).inputs)
    smallest = WindowSampler(torch.arange(24), 2, 8, 0)  # the offset is at most 7
    for step in range(20):
        assert smallest.batch(step).targets.max() < 24


@pytest.mark.parametrize("length", [8, 16])
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_each_token_is_scored_once_with_enough_before_it(length, stride):
    """The target says how many tokens must have been read, so a wrong place costs nats."""
    n = 50

    def context(place):
        """Tokens read in the window that counts for target ``place``."""
        if place < length:
            return place + 1
        firsts = [*range(0, n - 1 - length, stride), n - 1 - length]
        last = n - 1 - length
        first = (
            last
            if place >= n - 1 - stride
            else next(f for f in firsts if f + length - stride <= place < f + length)
        )
        return place - first + 1

    ids = torch.tensor([0] + [context(place) % 7 for place in range(n - 1)])
    nats = token_nats(Counter(), ids, length, stride, batch_size=3)
    assert nats.shape == (n - 1,)
    torch.testing.assert_close(nats, torch.full((n - 1,), 2.0).log())
    assert all(context(place) > length - stride for place in range(length, n - 1))


def test_a_text_shorter_than_a_window():
    ids = torch.tensor([0, 1, 2, 3])
    torch.testing.assert_close(token_nats(Counter(), ids, 16, 4), torch.full((3,), 2.0).log())
    assert nats_per_token(Counter(), ids, 16, 4) == pytest.approx(0.693147, abs=1e-5)


def test_the_loss_is_that_of_the_next_token():
    ids = torch.arange(200) % 7
    batch = WindowSampler(ids, 2, 7, 0).batch(0)
    right = torch.tensor([[1, 2, 3, 4, 5, 6, 0]] * 2)  # what the model believes
    for targets, nats in ((right, math.log(2)), ((right + 1) % 7, math.log(12))):
        loss = window_loss(Counter(), batch._replace(targets=targets))
        assert loss.item() == pytest.approx(nats, abs=1e-5)


def test_too_short_a_text_is_named():
    with pytest.raises(ValueError, match="24 are needed"):
        WindowSampler(torch.arange(23), 2, 8, 0)


@pytest.mark.parametrize("stride", [0, 9])
def test_a_wrong_stride_is_named(stride):
    with pytest.raises(ValueError, match="stride"):
        token_nats(Counter(), torch.arange(20) % 7, 8, stride)
