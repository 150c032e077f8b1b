"""Baselines without a network: copying, and a dictionary learned by IBM Model 1."""

import pytest

from course_lib.recurrent.word_dictionary import NOTHING, WordDictionary, copy_source

PAIRS = [
    (["the", "cat", "sleeps"], ["le", "chat", "dort"]),
    (["the", "dog", "sleeps"], ["le", "chien", "dort"]),
    (["the", "cat", "sings"], ["le", "chat", "chante"]),
    (["a", "dog", "sings"], ["un", "chien", "chante"]),
]


def test_learns_the_words_of_a_toy_corpus_and_keeps_their_order():
    dictionary = WordDictionary.learn(PAIRS, iterations=20)
    assert dictionary.translate(["a", "cat", "sings"]) == ["un", "chat", "chante"]
    assert dictionary.translate(["sings", "horse", "cat"]) == ["chante", "horse", "chat"]
    assert NOTHING in dictionary.probability and NOTHING not in dictionary.table


def test_two_rounds_by_hand():
    """Round 1: a word is shared equally by nothing and the source. "a" gets x three times ½ and
    half of y, that is ¾ and ¼. Round 2: the same shares again, weighed by those numbers."""
    pairs = [(["a"], ["x"])] * 3 + [(["a", "b"], ["y"])]
    once = WordDictionary.learn(pairs, iterations=1).probability
    assert once["a"] == pytest.approx({"x": 1.5 / (1.5 + 1 / 3), "y": (1 / 3) / (1.5 + 1 / 3)})
    assert once["b"] == {"y": 1.0}
    twice = WordDictionary.learn(pairs, iterations=2).probability
    y = once["a"]["y"] / (once[NOTHING]["y"] + once["a"]["y"] + once["b"]["y"])
    assert twice["a"] == pytest.approx({"x": 1.5 / (1.5 + y), "y": y / (1.5 + y)})


def test_ties_go_to_the_first_in_the_alphabet():
    learned = WordDictionary.learn([(["a"], ["y", "x"])])
    assert learned.table == {"a": "x"}
    assert len(WordDictionary.learn(PAIRS).probability) == 7  # 5 rounds unless told otherwise
    assert WordDictionary.learn(PAIRS).probability == (
        WordDictionary.learn(iter(PAIRS), iterations=5).probability
    )


def test_copy_is_a_new_list():
    words = ["a", "cat"]
    assert copy_source(words) == words and copy_source(words) is not words


def test_nothing_to_learn_from():
    with pytest.raises(ValueError, match="at least one sentence pair"):
        WordDictionary.learn([])
