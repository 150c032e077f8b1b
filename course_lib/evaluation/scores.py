"""Scores, and how sure we may be of them: BLEU, exact match, alignments, perplexity, intervals."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import sacrebleu
import torch
from torch import Tensor, nn

from course_lib.data.batching import Batch, batches_by_length, pad
from course_lib.text.words import BOS, EOS
from course_lib.training.distributed import target_tokens
from course_lib.training.losses import translation_loss


class BLEU(NamedTuple):
    """A corpus BLEU score from 0 to 100 and the signature that says how it was computed."""

    score: float
    signature: str


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
