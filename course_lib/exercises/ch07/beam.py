"""Exercise 7.8: which finished sentence of a beam is the best."""

from __future__ import annotations

import math

import torch

from course_lib.exercises.engine.core import exercise, expect, expect_type

# --- 7.8 best_hypothesis --------------------------------------------------------------------------


@exercise(
    hints=(
        "The log-probability of a sentence is the sum over its tokens. What does every further "
        "token do to that sum?",
        "Divide each sum by its own ((5 + length) / 6) ** alpha, and take the largest quotient.",
        "The sums are negative: the best one is nearest to zero. The length is the number of "
        "tokens, and the end mark is one of them.",
    )
)
def best_hypothesis(hypotheses: list[list[float]], alpha: float) -> int:
    """The index of the best finished hypothesis of a beam, by Wu et al. (2016), equation 14.

    hypotheses: for each the log-probabilities of its tokens, end mark included. They compare by
    log P / ((5 + length) / 6) ** alpha. alpha = 0 compares plain log-probabilities.
    """
    scores = [sum(tokens) / ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.case
def an_index(answer):
    expect_type(answer([[-1.0], [-0.5]], 0.6), int, "the index")


@best_hypothesis.case
def equally_long(answer):
    found = answer([[-2.0, -0.3], [-0.4, -0.3], [-0.9, -0.1]], 0.6)
    expect(found == 1, "Of hypotheses of one length you do not take the most probable.", found)


@best_hypothesis.case
def without_a_penalty(answer):
    found = answer([[-0.5] * 4, [-0.4] * 9], 0.0)
    message = "With alpha = 0 the most probable hypothesis wins; you take another one."
    expect(found == 0, message, found)


@best_hypothesis.case
def with_a_penalty(answer):
    found = [answer(_beam(), alpha) for alpha in (0.6, 1.0)]
    expected = [best_hypothesis.answer(_beam(), alpha) for alpha in (0.6, 1.0)]
    message = "With alpha = 0.6 or 1 you take the wrong one of five hypotheses of 1 to 14 tokens."
    expect(found == expected, message, found)


def _beam() -> list[list[float]]:
    """A beam in which each wrong formula picks another one than the right formula."""
    return [[-2.0], [-0.99] * 2, [-0.43] * 6, [-0.335] * 10, [-0.305] * 14]


@best_hypothesis.mistake("an_index", says="You return the score. The index is asked for.")
def the_score(hypotheses, alpha):
    return max(sum(tokens) / ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses)


@best_hypothesis.mistake(
    "equally_long",
    says="You take the smallest score. Log-probabilities are negative: the largest is best.",
)
def the_smallest(hypotheses, alpha):
    scores = [sum(tokens) / ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(min(scores))


@best_hypothesis.mistake(
    "equally_long",
    says="You look at the last token only. A hypothesis is as probable as all its tokens together.",
)
def the_last_token(hypotheses, alpha):
    scores = [tokens[-1] / ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.mistake(
    "without_a_penalty",
    says="You divide by the length. That is what alpha = 1 comes near to; with alpha = 0 nothing "
    "is divided.",
)
def by_the_length(hypotheses, alpha):
    scores = [sum(tokens) / len(tokens) for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.mistake(
    "with_a_penalty",
    says="Nothing is divided: whatever alpha is, the shortest wins most often.",
)
def no_penalty(hypotheses, alpha):
    scores = [sum(tokens) for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.mistake(
    "with_a_penalty",
    says="You multiply by the penalty. The sums are negative, so a long hypothesis then loses "
    "twice.",
)
def multiplied(hypotheses, alpha):
    scores = [sum(tokens) * ((5 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.mistake(
    "with_a_penalty",
    says="You divide by the length to the power of alpha. The 5 in the formula makes the first "
    "tokens count less.",
)
def plain_power(hypotheses, alpha):
    scores = [sum(tokens) / len(tokens) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.mistake(
    "with_a_penalty",
    says="Your length leaves the end mark out. Its probability is in the sum, so it counts as a "
    "token.",
)
def end_mark_left_out(hypotheses, alpha):
    scores = [sum(tokens) / ((4 + len(tokens)) / 6) ** alpha for tokens in hypotheses]
    return scores.index(max(scores))


@best_hypothesis.alternative
def by_torch_argmax(hypotheses, alpha):
    logs = torch.tensor([math.fsum(tokens) for tokens in hypotheses])
    lengths = torch.tensor([float(len(tokens)) for tokens in hypotheses])
    return int((logs / ((5 + lengths) / 6).pow(alpha)).argmax())
