"""How sure we may be of a score: intervals over seeds, over sentences, and by sentence length."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import special  # scipy.stats takes half a second more to import

_MOST_DRAWS = 2_000_000  # of a bootstrap at a time, which bounds its memory


def decimal(number: float, form: str) -> str:
    """The number as `form` says, with a minus sign for a hyphen, and none before a zero.

    >>> decimal(-0.25, ".1f"), decimal(-0.004, ".2f")
    ('−0.2', '0.00')
    """
    text = format(number, form)
    if re.fullmatch(r"\s*-[0.,]+%?", text):
        text = format(abs(number), form)
    return re.sub(r"(?<!e)-", "−", text)  # an exponent stays as code writes it: 1e-05


class Interval(NamedTuple):
    """A mean and its confidence interval: `f"{interval:.2f}"` writes `0.51 [0.48, 0.54]`."""

    mean: float
    low: float
    high: float

    def __format__(self, form: str) -> str:
        mean, low, high = (decimal(number, form) for number in self)
        return f"{mean} [{low}, {high}]"


class Bucket(NamedTuple):
    """The values of sentences with `low` <= length < `high`.

    A bucket without a sentence has count 0 and NaN as mean and interval.
    """

    low: int
    high: int
    count: int  # type: ignore[assignment]  # a tuple has a method of this name
    mean: float
    interval: Interval


def by_length(
    values: Sequence[float],
    lengths: Sequence[int],
    edges: Sequence[int],
    *,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[Bucket]:
    """Mean value of sentences of similar length, with bootstrap intervals over sentences.

    Args:
        values: one value per sentence, for example from `exact_match`.
        lengths: the length of each sentence, in tokens.
        edges: borders of the buckets: `[6, 9, 12]` makes 6 to 8 and 9 to 11.
        seed: number of the resampling.
        confidence: the level of the intervals.

    Returns:
        One `Bucket` per pair of neighboring edges. No sentence is dropped in silence.
    """
    data, sizes = _numbers(values), np.asarray(lengths)
    buckets = [(low, high, (sizes >= low) & (sizes < high)) for low, high in pairwise(edges)]
    if len(data) != len(sizes) or sum(int(inside.sum()) for *_, inside in buckets) != len(data):
        raise ValueError(
            f"{len(data)} values, {len(sizes)} lengths of {min(sizes)} to {max(sizes)} and edges "
            f"{list(edges)}: one length for each value is needed, in one bucket. The edges must "
            "increase, and the last one is exclusive."
        )
    found = []
    for low, high, inside in buckets:
        interval = Interval(math.nan, math.nan, math.nan)
        if inside.any():
            interval = bootstrap_interval(data[inside].tolist(), seed=seed, confidence=confidence)
        found.append(Bucket(low, high, int(inside.sum()), interval.mean, interval))
    return found


def bootstrap_interval(
    values: Sequence[float], *, seed: int, confidence: float = 0.95, samples: int = 1000
) -> Interval:
    """The mean of values and its percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13).

    The values are drawn anew with replacement, as often as there are values, and the mean is
    taken; the interval holds the middle `confidence` of those means. Use it over test items. It
    says how much the score would move with other test items, not with another training run.

    Args:
        values: numbers or truth values.
        seed: number of the resampling.
        confidence: the level, between 0 and 1.
        samples: how many times the values are drawn anew.
    """
    data = _numbers(values)
    generator = np.random.default_rng(seed)

    def resampled_means(count: int) -> np.ndarray:
        draws = generator.integers(len(data), size=(count, len(data)))
        return data[draws].mean(axis=1)

    at_once = max(1, _MOST_DRAWS // len(data))
    counts = [min(at_once, samples - done) for done in range(0, samples, at_once)]
    means = np.concatenate([resampled_means(count) for count in counts])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(data.mean()), float(low), float(high))


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean of values and its Student t interval. Use it over seeds.

    Args:
        values: one number per seed, two at least.
        confidence: the level, between 0 and 1.
    """
    data = _numbers(values, least=2)
    error = data.std(ddof=1) / math.sqrt(len(data))
    quantile = special.stdtrit(len(data) - 1, (1 + confidence) / 2)  # of Student's t
    half = float(quantile * error)
    mean = float(data.mean())
    return Interval(mean, mean - half, mean + half)


def difference(one: Sequence[float], other: Sequence[float], *, comparisons: int = 1) -> Interval:
    """The t interval of one − other, value by value: by seed, where both share their seeds.

    Of twenty comparisons without an effect, one shows at 95%. Where a text picks from several
    `comparisons`, each gets its share of the 5% (Bonferroni), so that all hold together at 95%.
    """
    values = [a - b for a, b in zip(one, other, strict=True)]
    return t_interval(values, confidence=1 - 0.05 / comparisons)


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and the t interval of the logarithms: for times, and for ratios of times."""
    return Interval(*map(math.exp, t_interval([math.log(value) for value in values])))


def _numbers(values: Sequence[float], least: int = 1) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or len(data) < least or not np.isfinite(data).all():
        raise ValueError(
            f"Expected one row of {least} or more finite values, got shape {data.shape} with "
            f"{int((~np.isfinite(data)).sum())} that are NaN or infinite. Look at the runs that "
            "produced them."
        )
    return data
