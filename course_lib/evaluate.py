"""Scores, and how sure we may be of them: BLEU, exact match, alignments, perplexity, intervals."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import sacrebleu
import torch
from scipy import stats
from torch import Tensor, nn

from course_lib.data.batching import Batch, batches_by_length, pad
from course_lib.distributed import target_tokens
from course_lib.text import BOS, EOS
from course_lib.train import translation_loss

_MOST_DRAWS = 2_000_000  # of a bootstrap at a time, which bounds its memory


class BLEU(NamedTuple):
    """A corpus BLEU score from 0 to 100 and the signature that says how it was computed."""

    score: float
    signature: str


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


class Bucket(NamedTuple):
    """The values of sentences with `low` <= length < `high`.

    A bucket without a sentence has count 0 and NaN as mean and interval.
    """

    low: int
    high: int
    count: int
    mean: float
    interval: Interval


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> BLEU:
    """Corpus BLEU (Papineni et al. 2002) as sacreBLEU computes it (Post 2018).

    Args:
        hypotheses: what the model wrote, as plain text; sacreBLEU splits it into words itself.
        references: one reference for each.

    Returns:
        The score in 0..100 and sacreBLEU's signature. Scores with different signatures cannot
        be compared.

    Raises:
        ValueError: no sentences, or not as many references as hypotheses.
        TypeError: something is not a string, for example a list of tokens.
    """
    _check_texts(hypotheses, references)
    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(hypotheses), [list(references)]).score
    return BLEU(score, str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> list[bool]:
    """For each sentence, whether the hypothesis is the reference, character by character.

    Raises:
        ValueError: no sentences, or not as many references as hypotheses.
        TypeError: something is not a string.
    """
    _check_texts(hypotheses, references)
    return [h == r for h, r in zip(hypotheses, references, strict=True)]


def hard_links(weights: Tensor) -> set[tuple[int, int]]:
    """One link per target word: to the source word that it looks at most.

    That is how Luong et al. (2015), section 5.4, read an alignment off a model that is made to
    write the reference. A target word has one link, never two or none, so even a perfect model
    does not reach an error rate of 0 where the gold alignment has two or none.

    Args:
        weights: (T, S), real words only: cut off padding and the row of the end mark first. Each
            row sums to one, or is 0 throughout, which gives no link.

    Returns:
        Links (source index, target index), both from 0. Of equal weights the first counts.

    Raises:
        ValueError: another shape, a negative weight or NaN, or rows that do not sum to one.
    """
    if weights.dim() != 2 or weights.numel() == 0:
        raise ValueError(
            f"weights have shape {tuple(weights.shape)}, expected (T, S): the words of one "
            "sentence pair."
        )
    totals = weights.sum(dim=1)
    if not (weights >= 0).all() or not (((totals - 1).abs() < 0.01) | (totals == 0)).all():
        raise ValueError(
            "weights must be 0 or more, and each row, a target word, must sum to one over the "
            "source. Did you pass scores before the softmax, or (S, T)?"
        )
    sources = weights.argmax(dim=1).tolist()
    return {(s, t) for t, s in enumerate(sources) if totals[t] > 0}


def alignment_error_rate(
    links: Sequence[Iterable[tuple[int, int]]], gold: Sequence[Iterable[tuple[int, int]]]
) -> float:
    """Share of wrong and missing links (Och & Ney 2003, section 5), over all sentences at once.

    AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) for links A, sure gold links S and possible gold
    links P. Here every gold link is sure, S = P, so this is 1 − 2|A ∩ S| / (|A| + |S|), which is
    1 − F1. Our numbers cannot be compared with published ones, where P is the larger set.

    Args:
        links: for each sentence its links (source index, target index), as from `hard_links`.
        gold: for each sentence the links that are right, as in `lab.Pair.alignment`.

    Returns:
        0 where the links are the gold ones, 1 where none of them is.

    Raises:
        ValueError: no sentences, not as many as in the gold, or not a single link on both sides.
        TypeError: a link is not a pair of whole numbers from 0.
    """
    if len(links) != len(gold):
        raise ValueError(
            f"Got links of {len(links)} sentences but gold links of {len(gold)}; one each is "
            "needed."
        )
    ours, right = _all_links("links", links), _all_links("gold", gold)
    if not ours and not right:
        raise ValueError("There are no links to score.")
    return 1 - 2 * len(ours & right) / (len(ours) + len(right))


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
        One `Bucket` per pair of neighboring edges.

    Raises:
        ValueError: not as many lengths as values, edges that do not increase, or a length
            outside all buckets (no sentence is dropped in silence).
    """
    data, sizes = _numbers(values), np.asarray(lengths)
    if len(data) != len(sizes):
        raise ValueError(f"Got {len(data)} values but {len(sizes)} lengths; one each is needed.")
    if len(edges) < 2 or any(b <= a for a, b in zip(edges, edges[1:], strict=False)):
        raise ValueError(f"edges are {list(edges)}, expected two or more that increase.")
    outside = sizes[(sizes < edges[0]) | (sizes >= edges[-1])]
    if len(outside):
        raise ValueError(
            f"{len(outside)} sentences lie outside the buckets, one of length {outside[0]}. "
            f"The edges must cover {sizes.min()} to {sizes.max()}; the last edge is exclusive."
        )
    buckets = []
    for low, high in zip(edges, edges[1:], strict=False):
        inside = data[(sizes >= low) & (sizes < high)]
        if len(inside):
            interval = bootstrap_interval(inside, seed=seed, confidence=confidence)
        else:
            interval = Interval(math.nan, math.nan, math.nan)
        buckets.append(Bucket(low, high, len(inside), interval.mean, interval))
    return buckets


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

    Raises:
        ValueError: no values, one that is not finite, or a level outside (0, 1).
    """
    data = _numbers(values)
    _check_confidence(confidence)
    if samples < 1:
        raise ValueError(f"samples is {samples}, expected at least 1.")
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

    Raises:
        ValueError: fewer than two values, one that is not finite, or a level outside (0, 1).
    """
    data = _numbers(values)
    _check_confidence(confidence)
    if len(data) < 2:
        raise ValueError("A t interval needs at least two values. Run more seeds.")
    error = data.std(ddof=1) / math.sqrt(len(data))
    half = float(stats.t.ppf((1 + confidence) / 2, df=len(data) - 1) * error)
    mean = float(data.mean())
    return Interval(mean, mean - half, mean + half)


