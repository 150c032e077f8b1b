"""The studies around the small BERT: counting, the choice of a setting, what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_lib.bert import pre_training
from course_lib.studies.ch11 import bert_counting, fill_blanks, small_bert
from course_lib.studies.ch11 import bert_pretraining as pretraining
from course_lib.studies.ch11.fill_blanks import HiddenWord
from course_lib.text.wordpiece import SPECIALS, WordPiece

PIECES = WordPiece([*SPECIALS, *"abcdefg"])


def test_counts_give_probabilities_and_know_what_followed():
    texts = [[0, 1, 2, 3], [0, 1, 2, 4], [0, 5, 2, 3]]
    contexts = ([], [0], [1, 2], [5, 2], [3, 3, 1, 2], [9, 9, 1, 2], [4])
    counts = bert_counting.Counts(texts, 6, 2, contexts)
    for context in contexts:
        assert counts.guess(context).sum() == pytest.approx(1.0)
        assert (counts.guess(context) > 0).all()
    assert counts.guess([5, 2])[3] > counts.guess([1, 2])[3]  # two neighbors tell more than one
    np.testing.assert_array_equal(counts.guess([9, 9, 1, 2]), counts.guess([1, 2]))
    one = bert_counting.Counts(texts, 6, 1, contexts)
    np.testing.assert_array_equal(one.guess([5, 2]), one.guess([1, 2]))


def test_only_what_is_asked_for_is_counted():
    texts = [[0, 1, 2, 3], [0, 1, 2, 4], [0, 5, 2, 3]]
    every = bert_counting.Counts(texts, 6, 2, [[0, 1], [1, 2], [5, 2], [0, 5]])
    few = bert_counting.Counts(texts, 6, 2, [[7, 7, 1, 2]])
    assert few.seen.keys() == {(), (2,), (1, 2)}
    np.testing.assert_array_equal(few.guess([1, 2]), every.guess([1, 2]))


def test_the_neighbors_of_a_place_stand_before_and_after_it():
    tokens, chosen = torch.tensor([[7, 1, 9, 2, 8, 0]]), torch.zeros(1, 6, dtype=torch.bool)
    chosen[0, 2] = True
    batch = pre_training.MaskedBatch(tokens, torch.zeros_like(tokens), chosen, torch.tensor([5]))
    assert bert_counting.sides(batch, 0, causal=False) == ([[7, 1]], [[8, 2]])
    assert bert_counting.sides(batch, 0, causal=True) == ([[7, 1, 9]], [[]])


def test_one_count_by_hand():
    """After 1 came 2 twice and 3 once: (2 − 0.75) / 3, and two discounts for what is behind."""
    counts = bert_counting.Counts([[1, 2], [1, 2], [1, 3]], 4, 1, [[1]])
    single = (np.array([0, 0, 2, 1]) - np.array([0, 0, 0.75, 0.75])) / 3 + 0.75 * 2 / 3 / 4
    np.testing.assert_allclose(counts.guess([]), single)
    expected = np.array([0, 0, 1.25, 0.25]) / 3 + 0.75 * 2 / 3 * single
    np.testing.assert_allclose(counts.guess([1]), expected)


def test_both_sides_joined():
    single = np.array([0.5, 0.3, 0.2])
    before, after = np.array([[0.6, 0.2, 0.2]]), np.array([[0.5, 0.3, 0.2]])
    # A side that says no more than the frequencies changes nothing.
    np.testing.assert_allclose(bert_counting.joined(before, after, single, 1.0), before)
    total, first, five = bert_counting.summary(before, np.array([0]))
    assert (total, first, five) == (pytest.approx(-np.log(0.6)), 1, 1)


def test_both_directions_read_the_same_pieces_in_the_same_order():
    texts = [
        PIECES.text(" ".join(np.random.default_rng(n).choice(list("abcdefg"), 12)))
        for n in range(90)
    ]
    masked = pretraining.sampler(texts, PIECES, 3, causal=False)
    causal = pretraining.sampler(texts, PIECES, 3, causal=True)
    for step in (0, 1, 7):
        assert masked.chosen(step) == causal.chosen(step)
    batch = masked.batch(0)
    share = batch.chosen.sum().item() / (len(batch.tokens) * 12)
    assert share == pytest.approx(pretraining.SHARE, abs=0.03)
    assert (batch.tokens[batch.chosen] == PIECES.mask).all()


def test_what_is_asked_of_held_out_texts():
    texts = [PIECES.text("a b c d e f g a b c")] * 60
    hidden = pretraining.questions(texts, PIECES, causal=False)
    assert all((batch.tokens[batch.chosen] == PIECES.mask).all() for batch in hidden)
    after = pretraining.questions(texts, PIECES, causal=True)
    assert isinstance(after[0], pre_training.MaskedBatch)
    assert (after[0].chosen.sum(1) == 11).all()  # all tokens but the last are asked for the next


def test_counting_uses_both_sides(monkeypatch):
    texts = [PIECES.text(text) for text in ("a b c", "a b c", "a d e", "f d c")]
    monkeypatch.setattr(small_bert, "training_pieces", lambda tokens, config: texts)
    known = ["b", "d"]
    for sentence, best in ((["a", "?", "c"], "b"), (["a", "?", "e"], "d"), (["f", "?", "g"], "d")):
        scores = fill_blanks.counted([HiddenWord(sentence, 1)], known, PIECES, {})
        assert known[int(scores[0].argmax())] == best


def test_ranks_and_rarer_words():
    scores = torch.tensor([[3.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    asked = [HiddenWord(["x"], 0), HiddenWord(["x"], 0)]
    found = fill_blanks.summary(scores, asked, ["x", "y", "z"], frequent=set())
    assert (found["top1"], found["top5"], found["rare_top1"]) == (0.5, 1.0, 0.5)


def test_hidden_words_are_candidates_of_test_articles():
    known = ["the", "of", "river", "city"]
    found, other = (fill_blanks.hidden_words(known, seed, 50) for seed in (0, 1))
    assert len(found) == 50 and {one.word for one in found} <= set(known)
    assert found == fill_blanks.hidden_words(known, 0, 50)
    assert [one.sentence for one in found] == [one.sentence for one in other] and found != other
