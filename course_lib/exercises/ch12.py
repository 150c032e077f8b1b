"""Exercises of chapter 12: intervals, verdicts, and what a test set is for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_number, say

# --- 12.1 t_interval ------------------------------------------------------------------------------


@exercise(
    hints=(
        "How far does *one* run lie from the mean, typically? And the mean of N runs?",
        "The standard deviation of a sample divides by N − 1; `std` does so unless told otherwise.",
        "The half width is `t` times that standard deviation, over the square root of N.",
    )
)
def t_interval(values: Tensor, t: float) -> Tensor:
    """Mean, low end and high end of Student's t interval, shape (3,).

    values: (N,), one number for each seed; t: the quantile of Student's t with N − 1 degrees of
    freedom, 2.776 for five seeds and 95%.
    """
    half = t * values.std() / len(values) ** 0.5
    return torch.stack([values.mean(), values.mean() - half, values.mean() + half])


@t_interval.same_as_answer(see=lambda ends: ends[[0]] if ends.shape == (3,) else ends)
def mean_stands_first():
    yield 60 + 5 * torch.randn(6), 2.571


@t_interval.same_as_answer()
def ends_of_the_interval():
    yield 60 + 5 * torch.randn(5), 2.776
    yield -3 * torch.rand(9) ** 4, 2.306
    yield torch.randn(2) + 7, 12.71


t_interval.mistake(
    "mean_stands_first",
    "The first number is the mean, not an end.",
    "[values.mean(), values.mean() - half, -> [values.mean() - half, values.mean(),",
)
t_interval.mistake(
    "ends_of_the_interval",
    "Your interval says where one run lies. More runs tell the *mean* more exactly.",
    "/ len(values) ** 0.5 -> ",
)
t_interval.mistake(
    "ends_of_the_interval",
    "You divide the squares by N. With five runs that makes them look a tenth closer together "
    "than they are.",
    "std() -> std(correction=0)",
)

# --- 12.2 paired_gain -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Both models were trained with the same seeds: run 3 of one and run 3 of the other had "
        "the same sentences in the same order. What do you know for each seed?",
        "Take the difference for each seed first. What is left is one row of numbers.",
    )
)
def paired_gain(a: Tensor, b: Tensor, t: float) -> Tensor:
    """What a gains over b, and the half width of its t interval, seed by seed: shape (2,).

    a, b: (N,), the scores of two models; place i of both belongs to one seed.
    """
    gains = a - b
    return torch.stack([gains.mean(), t * gains.std() / len(gains) ** 0.5])


def _pair(seeds: int) -> tuple[Tensor, Tensor]:
    luck = 5 * torch.randn(seeds)  # what a seed does to both models alike
    return 62 + luck + torch.randn(seeds), 60 + luck + torch.randn(seeds)


@paired_gain.same_as_answer("the gain", see=lambda both: both[[0]] if both.shape == (2,) else both)
def gain_with_its_sign():
    yield *_pair(6), 2.571
    a, b = _pair(5)
    yield b, a, 2.776


@paired_gain.same_as_answer("your result")
def half_width_seed_by_seed():
    yield *_pair(5), 2.776
    yield *_pair(12), 2.201
    a = torch.tensor([60.0, 61.0, 62.0, 63.0])  # better with one seed, worse with the others
    yield a, torch.tensor([61.0, 62.5, 60.0, 65.0]), 3.182


paired_gain.mistake(
    "gain_with_its_sign",
    "A seed with which b is better counts against a: keep signs.",
    "a - b -> (a - b).abs()",
)
paired_gain.mistake(
    "half_width_seed_by_seed",
    "You treat the two as strangers. A seed that is easy is easy for both, and the difference "
    "within a seed does not feel it.",
    "gains.std() -> (a.var() + b.var()).sqrt()",
)
paired_gain.mistake(
    "half_width_seed_by_seed",
    "Your half width is that of a single gain, not of their mean.",
    "/ len(gains) ** 0.5 -> ",
)

# --- 12.3 bootstrap_gain --------------------------------------------------------------------------


@exercise(
    hints=(
        "One trained model each, one test set. What could have come out otherwise is which "
        "sentences the test has.",
        "Draw sentences, and take both systems' scores of the *same* drawn sentences.",
        "`values[draws]` has the shape (R, N): which axis is the sentences'?",
    )
)
def bootstrap_gain(a: Tensor, b: Tensor, draws: Tensor, confidence: float = 0.95) -> Tensor:
    """Low and high end of the bootstrap interval of what a gains over b on average, shape (2,).

    a, b: (N,), the scores of two systems on the same N sentences; draws: (R, N), indices of
    sentences, drawn with replacement.
    """
    gains = (a - b)[draws].mean(dim=1)
    ends = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2])
    return gains.quantile(ends)


def _sentences(count: int = 40, rounds: int = 200) -> tuple[Tensor, Tensor, Tensor]:
    b = torch.rand(count)
    return b + 0.1 * torch.rand(count), b, torch.randint(count, (rounds, count))


@bootstrap_gain.case
def a_system_gains_nothing_over_itself(answer):
    a, _, draws = _sentences()
    ends = answer(a, a, draws)
    reach = ends.abs().max().item()
    expect(
        reach < 1e-6,
        say(
            "Beside itself a system has a gain of 0, whatever is drawn; yours goes to {reach:.2g}.",
            reach=reach,
        ),
        ends,
    )


@bootstrap_gain.same_as_answer("your interval")
def ends_at_each_confidence():
    yield _sentences()
    yield *_sentences(31, 300), 0.5
    yield *_sentences(25, 90), 0.99


bootstrap_gain.mistake(
    "a_system_gains_nothing_over_itself",
    "You draw other sentences for each system. Then a lucky draw of easy sentences looks like a "
    "better system.",
    "(a - b)[draws].mean(dim=1) -> a[draws].mean(dim=1) - b[draws.flip(0)].mean(dim=1)",
)
bootstrap_gain.mistake(
    "ends_at_each_confidence",
    "The tails outside the interval share 1 − confidence, half on either side.",
    "(1 - confidence) / 2, (1 + confidence) / 2 -> confidence / 2, 1 - confidence / 2",
)
bootstrap_gain.mistake(
    "ends_at_each_confidence",
    "You average over the draws. Each draw is a test set of its own, with a mean of its own.",
    "dim=1 -> dim=0",
)

# --- 12.4 verdict ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Draw the interval and zero on paper. On which side is the claim?",
        "The strongest verdict needs the *whole* interval on the side of the claim.",
        "About equal: the interval of the difference must fit between −margin and margin. That it "
        "holds zero says only that you do not know the sign.",
    )
)
def verdict(mean: float, low: float, high: float, margin: float | None = None) -> str:
    """ "reproduced", "direction only" or "not reproduced", by the rule of the ledger.

    mean, low, high: of a difference, with its interval; positive means as claimed. With a margin,
    the claim is that two quantities are about equal: they differ by less than the margin.
    """
    if margin is None:
        shown, leaning = low > 0, mean > 0
    else:
        shown, leaning = -margin < low and high < margin, -margin < mean < margin
    return "reproduced" if shown else "direction only" if leaning else "not reproduced"


@verdict.same_as_answer("your verdict")
def which_side_of_zero():
    yield 1.0, 0.5, 1.5
    yield -1.0, -1.5, -0.5
    yield -0.2, -2.0, 1.6
    yield 1.0, 0.2, 4.0  # not symmetric: of a bootstrap, say


@verdict.same_as_answer("your verdict")
def an_interval_that_holds_zero():
    yield 0.2, -3.0, 3.4
    yield 1.0, 0.0, 2.0  # on the boundary: not wholly above zero
    yield 1.0, -0.5, 1.2
    yield 0.0, -1.0, 1.0


@verdict.same_as_answer("your verdict")
def about_equal():
    yield 0.4, 0.2, 0.6, 1.0  # differs clearly, by less than matters
    yield -0.3, -0.8, 0.2, 1.0
    yield 0.1, -4.0, 4.2, 1.0
    yield 0.8, -0.2, 1.8, 1.0
    yield 0.3, 0.1, 0.7, 0.5
    yield -0.3, -0.7, -0.1, 0.5
    yield -0.8, -1.8, 0.2, 1.0
    yield 3.4, 2.0, 4.8, 2.5
    yield -3.4, -4.8, -2.0, 2.5


@verdict.same_as_answer("your verdict")
def exactly_the_margin():
    yield 0.5, 0.0, 1.0, 1.0
    yield -0.5, -1.0, 0.0, 1.0
    yield 1.0, 0.5, 1.5, 1.0
    yield -1.0, -1.5, -0.5, 1.0


verdict.mistake(
    "an_interval_that_holds_zero",
    "You look at the mean alone. The interval says that it could as well be below zero.",
    "shown, leaning = low > 0, -> shown, leaning = mean > 0,",
)
verdict.mistake(
    "which_side_of_zero",
    "The interval is clear of zero, but on the other side: a clear result against the claim.",
    "shown, leaning = low > 0, -> shown, leaning = low > 0 or high < 0,",
)
verdict.mistake(
    "about_equal",
    "Two quantities may differ clearly and by less than anybody minds. The margin says how much "
    "matters; zero has no part in it.",
    "-margin < low and high < margin, -> low < 0 < high,",
)
verdict.mistake(
    "about_equal",
    "The mean lies within the margin, the interval does not: a difference that matters may still "
    "be there. A wide interval around zero is ignorance, not equality.",
    "-margin < low and high < margin, -> abs(mean) < margin,",
)

# --- 12.5 choose_and_report -----------------------------------------------------------------------


@exercise(
    hints=(
        "Which of the two functions has been looked at before the choice is made?",
        "Choose with `validate`, for all rates. Only then ask `test`, and only for the chosen one.",
    )
)
def choose_and_report(
    rates: Sequence[float], validate: Callable[[float], float], test: Callable[[float], float]
) -> tuple[float, float]:
    """The chosen rate, and the score to report for it.

    validate, test: train with a rate and give the score on the validation or the test set; more
    is better.
    """
    chosen = max(rates, key=validate)
    return chosen, test(chosen)


class _Exam:
    """Scores on the two sets, which do not agree about the best rate, and who asked for them."""

    def __init__(self, validation: dict[float, float], test: dict[float, float]) -> None:
        self.rates, self.on = list(validation), (validation, test)
        self.asked: tuple[list[float], list[float]] = ([], [])

    def ask(self, which: int, rate: float) -> float:
        self.asked[which].append(rate)
        return self.on[which][rate]

    def sit(self, answer) -> tuple:
        """The answer as rate and score, and the rates for which the test set was asked."""
        found = answer(self.rates, lambda rate: self.ask(0, rate), lambda rate: self.ask(1, rate))
        expect(
            isinstance(found, (tuple, list)) and len(found) == 2,
            "Give two things: the rate that you choose, and the score to report for it.",
            found,
        )
        unknown = say("`{rate!r}` is none of the rates.", rate=found[0])
        expect(found[0] in self.rates, unknown, found)
        return *found, self.asked[1]


def _exams() -> list[_Exam]:
    """The best rate in the middle, first and last; below zero as well."""
    scores = torch.rand(3, 2).tolist()
    return [
        _Exam(
            {0.1: 0.7, 0.3: 0.81, 1.0: 0.78, 3.0: 0.4}, {0.1: 0.68, 0.3: 0.76, 1.0: 0.79, 3.0: 0.4}
        ),
        _Exam({2.0: -3.0, 5.0: -2.0 + scores[0][0]}, {2.0: -2.0, 5.0: -4.0 + scores[0][1]}),
        _Exam({0.01: 0.9, 0.02: 0.2}, {0.01: 0.5, 0.02: 0.6 + scores[1][1]}),
        _Exam({1.0: 0.5, 0.1: 0.4, 0.2: 0.3, 3.0: 0.9}, {1.0: 0.5, 0.1: 0.6, 0.2: 0.7, 3.0: 0.4}),
    ]


@choose_and_report.case
def chosen_on_the_validation_set(answer):
    for exam in _exams():
        rate, *_ = exam.sit(answer)
        expect_number(
            rate, max(exam.rates, key=exam.on[0].__getitem__), "the rate you choose", rtol=0
        )


@choose_and_report.case
def test_set_is_asked_once(answer):
    for exam in _exams():
        *_, asked = exam.sit(answer)
        message = say(
            "The test set was asked {count} times. Once, for the chosen rate, is enough.",
            count=len(asked),
        )
        expect(len(asked) == 1, message, asked)


@choose_and_report.case
def reported_from_the_test_set(answer):
    for exam in _exams():
        rate, score, _ = exam.sit(answer)
        expect_number(score, exam.on[1][rate], "the score you report")


choose_and_report.mistake(
    "chosen_on_the_validation_set",
    "The rate is chosen by its test score. Then the score is the best of several, picked because "
    "it is high: no new data was ever asked.",
    "key=validate -> key=test",
)
choose_and_report.mistake(
    "test_set_is_asked_once",
    "The choice is right. But all rates have been tried on the test set, and somebody will look.",
    "test(chosen) -> {rate: test(rate) for rate in rates}[chosen]",
)
choose_and_report.mistake(
    "reported_from_the_test_set",
    "You report the score by which you chose. Being the largest of several, it is too good.",
    "test(chosen) -> (test(chosen), validate(chosen))[1]",
)

# --- 12.6 score_at_cost ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Put the points in the order of their costs. Between which two does the budget lie?",
        "How far along the way is the budget, from 0 to 1, in *logarithms* of the cost?",
        "`math.log(budget / left) / math.log(right / left)` is that share. Beyond either end there "
        "is nothing to walk on: raise a ValueError.",
    )
)
def score_at_cost(costs: Sequence[float], scores: Sequence[float], budget: float) -> float:
    """The score at a given cost, read off the curve through trained models.

    costs, scores: one for each model, in any order. Between two neighbors the curve is straight
    over the logarithm of the cost. Outside the costs there is no curve: raise ValueError.
    """
    points = sorted(zip(costs, scores, strict=True))
    for (left, low), (right, high) in zip(points, points[1:], strict=False):
        if left <= budget <= right:
            share = math.log(budget / left) / math.log(right / left)
            return low + share * (high - low)
    raise ValueError(f"no model has cost {budget}")


@score_at_cost.same_as_answer("the score")
def between_two_models():
    yield [10.0, 40.0, 80.0], [0.2, 0.8, 0.9], 20.0
    yield [3.0, 9.0, 10.0, 500.0], [5.0, 4.0, -1.0, 2.0], 100.0
    yield [3.0, 9.0, 10.0, 500.0], [5.0, 4.0, -1.0, 2.0], 4.0


@score_at_cost.same_as_answer("the score")
def at_a_model_itself():
    for cost in (10.0, 40.0, 80.0):
        yield [10.0, 40.0, 80.0], [0.2, 0.8, 0.9], cost


@score_at_cost.same_as_answer("the score with the models in another order")
def any_order():
    yield [40.0, 80.0, 10.0], [0.8, 0.9, 0.2], 20.0
    yield [80.0, 10.0, 40.0], [0.1, 0.9, 0.2], 60.0


@score_at_cost.case
def nothing_beyond_the_ends(answer):
    for budget in (9.0, 81.0):
        try:
            found = answer([40.0, 80.0, 10.0], [0.8, 0.9, 0.2], budget)
        except ValueError:
            continue
        message = "At a cost of {budget:g}, which no model reaches, you do not raise ValueError."
        expect(False, say(message, budget=budget), found)


score_at_cost.mistake(
    "between_two_models",
    "You walk in the cost itself. From 10 to 20 it doubles, and from 20 to 40: half way.",
    "math.log(budget / left) / math.log(right / left) -> (budget - left) / (right - left)",
)
score_at_cost.mistake(
    "any_order",
    "You take the models in the order in which they come. Sort them by cost.",
    "sorted(zip(costs, scores, strict=True)) -> list(zip(costs, scores, strict=True))",
)
score_at_cost.mistake(
    "nothing_beyond_the_ends",
    "You go on beyond the last model. What more training would bring, nobody has measured.",
    'raise ValueError(f"no model has cost {budget}") -> return high',
)
