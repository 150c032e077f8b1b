"""Exercises 12.1 to 12.3: an interval over seeds, a gain seed by seed, a gain over sentences."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

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
    freedom, 2.776 for five seeds and 95 %.
    """
    half = t * values.std() / len(values) ** 0.5
    return torch.stack([values.mean(), values.mean() - half, values.mean() + half])


def _runs() -> Tensor:
    return 60 + 5 * torch.randn(5)


@t_interval.case
def three_numbers(answer):
    expect_tensor(answer(_runs(), 2.776), (3,))


@t_interval.case
def mean_stands_in_the_middle(answer):
    runs = _runs()
    mean, low, high = answer(runs, 2.776)
    middle = torch.stack([mean, (low + high) / 2])
    expect_close(middle, runs.mean().expand(2), "your mean, and the middle of your interval,")


@t_interval.case
def four_times_the_runs_halve_it(answer):
    # Runs whose standard deviation stays the same when there are four times as many.
    few, many = torch.tensor([-1.0, 1.0] * 500), torch.tensor([-1.0, 1.0] * 2000)
    widths = [(high - low).item() for _, low, high in (answer(few, 2.0), answer(many, 2.0))]
    ratio = widths[0] / widths[1] if widths[1] else float("inf")
    message = f"Four times as many runs make your interval {ratio:.2f} times as narrow, not twice."
    expect(abs(ratio - 2) < 0.01, message, widths)


@t_interval.case
def values_of_five_runs(answer):
    runs = _runs()
    expect_close(answer(runs, 2.776), t_interval.answer(runs, 2.776))


@t_interval.mistake("three_numbers", says="The mean is missing: give mean, low and high end.")
def without_the_mean(values, t):
    return t_interval.answer(values, t)[1:]


@t_interval.mistake("mean_stands_in_the_middle")
def median(values, t):
    half = t * values.std() / len(values) ** 0.5
    return torch.stack([values.median(), values.median() - half, values.median() + half])


@t_interval.mistake("mean_stands_in_the_middle", says="The first number is the mean, not an end.")
def low_first(values, t):
    return t_interval.answer(values, t)[[1, 0, 2]]


@t_interval.mistake(
    "four_times_the_runs_halve_it",
    says="Your interval says where one run lies. More runs tell the *mean* more exactly.",
)
def of_one_run(values, t):
    half = t * values.std()
    return torch.stack([values.mean(), values.mean() - half, values.mean() + half])


@t_interval.mistake(
    "four_times_the_runs_halve_it", says="You divide by N. The error of a mean falls with its root."
)
def by_the_number_of_runs(values, t):
    half = t * values.std() / len(values)
    return torch.stack([values.mean(), values.mean() - half, values.mean() + half])


@t_interval.mistake(
    "values_of_five_runs",
    says="You divide the squares by N. With five runs that makes them look a tenth closer "
    "together than they are.",
)
def by_n(values, t):
    half = t * values.std(correction=0) / len(values) ** 0.5
    return torch.stack([values.mean(), values.mean() - half, values.mean() + half])


@t_interval.alternative
def by_hand(values, t):
    mean = values.sum() / len(values)
    variance = (values - mean).square().sum() / (len(values) - 1)
    signs = torch.tensor([0.0, -1.0, 1.0])
    return mean + signs * t * (variance / len(values)).sqrt()


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


def _pair() -> tuple[Tensor, Tensor]:
    luck = 5 * torch.randn(5)  # what a seed does to both models alike
    return 62 + luck + torch.randn(5), 60 + luck + torch.randn(5)


@paired_gain.case
def two_numbers(answer):
    expect_tensor(answer(*_pair(), 2.776), (2,))


@paired_gain.case
def sign_turns_with_the_models(answer):
    a, b = _pair()
    there, back = answer(a, b, 2.776), answer(b, a, 2.776)
    expect_close(back, there * torch.tensor([-1.0, 1.0]), "your result with a and b exchanged")


@paired_gain.case
def positive_where_a_is_better(answer):
    a, _ = _pair()
    expect(answer(a, a - 1, 2.776)[0] > 0, "a is one point better with every seed.", a)


@paired_gain.case
def luck_in_common_does_not_count(answer):
    a = torch.tensor([60.0, 61.0, 62.0, 63.0, 64.0])
    b = torch.tensor([61.0, 59.0, 60.0, 58.0, 62.0])
    luck = torch.tensor([20.0, -7.0, 3.0, 12.0, -15.0])
    what = "your result after every seed has moved both of its scores alike"
    expect_close(answer(a + luck, b + luck, 2.776), answer(a, b, 2.776), what, atol=1e-3)


@paired_gain.case
def gain_and_half_width(answer):
    pair = _pair()
    expect_close(answer(*pair, 2.776), paired_gain.answer(*pair, 2.776))


@paired_gain.mistake("two_numbers", says="Give the mean gain and one half width, not each gain.")
def every_gain(a, b, t):
    return a - b


