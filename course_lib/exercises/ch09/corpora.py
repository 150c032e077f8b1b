"""Exercises 9.6 and 9.7: comparing two vocabularies, and a domain corpus that is honest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from course_lib.data.reviews import Review
from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_equal,
    expect_number,
    expect_type,
)

# --- 9.6 bits_per_character -----------------------------------------------------------------------


@exercise(
    hints=(
        "How many nats does the model spend on the *whole* text? That number does not depend on "
        "how the text was cut.",
        "Then share it out over the characters, and turn nats into bits: one bit is log 2 nats.",
    )
)
def bits_per_character(nats_per_token: float, tokens: int, characters: int) -> float:
    """Turn a language model's loss into a number that does not depend on its vocabulary.

    nats_per_token: mean negative log-likelihood of a token. The text has so many tokens in the
    model's vocabulary, and so many characters.
    """
    return nats_per_token * tokens / math.log(2) / characters


@bits_per_character.case
def is_a_number(answer):
    expect_type(answer(2.0, 100, 500), (int, float), "your result")


@bits_per_character.case
def letter_by_letter(answer):
    found = answer(math.log(2), 80, 80)
    expect_number(found, 1.0, "the bits per character, where each character is a token of one bit,")


@bits_per_character.case
def vocabulary_does_not_matter(answer):
    what = "the bits per character of one text at the same total cost, cut into fewer tokens,"
    expect_number(answer(6.0, 100, 400), 6.0 * 100 / math.log(2) / 400, what)
    expect_number(answer(3.0, 200, 400), 6.0 * 100 / math.log(2) / 400, what)


@bits_per_character.mistake("is_a_number", says="Your result has the type `str`")
def as_text(nats_per_token, tokens, characters):
    return f"{bits_per_character.answer(nats_per_token, tokens, characters):.2f}"


@bits_per_character.mistake(
    "letter_by_letter", says="Your result is in nats. A fair coin has one bit, and 0.69 nats."
)
def in_nats(nats_per_token, tokens, characters):
    return nats_per_token * tokens / characters


@bits_per_character.mistake(
    "letter_by_letter",
    says="You take the perplexity, exp(loss). Perplexities cannot be shared out over characters; "
    "losses can.",
)
def of_the_perplexity(nats_per_token, tokens, characters):
    return math.exp(nats_per_token) * tokens / characters / math.log(2)


@bits_per_character.mistake(
    "vocabulary_does_not_matter",
    says="You divide by the number of tokens and multiply by the characters: the other way round.",
)
def upside_down(nats_per_token, tokens, characters):
    return nats_per_token * characters / tokens / math.log(2)


@bits_per_character.mistake(
    "vocabulary_does_not_matter",
    says="The number of characters does not enter your result: these are bits per *token*.",
)
def per_token(nats_per_token, tokens, characters):
    return nats_per_token / math.log(2)


@bits_per_character.alternative
def through_log2(nats_per_token, tokens, characters):
    bits_per_token = nats_per_token * math.log2(math.e)
    return bits_per_token / (characters / tokens)


# --- 9.7 domain_corpus ----------------------------------------------------------------------------


@exercise(
    hints=(
        "What does the model know about a test review before it meets it, if it has read another "
        "review of the same film?",
        "Compare films, not texts. Two sets of reviews are held out, not one.",
        'A review without a film, `movie == ""`, says nothing about the others: it stays, unless '
        "it is held out itself.",
    )
)
def domain_corpus(
    reviews: Sequence[Review], validation: Sequence[Review], test: Sequence[Review]
) -> list[str]:
    """The texts that a language model may read before it is tuned and tested, in their order.

    All reviews of films of which no review is in `validation` or in `test`. A review has `text`,
    `label` and `movie`; where `movie` is "", it counts as a film of its own.
    """
    held_out = {review.movie or review.text for review in [*validation, *test]}
    return [review.text for review in reviews if (review.movie or review.text) not in held_out]


def _parts() -> tuple[list[Review], list[Review], list[Review]]:
    """(all reviews, validation, test): films a to d, and two reviews without a film."""
    films = ["a", "b", "", "c", "a", "d", "b", "", "c", "d"]
    every = [
        Review(f"opinion {number} on {film or 'nothing'}", number % 2, film)
        for number, film in enumerate(films)
    ]
    return every, [every[3]], [every[1], every[7]]


@domain_corpus.case
def a_list_of_texts(answer):
    found = answer(*_parts())
    expect_type(found, list, "your result")
    expect(all(isinstance(one, str) for one in found), "The elements should be texts.", found)


@domain_corpus.case
def no_held_out_text(answer):
    every, validation, test = _parts()
    found = answer(every, validation, test)
    inside = [review.text for review in [*validation, *test] if review.text in found]
    expect(not inside, f"{len(inside)} held-out reviews are in your corpus, word for word.", found)


@domain_corpus.case
def no_held_out_film(answer):
    every, validation, test = _parts()
    found = answer(every, validation, test)
    films = {review.movie for review in [*validation, *test]} - {""}
    inside = [review.text for review in every if review.movie in films and review.text in found]
    expect(
        not inside,
        f"{len(inside)} reviews in your corpus are about films of the held-out parts.",
        found,
    )


@domain_corpus.case
def everything_else_in_its_order(answer):
    every, validation, test = _parts()
    right = domain_corpus.answer(every, validation, test)
    expect_equal(answer(every, validation, test), right, "the corpus")


@domain_corpus.mistake("a_list_of_texts", says="You return reviews with their labels. Texts only.")
def with_labels(reviews, validation, test):
    held_out = {review.movie or review.text for review in [*validation, *test]}
    return [review for review in reviews if (review.movie or review.text) not in held_out]


@domain_corpus.mistake("no_held_out_text", says="You keep everything: the test is in the corpus.")
def everything(reviews, validation, test):
    return [review.text for review in reviews]


@domain_corpus.mistake("no_held_out_text")
def test_only(reviews, validation, test):
    return domain_corpus.answer(reviews, [], test)


@domain_corpus.mistake(
    "no_held_out_film",
    says="You leave out the held-out texts, and keep other reviews of the same films. They name "
    "the same actors and quote the same scenes.",
)
def same_films(reviews, validation, test):
    held_out = {review.text for review in [*validation, *test]}
    return [review.text for review in reviews if review.text not in held_out]


@domain_corpus.mistake(
    "everything_else_in_its_order",
    says='You treat "" as one film, so a single held-out review without a film takes all others '
    "with it.",
)
def empty_is_a_film(reviews, validation, test):
    held_out = {review.movie for review in [*validation, *test]}
    return [review.text for review in reviews if review.movie not in held_out]


@domain_corpus.mistake(
    "everything_else_in_its_order",
    says="Your corpus holds fresh reviews only. Domain adaptation uses no labels.",
)
def uses_labels(reviews, validation, test):
    fresh = [review for review in reviews if review.label == 1]
    return domain_corpus.answer(fresh, validation, test)


@domain_corpus.alternative
def film_by_film(reviews, validation, test):
    corpus = []
    for review in reviews:
        others = [one for part in (validation, test) for one in part]
        if review in others or (review.movie and review.movie in {one.movie for one in others}):
            continue
        corpus.append(review.text)
    return corpus
