"""Which sentence comes first: pairs as in the articles, balanced, nested, and apart by article."""

from collections import Counter

import pytest

from course_lib.data import sentence_order, wikipedia
from course_lib.data.sentence_order import IN_ORDER, SWAPPED, neighbors


@pytest.fixture(scope="module")
def task(articles):
    return sentence_order.task(articles["english"], 0)


def test_pairs_stand_in_their_article_as_the_label_says(articles, task):
    texts = {article.title: article.text for article in articles["english"]}
    for pair in (*task.labeled[:500], *task.test):
        earlier, later = pair[:2] if pair.label == IN_ORDER else pair[1::-1]
        assert f"{earlier} {later}" in texts[pair.title]
        assert all(5 <= len(sentence.split()) <= 40 for sentence in (earlier, later))


def test_parts_are_balanced_and_no_article_is_in_two(articles, task):
    train, validation, test = wikipedia.split(articles["english"])
    for part, of in ((task.labeled, train), (task.validation, validation), (task.test, test)):
        assert {pair.title for pair in part} <= {article.title for article in of}
    assert len({pair.title for pair in task.labeled}) == len(task.labeled)
    for n in (100, 500, 5000, len(task.labeled)):
        assert Counter(pair.label for pair in task.labeled[:n]) == {0: n // 2, 1: n // 2}
    for part in (task.validation, task.test):  # there a pair comes in both orders
        orders = {label: {p[:2] for p in part if p.label == label} for label in (SWAPPED, IN_ORDER)}
        assert orders[SWAPPED] == {pair[::-1] for pair in orders[IN_ORDER]}
        assert len(part) > 1_200
        assert max(Counter(pair.title for pair in part).values()) == 8


def test_the_seed_draws_the_labeled_pairs_only(articles):
    some = articles["english"][::5]
    task, other = (sentence_order.task(some, seed) for seed in (0, 1))
    assert other[1:] == task[1:]
    assert other.labeled != task.labeled and len(other.labeled) == len(task.labeled)
    assert {p.title for p in other.labeled[:100]} != {p.title for p in task.labeled[:100]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("There is only one sentence here.", []),
        ("One two three four five. A b c d e. F g h i j.", [(0, 1)]),
        ("One two three four five. Too short. F g h i j. K l m n o.", [(2, 3)]),
        ("One two three four five. A b c d e. F g h i j. K l m n o.", [(0, 1), (2, 3)]),
    ],
)
def test_neighbors_do_not_overlap_or_skip(text, expected):
    there = wikipedia.sentences(text)
    assert neighbors(text) == [(there[a], there[b]) for a, b in expected]
