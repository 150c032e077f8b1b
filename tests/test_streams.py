"""Training on a stream: what is carried from piece to piece, and what is not."""

import math

import pytest
import torch

from course_lib import train
from course_lib.data.batching import StreamSampler
from course_lib.rnn import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.streams import StreamLoss, join, nats_per_token, token_nats
from course_lib.text import CharTokenizer


@pytest.fixture
def model():
    torch.manual_seed(0)
    return RNNLanguageModel(RNNLanguageModelConfig.tiny(12, "lstm"))


@pytest.fixture
def ids():
    return torch.randint(4, 12, (200,), generator=torch.Generator().manual_seed(1))


def test_join_marks_every_text():
    tokenizer = CharTokenizer.train(["ab"])
    a, b = tokenizer.encode("ab")
    assert join(["ab", "b"], tokenizer).tolist() == [1, a, b, 2, 1, b, 2]
    with pytest.raises(ValueError, match="at least one text"):
        join([], tokenizer)


def test_the_pieces_together_cost_what_the_whole_costs(model, ids):
    pieces, whole = StreamSampler(ids, 2, 9), StreamSampler(ids, 2, 99)
    loss = StreamLoss()
    parts = [loss(model, pieces.batch(step)).item() for step in range(len(pieces))]
    assert len(parts) == 11
    at_once = StreamLoss()(model, whole.batch(0)).item()
    assert math.isclose(sum(parts) / len(parts), at_once, rel_tol=1e-5)


def test_no_gradient_crosses_a_piece(model, ids):
    sampler, loss = StreamSampler(ids, 2, 9), StreamLoss()
    for step in range(3):
        loss(model, sampler.batch(step)).backward()  # fails if the first graph is needed again


def test_the_state_is_dropped_where_the_streams_begin_again(model, ids):
    sampler, loss = StreamSampler(ids, 2, 9), StreamLoss()
    first = loss(model, sampler.batch(0)).item()
    loss(model, sampler.batch(1))
    assert loss(model, sampler.batch(len(sampler))).item() == first


def test_nats_per_token_of_an_untrained_model_is_near_uniform(model, ids):
    model.train()
    value = nats_per_token(model, ids, streams=2, length=9)
    assert abs(value - math.log(12)) < 0.2
    assert model.training


def test_training_on_a_repeating_stream_learns_it(model):
    ids = torch.arange(4, 12).repeat(60)
    before = nats_per_token(model, ids, streams=4, length=16)
    train.fit(model, StreamLoss(), StreamSampler(ids, 4, 16), 80, lr=0.02, progress=False)
    after = nats_per_token(model, ids, streams=4, length=16)
    assert after < 0.3 < before


def test_token_nats_says_which_token_each_number_belongs_to(model, ids):
    where, nats = token_nats(model, ids, streams=3, length=8)
    assert len(set(where.tolist())) == len(where) == 3 * 8 * (66 // 8)
    logits, _ = model(ids[None, :66])
    expected = torch.nn.functional.cross_entropy(logits[0], ids[1:67], reduction="none")
    first = where <= 64  # the first stream reads from the beginning, as `expected` does
    torch.testing.assert_close(nats[first], expected[where[first] - 1])
