"""Streams of text: how texts are joined, and which number belongs to which token."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.recurrent.streams import join, nats_per_token, scored_places, token_nats
from course_lib.text.words import Specials, WordTokenizer


@pytest.fixture
def model():
    torch.manual_seed(0)
    return RNNLanguageModel(RNNLanguageModelConfig.tiny(12, "lstm"))


@pytest.fixture
def ids():
    return torch.randint(4, 12, (200,), generator=torch.Generator().manual_seed(1))


def test_join_marks_every_text():
    tokenizer = WordTokenizer.train(["a b"])
    a, b = tokenizer.encode("a b")
    assert join(["a b", "b"], tokenizer).tolist() == [1, a, b, 2, 1, b, 2]
    tokenizer.specials = Specials(None, None, 9)  # a vocabulary that knows an end only
    assert join(["a b", "b"], tokenizer).tolist() == [a, b, 9, b, 9]
    with pytest.raises(ValueError, match="at least one text"):
        join([], tokenizer)


def test_nats_per_token_of_an_untrained_model_is_near_uniform(model, ids):
    model.train()
    value = nats_per_token(model, ids, streams=2, length=9)
    assert abs(value - math.log(12)) < 0.2
    assert model.training


def test_token_nats_says_which_token_each_number_belongs_to(model, ids):
    nats = token_nats(model, ids, streams=3, length=8)
    where = scored_places(len(ids), streams=3, length=8)
    assert len(set(where.tolist())) == len(where) == 3 * 8 * (66 // 8)
    for stream in range(3):  # each of them reads 64 of 66 tokens, from the start with no state
        begin = 66 * stream
        own = (where > begin) & (where <= begin + 64)
        logits, _ = model(ids[None, begin : begin + 64])
        expected = cross_entropy(logits[0], ids[begin + 1 : begin + 65], reduction="none")
        torch.testing.assert_close(nats[own], expected[where[own] - 1 - begin])
    assert nats_per_token(model, ids, streams=3, length=8) == pytest.approx(nats.mean().item())


def test_sixteen_streams_in_pieces_of_64_unless_told_otherwise(model):
    ids = torch.randint(4, 12, (1200,))
    assert torch.equal(token_nats(model, ids), token_nats(model, ids, 16, 64))
    assert torch.equal(scored_places(1200), scored_places(1200, 16, 64))
    assert nats_per_token(model, ids) == nats_per_token(model, ids, 16, 64)
