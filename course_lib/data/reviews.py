"""Movie-review snippets, fresh or rotten, in the tradition of Pang and Lee (2005).

12,808 one-sentence opinions on 508 films, from the archive `reviews` (with plot summaries, which
we leave out), for research use. Cleaning removes the snippets that repeat another one up to case,
punctuation and spacing, also under another film: 12,749 remain.
"""

import bz2
import csv
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from course_lib.data import archives
from course_lib.data.local import LocalFileError, read_lines
from course_lib.data.splits import Splits, TextTask, in_turn, shuffled

ROTTEN, FRESH = 0, 1
LABELS = {"rotten": ROTTEN, "fresh": FRESH, "0": ROTTEN, "1": FRESH}

# The archive lists this film under two names.
_SAME_FILM = {"the_crime_of_padre_amaro": "el_crimen_del_padre_amaro"}


class Review(NamedTuple):
    """One opinion. `label` is 0 (rotten) or 1 (fresh); `movie` may be empty in a local file."""

    text: str
    label: int
    movie: str


def load(*, path: str | Path | None = None) -> list[Review]:
    """The clean reviews, in the archive's order.

    Args:
        path: read a UTF-8 CSV file with a header instead: columns `text` and `label` (rotten,
            fresh, 0 or 1), and optionally `movie`. It is cleaned in the same way.
    """
    if path is not None:
        return clean(_load_local(path))
    file = archives.fetch("reviews") / "rotten_tomatoes_corpus_full.csv.bz2"
    found = []
    with bz2.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["category"] != "plot":
                movie = _SAME_FILM.get(row["movie_name"], row["movie_name"])
                found.append(Review(row["text"], LABELS[row["category"]], movie))
    return clean(found)


def clean(reviews: list[Review]) -> list[Review]:
    """Normalize white space; drop empty reviews and all but the first of equal ones.

    Two reviews are equal when their words are, whatever the case and punctuation.
    """
    kept, seen = [], set()
    for review in reviews:
        words = " ".join(re.findall(r"\w+", review.text.casefold()))
        if words and words not in seen:
            seen.add(words)
            kept.append(review._replace(text=" ".join(review.text.split())))
    return kept


def split(reviews: list[Review]) -> Splits[Review]:
    """Split by film, so that no film is in two parts. Test and validation are balanced.

    Films are taken in the order of a hash of their names: into test until it has 1,000 reviews of
    each label, then into validation until it has 500 of each, the others into train. What exceeds
    these numbers in a film already taken is left out. Small data sets hold out a fifth and a tenth
    of the rarer label instead. The result does not depend on the order of `reviews`, except
    that each part keeps that order.

    A review without a film counts as a film of its own.
    """
    films = defaultdict(list)
    for review in reviews:
        films[review.movie or review.text].append(review)
    fresh = sum(review.label for review in reviews)
    rarer = min(fresh, len(reviews) - fresh)
    remaining = shuffled(films, str)[::-1]  # pop() takes the lowest hash
    test = _take_balanced(films, remaining, min(1000, rarer // 5))
    validation = _take_balanced(films, remaining, min(500, rarer // 10))
    train = {review for film in remaining for review in films[film]}
    parts = (train, validation, test)
    return Splits(*([review for review in reviews if review in part] for part in parts))


def task(reviews: list[Review], seed: int) -> TextTask[Review]:
    """The protocol of chapters 09 to 11 on the parts that `split` makes.

    Validation has 500 of each label, test 1,000, `labeled` as many of each as the rarer one in
    the training films; the first n of `unlabeled` are a smaller domain corpus.
    """
    parts = split(reviews)
    drawn = shuffled(parts.train, lambda review: f"{seed} labeled {review.text}")
    labeled = in_turn(drawn, lambda review: review.label, (FRESH, ROTTEN))
    unlabeled = shuffled(parts.train, lambda review: f"{seed} unlabeled {review.text}")
    texts = [review.text for review in unlabeled]
    return TextTask(labeled, parts.validation, parts.test, texts)


def _take_balanced(
    films: dict[str, list[Review]], remaining: list[str], per_label: int
) -> set[Review]:
    pools: tuple[list[Review], list[Review]] = ([], [])
    while remaining and min(map(len, pools)) < per_label:
        for review in films[remaining.pop()]:
            pools[review.label].append(review)
    return {review for pool in pools for review in shuffled(pool, lambda one: one.text)[:per_label]}


def _load_local(path: str | Path) -> list[Review]:
    reader = csv.DictReader([line + "\n" for line in read_lines(path)], strict=True)
    found = []
    try:
        header = reader.fieldnames or ()
        if not {"text", "label"} <= set(header):
            raise csv.Error(f"expected a header with the columns text and label, found {header}")
        for row in reader:
            if None in row or None in row.values():
                raise csv.Error(
                    f"expected {len(header)} fields as in the header; put "
                    '"quotes" around a text that has commas'
                )
            if (label := LABELS.get(row["label"].strip().lower())) is None:
                raise csv.Error(f"the label {row['label']!r} is none of {', '.join(LABELS)}")
            found.append(Review(row["text"], label, row.get("movie", "").strip()))
    except csv.Error as error:
        raise LocalFileError(path, reader.reader.line_num, str(error)) from None
    return found
