"""Reviews: counts, cleaning, film-disjoint and balanced parts."""

import random
import re
from collections import Counter
from itertools import combinations

import pytest

from course_lib.data import reviews
from course_lib.data.reviews import FRESH, ROTTEN, Review


def labels(part: list[Review]) -> Counter:
    return Counter(review.label for review in part)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def test_counts_and_no_empty_or_repeated_review(opinions):
    assert len(opinions) == 12_749 and labels(opinions) == {FRESH: 7_367, ROTTEN: 5_382}
    assert len({review.movie for review in opinions}) == 507
    known = {tuple(words(review.text)) for review in opinions}
    assert len(known) == len(opinions) and () not in known


def test_clean():
    rows = [
        Review("A  pretentious\nmess.", ROTTEN, "a"),
        Review(" ... ", FRESH, "a"),
        Review("a pretentious mess", ROTTEN, "b"),
        Review("", FRESH, "c"),
    ]
    assert reviews.clean(rows) == [Review("A pretentious mess.", ROTTEN, "a")]


def test_parts_are_apart_by_film_balanced_and_fixed(opinions):
    splits = reviews.split(opinions)
    films = [{review.movie for review in part} for part in splits]
    assert not any(one & other for one, other in combinations(films, 2))
    assert labels(splits.test) == {FRESH: 1000, ROTTEN: 1000}
    assert labels(splits.validation) == {FRESH: 500, ROTTEN: 500}
    assert len(splits.train) == 9_409
    mixed = random.Random(0).sample(opinions, len(opinions))
    assert list(map(sorted, reviews.split(mixed))) == list(map(sorted, splits))


def test_no_long_run_of_words_is_shared_between_parts(opinions):
    """What two parts share are stock phrases ("I can't remember the last time I saw"). One test
    review in 2,000 repeats ten words of a training review."""

    def ten_words(review: Review) -> set[tuple[str, ...]]:
        there = words(review.text)
        return {tuple(there[i : i + 10]) for i in range(len(there) - 9)}

    runs = [[ten_words(review) for review in part] for part in reviews.split(opinions)]
    known = [set().union(*part) for part in runs]
    assert sum(bool(review & known[0]) for review in runs[2]) <= 1
    assert not known[1] & (known[0] | known[2])


def test_task(opinions):
    task, other = (reviews.task(opinions, seed) for seed in (0, 1))
    parts = reviews.split(opinions)
    assert task.test == other.test == parts.test
    assert task.validation == other.validation == parts.validation
    assert len(task.labeled) >= 5000 and len(set(task.labeled)) == len(task.labeled)
    for size in (50, 100, 200, 500, 1000, 5000):  # nested and balanced
        assert sum(review.label for review in task.labeled[:size]) == size / 2
    assert len(set(task.labeled[:100]) & set(other.labeled[:100])) < 10
    assert reviews.task(random.Random(0).sample(opinions, len(opinions)), 0).labeled == task.labeled
    assert set(task.labeled) <= set(parts.train)
    # Domain text: all training films and nothing else.
    assert sorted(task.unlabeled) == sorted(review.text for review in parts.train)
    assert task.unlabeled != other.unlabeled


@pytest.mark.parametrize("rarer", [FRESH, ROTTEN])
def test_small_data_without_films_is_split_too(rarer):
    rows = [Review(f"text {i}", rarer if i % 3 == 0 else 1 - rarer, "") for i in range(300)]
    splits = reviews.split(rows)
    assert labels(splits.test) == {FRESH: 20, ROTTEN: 20}
    assert labels(splits.validation) == {FRESH: 10, ROTTEN: 10}
    assert len(splits.train) > 150 and not set(splits.train) & set(splits.test)
