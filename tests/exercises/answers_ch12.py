"""Chapter 12: right answers written differently, and wrong ones without a message of their own."""

import math

import torch

from course_lib.exercises import ch12


def by_hand(values, t):
    mean = values.sum() / len(values)
    variance = (values - mean).square().sum() / (len(values) - 1)
    return mean + torch.tensor([0.0, -1.0, 1.0]) * t * (variance / len(values)).sqrt()


def through_the_covariance(a, b, t):
    variance = a.var() + b.var() - 2 * torch.cov(torch.stack([a, b]))[0, 1]
    return torch.stack([a.mean() - b.mean(), t * (variance / len(a)).sqrt()])


def draw_by_draw(a, b, draws, confidence=0.95):
    gains = torch.stack([a[drawn].mean() - b[drawn].mean() for drawn in draws])
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    return torch.stack([torch.quantile(gains, low), torch.quantile(gains, high)])


def by_distances(mean, low, high, margin=None):
    inside = (lambda x: x > 0) if margin is None else (lambda x: abs(x) < margin)
    if inside(low) and inside(high):
        return "reproduced"
    return "direction only" if inside(mean) else "not reproduced"


def with_a_loop(rates, validate, test):
    best_rate, best = None, -math.inf
    for rate in rates:
        score = validate(rate)
        if score > best:
            best_rate, best = rate, score
    return best_rate, test(best_rate)


def with_weights(costs, scores, budget):
    order = sorted(range(len(costs)), key=costs.__getitem__)
    logs = [math.log(costs[i]) for i in order]
    at = math.log(budget)
    if at < logs[0] - 1e-12 or at > logs[-1] + 1e-12:
        raise ValueError("outside")
    place = max(i for i in range(len(logs) - 1) if logs[i] <= at + 1e-12)
    right = (at - logs[place]) / (logs[place + 1] - logs[place])
    return (1 - right) * scores[order[place]] + right * scores[order[place + 1]]


def sorts_in_place(costs, scores, budget):
    costs.sort()
    return ch12.score_at_cost.answer(costs, scores, budget)


RIGHT = {
    ch12.t_interval: [by_hand],
    ch12.paired_gain: [through_the_covariance],
    ch12.bootstrap_gain: [draw_by_draw],
    ch12.verdict: [by_distances],
    ch12.choose_and_report: [
        with_a_loop,
        "return chosen, test(chosen) -> return [chosen, test(chosen)]",
    ],
    ch12.score_at_cost: [with_weights],
}

WRONG = {
    ch12.t_interval: [
        "len(values) -> 5",
        lambda values, t: ch12.t_interval.answer(values, t)[1:],
        lambda values, t: ch12.t_interval.answer(values, t).double(),
        lambda values, t: ch12.t_interval.answer(values.sub_(0.5), t),
        lambda values, t: tuple(ch12.t_interval.answer(values, t)),
    ],
    ch12.paired_gain: [
        "len(gains) -> 5",
        lambda a, b, t: a - b,
        lambda a, b, t: ch12.paired_gain.answer(a.sub_(1), b, t),
    ],
    ch12.bootstrap_gain: [
        "(1 - confidence) / 2, (1 + confidence) / 2 -> 0.025, 0.975",
        "(a - b)[draws] -> (a - b)[draws[:100]]",
    ],
    ch12.verdict: [
        "shown, leaning = low > 0, -> shown, leaning = low >= 0,",
        "low > 0, mean > 0 -> low > 0, mean >= 0",
        "-margin < low -> -margin <= low",
        "high < margin, -> high <= margin,",
        "-margin < mean < margin -> -margin <= mean <= margin",
        "-margin < mean < margin -> mean < margin",
        lambda mean, low, high, margin=None: ch12.verdict.answer(mean, low, high),
        "-margin < mean < margin -> -margin < mean < margin and low <= 0 <= high",
    ],
    ch12.choose_and_report: [
        "max(rates, key=validate) -> max(rates[1:], key=validate)",
        "max -> min",
        lambda rates, validate, test: test(max(rates, key=validate)),
        "return chosen, test(chosen) -> return test(chosen), chosen",
        "chosen = max(rates, key=validate) -> chosen = rates[0]\n    for rate in rates:\n"
        "        if validate(rate) < validate(chosen): break\n        chosen = rate",
    ],
    ch12.score_at_cost: [
        sorts_in_place,
        "left <= budget <= right -> left < budget < right",
        "math.log(budget / left) -> math.log2(budget / left)",
        "low + share * (high - low) -> high + share * (low - high)",
        "return low + share -> return 0 * low + share",
        lambda costs, scores, budget: ch12.score_at_cost.answer(costs, sorted(scores), budget),
    ],
}
