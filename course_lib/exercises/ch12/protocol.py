"""Exercises 12.5 and 12.6: a test set that is asked once (a bug to find), and equal costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from course_lib.exercises.engine.core import exercise, expect, expect_number, expect_type

# --- 12.5 choose_and_report -----------------------------------------------------------------------


@exercise(
    hints=(
        "Which of the two functions has been looked at before the choice is made?",
        "Choose with `validate`, for all rates. Only then ask `test`, and only for the chosen one.",
    )
)
def choose_and_report(
    rates: Sequence[float],
    validate: Callable[[float], float],
    test: Callable[[float], float],
) -> tuple[float, float]:
    """The chosen rate, and the score to report for it.

    validate, test: train with a rate and give the score on the validation or the test set; more
    is better.
    """
    chosen = max(rates, key=validate)
    return chosen, test(chosen)


class _Exam:
    """Scores on the two sets, which do not agree about the best rate, and who asked for them."""

    def __init__(self) -> None:
        self.rates = [0.1, 0.3, 1.0, 3.0]
        self.on_validation = dict(zip(self.rates, (0.70, 0.81, 0.78, 0.40), strict=True))
        self.on_test = dict(zip(self.rates, (0.68, 0.76, 0.79, 0.43), strict=True))
        self.asked: list[float] = []

    def validate(self, rate: float) -> float:
        return self.on_validation[rate]

    def test(self, rate: float) -> float:
        self.asked.append(rate)
        return self.on_test[rate]


def _run(answer) -> tuple[float, float, list[float]]:
    exam = _Exam()
    rate, score = answer(exam.rates, exam.validate, exam.test)
    return rate, score, exam.asked


@choose_and_report.case
def a_rate_and_a_score(answer):
    exam = _Exam()
    found = answer(exam.rates, exam.validate, exam.test)
    expect_type(found, tuple, "your result")
    expect(len(found) == 2, f"Your result has {len(found)} parts; rate and score are two.", found)
    expect(found[0] in exam.rates, f"{found[0]!r} is none of the rates.", found)


@choose_and_report.case
def chosen_on_the_validation_set(answer):
    rate, _, _ = _run(answer)
    expect_number(rate, 0.3, "the rate you choose")


@choose_and_report.case
def test_set_is_asked_once(answer):
    _, _, asked = _run(answer)
    message = f"The test set was asked {len(asked)} times. Once, for the chosen rate, is enough."
    expect(len(asked) == 1, message, asked)


@choose_and_report.case
def reported_from_the_test_set(answer):
    _, score, _ = _run(answer)
    expect_number(score, 0.76, "the score you report")


@choose_and_report.mistake("a_rate_and_a_score", says="You report the score and not the rate.")
def score_only(rates, validate, test):
    return test(max(rates, key=validate))


@choose_and_report.mistake(
    "chosen_on_the_validation_set",
    says="The rate is chosen by its test score. Then the score is the best of several, picked "
    "because it is high: no new data was ever asked.",
)
def tuned_on_the_test_set(rates, validate, test):
    chosen = max(rates, key=test)
    return chosen, test(chosen)


@choose_and_report.mistake(
    "chosen_on_the_validation_set", says="You choose the *lowest* score. Here more is better."
)
def lowest(rates, validate, test):
    chosen = min(rates, key=validate)
    return chosen, test(chosen)


@choose_and_report.mistake(
    "test_set_is_asked_once",
    says="The choice is right. But all rates have been tried on the test set, and somebody will "
    "look.",
)
def everything_on_the_test_set(rates, validate, test):
    scores = {rate: test(rate) for rate in rates}
    chosen = max(rates, key=validate)
    return chosen, scores[chosen]


@choose_and_report.mistake(
    "reported_from_the_test_set",
    says="You report the score by which you chose. Being the largest of several, it is too good.",
)
def validation_score(rates, validate, test):
    chosen = max(rates, key=validate)
    test(chosen)
    return chosen, validate(chosen)


@choose_and_report.alternative
def with_a_loop(rates, validate, test):
    best_rate, best = None, -math.inf
    for rate in rates:
        score = validate(rate)
        if score > best:
            best_rate, best = rate, score
    return best_rate, test(best_rate)


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


_COSTS, _SCORES = [10.0, 40.0, 80.0], [0.2, 0.8, 0.9]


@score_at_cost.case
def at_a_trained_model(answer):
    for cost, score in zip(_COSTS, _SCORES, strict=True):
        expect_number(answer(_COSTS, _SCORES, cost), score, f"the score at a cost of {cost:g}")


@score_at_cost.case
def half_way_in_logarithms(answer):
    expect_number(answer(_COSTS, _SCORES, 20.0), 0.5, "the score at 20, between 10 and 40,")


@score_at_cost.case
def any_order(answer):
    found = answer([40.0, 80.0, 10.0], [0.8, 0.9, 0.2], 20.0)
    expect_number(found, 0.5, "the score at 20 with the models in another order")


@score_at_cost.case
def nothing_beyond_the_ends(answer):
    for budget in (9.0, 81.0):
        try:
            found = answer(_COSTS, _SCORES, budget)
        except ValueError:
            continue
        message = f"At a cost of {budget:g}, which no model reaches, you give a score."
        expect(False, message, found)


@score_at_cost.mistake(
    "at_a_trained_model", says="You never give the score of a model itself, only of the one before."
)
def always_the_cheaper_one(costs, scores, budget):
    points = sorted(zip(costs, scores, strict=True))
    cheaper = [score for cost, score in points if cost < budget]
    if not cheaper or budget > points[-1][0]:
        return 0.0
    return cheaper[-1]


@score_at_cost.mistake(
    "half_way_in_logarithms",
    says="You walk in the cost itself. From 10 to 20 it doubles, and from 20 to 40: half way.",
)
def straight_over_the_cost(costs, scores, budget):
    points = sorted(zip(costs, scores, strict=True))
    for (left, low), (right, high) in zip(points, points[1:], strict=False):
        if left <= budget <= right:
            return low + (budget - left) / (right - left) * (high - low)
    raise ValueError("outside")


@score_at_cost.mistake("half_way_in_logarithms", says="You take the nearest model as it is.")
def nearest(costs, scores, budget):
    if not min(costs) <= budget <= max(costs):
        raise ValueError("outside")
    place = min(range(len(costs)), key=lambda i: abs(costs[i] - budget))
    return scores[place]


@score_at_cost.mistake(
    "any_order", says="You take the models in the order in which they come. Sort them by cost."
)
def unsorted(costs, scores, budget):
    points = list(zip(costs, scores, strict=True))
    if not min(costs) <= budget <= max(costs):
        raise ValueError("outside")
    for (left, low), (right, high) in zip(points, points[1:], strict=False):
        if left <= budget <= right:
            return low + math.log(budget / left) / math.log(right / left) * (high - low)
    return scores[-1]


@score_at_cost.mistake(
    "nothing_beyond_the_ends",
    says="You go on beyond the last model. What more training would bring, nobody has measured.",
)
def ends_go_on(costs, scores, budget):
    return score_at_cost.answer(costs, scores, min(max(budget, min(costs)), max(costs)))


@score_at_cost.alternative
def with_weights(costs, scores, budget):
    order = sorted(range(len(costs)), key=costs.__getitem__)
    logs = [math.log(costs[i]) for i in order]
    at = math.log(budget)
    if at < logs[0] - 1e-12 or at > logs[-1] + 1e-12:
        raise ValueError("outside")
    place = max(i for i in range(len(logs) - 1) if logs[i] <= at + 1e-12)
    right = (at - logs[place]) / (logs[place + 1] - logs[place])
    return (1 - right) * scores[order[place]] + right * scores[order[place + 1]]
