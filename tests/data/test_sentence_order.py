"""Which sentence comes first: pairs as in the articles, balanced, nested, and apart by article."""

from collections import Counter

import pytest

from course_lib.data import sentence_order, wikipedia
from course_lib.data.sentence_order import IN_ORDER, SWAPPED, neighbors


@pytest.fixture(scope="module")
def articles():
    return wikipedia.load()


@pytest.fixture(scope="module")
def task(articles):
    return sentence_order.task(articles, 0)


def test_pairs_stand_in_their_article_as_the_label_says(articles, task):
    texts = {article.title: article.text for article in articles}
    for pair in (*task.labeled[:500], *task.test):
        earlier, later = pair[:2] if pair.label == IN_ORDER else pair[1::-1]
        assert f"{earlier} {later}" in texts[pair.title]
        assert all(5 <= len(sentence.split()) <= 40 for sentence in (earlier, later))


def test_no_article_is_in_two_parts(articles, task):
    parts = wikipedia.split(articles)
    for part, of in zip(task, parts, strict=True):
        assert {pair.title for pair in part} <= {article.title for article in of}
    assert len({pair.title for pair in task.labeled}) == len(task.labeled)


def test_every_set_of_even_size_is_balanced(task):
    for n in (100, 500, 5000, len(task.labeled)):
        assert Counter(pair.label for pair in task.labeled[:n]) == {0: n // 2, 1: n // 2}


def test_held_out_pairs_come_in_both_orders(task):
    for part in task[1:]:
        orders = {label: {p[:2] for p in part if p.label == label} for label in (SWAPPED, IN_ORDER)}
        assert orders[SWAPPED] == {pair[::-1] for pair in orders[IN_ORDER]}
        assert len(part) > 1_200
        assert max(Counter(pair.title for pair in part).values()) == 2 * sentence_order.PAIRS


def test_the_seed_draws_the_labeled_pairs_only(articles, task):
    other = sentence_order.task(articles, 1)
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
