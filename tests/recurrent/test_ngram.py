"""The counting language model: probabilities that sum to one and move with the context."""

import math

import pytest

from course_lib.recurrent.ngram import NGram

TEXT = [0, 1, 2, 0, 1, 3, 0, 1, 2, 4, 0, 2, 1, 0, 1, 2]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("context", [(), (0,), (0, 1), (3, 0, 1), (4, 4, 4), (5, 0, 1)])
def test_probabilities_sum_to_one(order, context):
    model = NGram(order, vocabulary=7).fit(TEXT)
    total = sum(model.probability(token, context) for token in range(7))
    assert math.isclose(total, 1, rel_tol=1e-12)
    assert min(model.probability(token, context) for token in range(7)) > 0


def test_unigram_by_hand():
    model = NGram(1, vocabulary=4, discount=0.5).fit([0, 0, 0, 1])
    # (3 - 0.5) / 4 and the rest, 0.5 * 2 / 4, spread over four tokens
    assert model.probability(0) == pytest.approx(2.5 / 4 + 0.25 / 4)
    assert model.probability(3) == pytest.approx(0.25 / 4)


def test_a_lower_order_counts_different_neighbours_not_occurrences():
    # Token 9 occurs often, but always after 8; token 5 occurs after three different tokens.
    text = [8, 9] * 10 + [1, 5, 2, 5, 3, 5]
    model = NGram(2, vocabulary=10).fit(text)
    assert model.probability(5, (7,)) > model.probability(9, (7,))
    assert model.probability(9, (8,)) > 0.8


def test_context_helps_where_the_text_repeats():
    text = TEXT * 20
    scores = [NGram(n, 7).fit(text).nats_per_token(text) for n in (1, 2, 3)]
    assert scores[0] > scores[1] > scores[2]


def test_unknown_ids_are_refused():
    with pytest.raises(ValueError, match="outside 0 to 4"):
        NGram(2, 5).fit([1, 2, 3]).probability(5)
