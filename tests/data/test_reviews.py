"""Reviews: counts, cleaning, film-disjoint and balanced parts."""

import random
import re
from collections import Counter

import pytest

from course_lib.data import reviews
from course_lib.data.reviews import FRESH, ROTTEN, Review


@pytest.fixture(scope="module")
def loaded() -> list[Review]:
    return reviews.load()


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def test_counts(loaded):
    assert len(loaded) == 12_749
    assert Counter(review.label for review in loaded) == {FRESH: 7_367, ROTTEN: 5_382}
    assert len({review.movie for review in loaded}) == 507


def test_no_empty_and_no_repeated_review(loaded):
    assert all(words(review.text) for review in loaded)
    assert len({words(review.text) for review in loaded}) == len(loaded)


def test_clean():
    rows = [
        Review("A  pretentious\nmess.", ROTTEN, "a"),
        Review(" ... ", FRESH, "a"),
        Review("a pretentious mess", ROTTEN, "b"),
        Review("", FRESH, "c"),
    ]
    assert reviews.clean(rows) == [Review("A pretentious mess.", ROTTEN, "a")]


def test_no_film_is_in_two_parts(loaded):
    films = [{review.movie for review in part} for part in reviews.split(loaded)]
    assert not films[0] & films[1] and not films[0] & films[2] and not films[1] & films[2]
    assert all(len(part) > 30 for part in films)


def test_test_and_validation_are_balanced_and_fixed(loaded):
    splits = reviews.split(loaded)
    assert Counter(review.label for review in splits.test) == {FRESH: 1000, ROTTEN: 1000}
    assert Counter(review.label for review in splits.validation) == {FRESH: 500, ROTTEN: 500}
    assert len(splits.train) == 9_409
    shuffled = random.Random(0).sample(loaded, len(loaded))
    for part, again in zip(splits, reviews.split(shuffled), strict=True):
        assert sorted(part) == sorted(again)


def test_no_long_run_of_words_is_shared_between_parts(loaded):
    """What two parts share are stock phrases ("I can't remember the last time I saw"). One test
    review in 2,000 repeats ten words of a training review."""
    runs = [[ten_words(review) for review in part] for part in reviews.split(loaded)]
    known = [set().union(*part) for part in runs]
    assert sum(bool(review & known[0]) for review in runs[2]) <= 1
    assert not any(review & known[0] for review in runs[1])
    assert not any(review & known[1] for review in runs[2])


def ten_words(review: Review) -> set[tuple[str, ...]]:
    there = words(review.text).split()
    return {tuple(there[i : i + 10]) for i in range(len(there) - 9)}


@pytest.fixture(scope="module")
def task(loaded) -> reviews.ReviewTask:
    return reviews.task(loaded, 0)


def test_task_has_the_fixed_parts_whatever_the_seed(loaded, task):
    other, parts = reviews.task(loaded, 1), reviews.split(loaded)
    assert task.test == other.test == parts.test
    assert task.validation == other.validation == parts.validation


def test_labeled_sets_are_nested_balanced_and_drawn_by_the_seed(loaded, task):
    assert len(task.labeled) >= 5000 and len(set(task.labeled)) == len(task.labeled)
    for size in (50, 100, 200, 500, 1000, 5000):
        assert sum(review.label for review in task.labeled[:size]) == size / 2
    other = reviews.task(loaded, 1)
    shared = set(task.labeled[:100]) & set(other.labeled[:100])
    assert len(shared) < 10
    shuffled = random.Random(0).sample(loaded, len(loaded))
    assert reviews.task(shuffled, 0).labeled == task.labeled


def test_domain_text_is_all_training_films_and_nothing_else(loaded, task):
    train = reviews.split(loaded).train
    assert sorted(task.unlabeled) == sorted(review.text for review in train)
    assert set(task.labeled) <= set(train)
    held_out = {words(review.text) for review in task.validation + task.test}
    assert not held_out & {words(text) for text in task.unlabeled}
    films = {review.movie for review in task.validation + task.test}
    assert not films & {review.movie for review in train}
    assert task.unlabeled != reviews.task(loaded, 1).unlabeled


def test_small_data_without_films_is_split_too():
    rows = [Review(f"text {i}", i % 3 == 0, "") for i in range(300)]
    splits = reviews.split(rows)
    assert Counter(review.label for review in splits.test) == {FRESH: 20, ROTTEN: 20}
    assert Counter(review.label for review in splits.validation) == {FRESH: 10, ROTTEN: 10}
    assert len(splits.train) > 150 and not set(splits.train) & set(splits.test)
