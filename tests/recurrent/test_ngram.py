"""The counting language model: probabilities that sum to one and move with the context."""

import math

import pytest
import torch

from course_lib.recurrent.ngram import NGram

TEXT = [0, 1, 2, 0, 1, 3, 0, 1, 2, 4, 0, 2, 1, 0, 1, 2]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("context", [(), (0,), (0, 1), (3, 0, 1), (4, 4, 4), (5, 0, 1)])
def test_probabilities_sum_to_one(order, context):
    model = NGram(order, vocabulary=7).fit(TEXT)
    found = [model.probability(token, context) for token in range(7)]
    assert math.isclose(sum(found), 1, rel_tol=1e-12) and min(found) > 0
    last = context[max(0, len(context) - order + 1) :]
    assert found == [model.probability(token, last) for token in range(7)]  # and no more is read


def test_by_hand():
    model = NGram(1, vocabulary=4, discount=0.5).fit([0, 0, 0, 1])
    # (3 - 0.5) / 4 and the rest, 0.5 * 2 / 4, spread over four tokens
    assert model.probability(0) == pytest.approx(2.5 / 4 + 0.25 / 4)
    assert model.probability(3) == pytest.approx(0.25 / 4)
    # Pairs 01, 10, 01, 12. Below, 0 and 2 follow one token each and 1 too: (1 - ¾) / 3, and the
    # rest, ¾, spread over four. After 1 come 0 and 2: ¼ / 2, and the rest, ¾, times what is below.
    model = NGram(2, vocabulary=4).fit([0, 1, 0, 1, 2])
    below = 0.25 / 3 + 0.75 / 4
    assert model.probability(2, (1,)) == pytest.approx(0.25 / 2 + 0.75 * below)
    # After 0 always comes 1: (2 - ¾) / 2, and ¾ / 2 of what is below.
    assert model.probability(1, (0,)) == pytest.approx(1.25 / 2 + 0.375 * below)


def test_nats_of_every_token_but_the_first():
    text = TEXT * 20
    models = [NGram(n, 7).fit(text) for n in (1, 2, 3)]
    scores = [model.nats_per_token(text) for model in models]
    assert scores[0] > scores[1] > scores[2]
    nats = models[2].token_nats(TEXT)
    expected = [-math.log(models[2].probability(TEXT[i], TEXT[:i])) for i in range(1, len(TEXT))]
    torch.testing.assert_close(nats, torch.tensor(expected, dtype=torch.double))
    assert models[2].nats_per_token(TEXT) == pytest.approx(sum(expected) / len(expected))


@pytest.mark.parametrize("token", [-1, 5])
def test_unknown_ids_are_refused(token):
    with pytest.raises(ValueError, match="outside 0 to 4"):
        NGram(2, 5).fit([1, 2, 3]).probability(token)