def perplexity(nll_sum: float, tokens: int) -> float:
    """exp of the mean negative log-likelihood per token.

    Args:
        nll_sum: the summed −log p of all tokens, in nats.
        tokens: how many tokens were summed.

    Returns:
        1 for a model that is always sure and right, V for one that guesses among V tokens,
        infinity where the number is too large for a float.

    Raises:
        ValueError: no tokens, or a sum that is negative or NaN.
    """
    if tokens < 1:
        raise ValueError(f"tokens is {tokens}, expected at least 1.")
    if not nll_sum >= 0:
        raise ValueError(
            f"nll_sum is {nll_sum}, expected 0 or more. Sum −log p, not log p, over the tokens."
        )
    try:
        return math.exp(nll_sum / tokens)
    except OverflowError:
        return math.inf


@torch.no_grad()
def translation_perplexity(
    model: nn.Module, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], batch_size: int = 100
) -> float:
    """Perplexity per target token, end marks included, of a translator that is shown the truth.

    Without label smoothing, whatever the model was trained with.

    Args:
        model: called as ``model(source, target_in)``; put into evaluation mode.
        pairs: source and target ids without begin and end marks.
        batch_size: sentences at a time.

    Raises:
        ValueError: no pairs.
    """
    model.eval()
    nll_sum, tokens = 0.0, 0
    for indices in batches_by_length([source for source, _ in pairs], batch_size):
        batch = Batch(
            source=pad([pairs[i][0] for i in indices]),
            target=pad([[BOS, *pairs[i][1], EOS] for i in indices]),
        )
        here = target_tokens(batch)
        nll_sum += translation_loss(model, batch).item() * here
        tokens += here
    return perplexity(nll_sum, tokens)


def _check_texts(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    for name, texts in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{name} must be a list of strings, one sentence each.")
    if len(hypotheses) != len(references):
        raise ValueError(
            f"Got {len(hypotheses)} hypotheses but {len(references)} references; "
            "each hypothesis needs one reference."
        )
    if not hypotheses:
        raise ValueError("There are no sentences to score.")


def _all_links(
    name: str, sentences: Sequence[Iterable[tuple[int, int]]]
) -> set[tuple[int, int, int]]:
    """The links of all sentences as (sentence, source, target)."""
    found = set()
    for number, sentence in enumerate(sentences):
        for link in sentence:
            if not (
                isinstance(link, tuple | list)
                and len(link) == 2
                and all(isinstance(index, int | np.integer) and index >= 0 for index in link)
            ):
                raise TypeError(
                    f"{name} of sentence {number} contain {link!r}, expected pairs (source "
                    "index, target index) of whole numbers from 0. Weights become such pairs "
                    "with hard_links."
                )
            found.add((number, *link))
    return found


def _numbers(values: Sequence[float]) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"Expected one row of values, got shape {data.shape}.")
    if not np.isfinite(data).all():
        raise ValueError("A value is NaN or infinite. Look at the run that produced it.")
    return data


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected a number between 0 and 1.")
