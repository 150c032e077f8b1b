"""Baselines without a network: copying, and a dictionary learned by IBM Model 1."""

import pytest

from course_lib.recurrent.word_dictionary import NOTHING, WordDictionary, copy_source

PAIRS = [
    (["the", "cat", "sleeps"], ["le", "chat", "dort"]),
    (["the", "dog", "sleeps"], ["le", "chien", "dort"]),
    (["the", "cat", "sings"], ["le", "chat", "chante"]),
    (["a", "dog", "sings"], ["un", "chien", "chante"]),
]


def test_learns_the_words_of_a_toy_corpus():
    dictionary = WordDictionary.learn(PAIRS, iterations=20)
    assert dictionary.translate(["a", "cat", "sings"]) == ["un", "chat", "chante"]


def test_source_order_is_kept():
    dictionary = WordDictionary.learn(PAIRS, iterations=20)
    assert dictionary.translate(["sings", "cat"]) == ["chante", "chat"]


def test_unknown_words_are_copied():
    assert WordDictionary.learn(PAIRS).translate(["horse"]) == ["horse"]


def test_rows_are_distributions():
    dictionary = WordDictionary.learn(PAIRS)
    for options in dictionary.probability.values():
        assert sum(options.values()) == pytest.approx(1.0)
        assert min(options.values()) >= 0
    assert NOTHING in dictionary.probability and NOTHING not in dictionary.table


def test_more_iterations_raise_the_likelihood():
    def likelihood(dictionary: WordDictionary) -> float:
        product = 1.0
        for source, target in PAIRS:
            for word in target:
                rows = [dictionary.probability[s].get(word, 0.0) for s in (NOTHING, *source)]
                product *= sum(rows) / len(rows)
        return product

    values = [likelihood(WordDictionary.learn(PAIRS, iterations=n)) for n in (1, 2, 4, 8)]
    assert values == sorted(values) and values[-1] > 1.5 * values[0]


def test_copy_is_a_new_list():
    words = ["a", "cat"]
    assert copy_source(words) == words and copy_source(words) is not words


def test_nothing_to_learn_from():
    with pytest.raises(ValueError, match="at least one sentence pair"):
        WordDictionary.learn([])


def test_a_pair_that_stands_three_times_counts_three_times():
    learned = WordDictionary.learn([(["a"], ["x"])] * 3 + [(["a"], ["y"])], iterations=1)
    assert learned.probability["a"]["x"] == pytest.approx(0.75)