@paired_gain.mistake(
    "sign_turns_with_the_models", says="A seed with which b is better counts against a: keep signs."
)
def absolute(a, b, t):
    return paired_gain.answer((a - b).abs(), torch.zeros_like(a), t)


@paired_gain.mistake("positive_where_a_is_better", says="You take a from b.")
def turned_round(a, b, t):
    return paired_gain.answer(b, a, t)


@paired_gain.mistake(
    "luck_in_common_does_not_count",
    says="You treat the two as strangers. A seed that is easy is easy for both, and the difference "
    "within a seed does not feel it.",
)
def unpaired(a, b, t):
    spread = (a.var() / len(a) + b.var() / len(b)).sqrt()
    return torch.stack([a.mean() - b.mean(), t * spread])


@paired_gain.mistake(
    "luck_in_common_does_not_count",
    says="Sorting takes the pairs apart: the best run of one is not the partner of the other's.",
)
def sorted_first(a, b, t):
    return paired_gain.answer(a.sort().values, b.sort().values, t)


@paired_gain.mistake(
    "gain_and_half_width", says="Your half width is that of a single gain, not of their mean."
)
def of_one_gain(a, b, t):
    gains = a - b
    return torch.stack([gains.mean(), t * gains.std()])


@paired_gain.alternative
def through_the_covariance(a, b, t):
    variance = a.var() + b.var() - 2 * torch.cov(torch.stack([a, b]))[0, 1]
    return torch.stack([a.mean() - b.mean(), t * (variance / len(a)).sqrt()])


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


def _sentences() -> tuple[Tensor, Tensor, Tensor]:
    b = torch.rand(40)
    return b + 0.1 * torch.rand(40), b, torch.randint(40, (200, 40))


@bootstrap_gain.case
def two_ends(answer):
    expect_tensor(answer(*_sentences()), (2,))


@bootstrap_gain.case
def low_before_high(answer):
    ends = answer(*_sentences())
    expect(ends[0] < ends[1], "Your low end lies above your high end.", ends)


@bootstrap_gain.case
def a_system_gains_nothing_over_itself(answer):
    a, _, draws = _sentences()
    ends = answer(a, a, draws)
    reach = ends.abs().max().item()
    message = (
        f"Beside itself a system has a gain of 0, whatever is drawn; yours goes to {reach:.2g}."
    )
    expect(reach < 1e-6, message, ends)


@bootstrap_gain.case
def more_confidence_is_wider(answer):
    sentences = _sentences()
    widths = [(e[1] - e[0]).item() for e in (answer(*sentences, c) for c in (0.5, 0.95))]
    message = f"At 50 % your interval is {widths[0]:.3g} wide, at 95 % {widths[1]:.3g}."
    expect(widths[0] < widths[1], message, widths)


@bootstrap_gain.case
def ends_of_the_interval(answer):
    sentences = _sentences()
    expect_close(answer(*sentences), bootstrap_gain.answer(*sentences))


@bootstrap_gain.mistake("two_ends", says="You give the mean of every draw; its quantiles are due.")
def all_means(a, b, draws, confidence=0.95):
    return (a - b)[draws].mean(dim=1)


@bootstrap_gain.mistake("low_before_high", says="The two quantiles come in the wrong order.")
def high_first(a, b, draws, confidence=0.95):
    return bootstrap_gain.answer(a, b, draws, confidence).flip(0)


@bootstrap_gain.mistake(
    "a_system_gains_nothing_over_itself",
    says="You draw other sentences for each system. Then a lucky draw of easy sentences looks like "
    "a better system.",
)
def other_sentences_for_each(a, b, draws, confidence=0.95):
    gains = a[draws].mean(dim=1) - b[draws.flip(0)].mean(dim=1)
    return gains.quantile(torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2]))


@bootstrap_gain.mistake(
    "more_confidence_is_wider",
    says="The tails outside the interval share 1 − confidence, half on either side.",
)
def the_tails(a, b, draws, confidence=0.95):
    gains = (a - b)[draws].mean(dim=1)
    return gains.quantile(torch.tensor([confidence / 2, 1 - confidence / 2]))


@bootstrap_gain.mistake(
    "ends_of_the_interval",
    says="You average over the draws. Each draw is a test set of its own, with a mean of its own.",
)
def over_the_draws(a, b, draws, confidence=0.95):
    gains = (a - b)[draws].mean(dim=0)
    return gains.quantile(torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2]))


@bootstrap_gain.mistake(
    "ends_of_the_interval",
    says="Each tail gets 1 − confidence in your interval; together they are to have that.",
)
def one_sided(a, b, draws, confidence=0.95):
    gains = (a - b)[draws].mean(dim=1)
    return gains.quantile(torch.tensor([1 - confidence, confidence]))


@bootstrap_gain.alternative
def draw_by_draw(a, b, draws, confidence=0.95):
    gains = torch.stack([a[drawn].mean() - b[drawn].mean() for drawn in draws])
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    return torch.stack([torch.quantile(gains, low), torch.quantile(gains, high)])
