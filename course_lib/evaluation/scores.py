"""How good is a translation? BLEU, exact match, alignments, perplexity."""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sacrebleu
from torch import Tensor

Link = tuple[int, int]  # source index, target index, from 0


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
    """
    pairs = list(zip(hypotheses, references, strict=True))
    metric = sacrebleu.BLEU()
    score = metric.corpus_score([h for h, _ in pairs], [[r for _, r in pairs]]).score
    return BLEU(score, str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> list[bool]:
    """For each sentence, whether the hypothesis is the reference, character by character."""
    return [h == r for h, r in zip(hypotheses, references, strict=True)]


def hard_links(weights: Tensor) -> set[Link]:
    """One link per target word: to the source word that it looks at most.

    That is how Luong et al. (2015), section 5.4, read an alignment off a model that is made to
    write the reference. A target word has one link, never two or none, so even a perfect model
    does not reach an error rate of 0 where the gold alignment has two or none.

    Args:
        weights: (T, S), real words only: cut off padding and the row of the end mark first. Each
            row sums to one, or is 0 throughout, which gives no link.

    Returns:
        The links. Of equal weights the first counts.
    """
    totals = weights.sum(dim=1)
    sure = ((totals - 1).abs() < 0.01) | (totals == 0)
    if weights.dim() != 2 or not (weights >= 0).all() or not sure.all():
        raise ValueError(
            f"weights have shape {tuple(weights.shape)}, expected (T, S), 0 or more, of which each "
            "row, a target word, sums to one over the source. Did you pass scores before the "
            "softmax, or (S, T)?"
        )
    sources = weights.argmax(dim=1).tolist()
    return {(s, t) for t, s in enumerate(sources) if totals[t] > 0}


def alignment_error_rate(links: Sequence[Iterable[Link]], gold: Sequence[Iterable[Link]]) -> float:
    """Share of wrong and missing links (Och & Ney 2003, section 5), over all sentences at once.

    AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) for links A, sure gold links S and possible gold
    links P. Here every gold link is sure, S = P, so this is 1 − 2|A ∩ S| / (|A| + |S|), which is
    1 − F1. Our numbers cannot be compared with published ones, where P is the larger set.

    Args:
        links: for each sentence its links, as from `hard_links`.
        gold: for each sentence the links that are right, as in `lab.Pair.alignment`.

    Returns:
        0 where the links are the gold ones, 1 where none of them is.
    """
    ours, right = set(), set()
    for number, (some, wanted) in enumerate(zip(links, gold, strict=True)):
        # An index that is a float or a tensor would be equal to no other.
        ours |= {(number, operator.index(s), operator.index(t)) for s, t in some}
        right |= {(number, operator.index(s), operator.index(t)) for s, t in wanted}
    return 1 - 2 * len(ours & right) / (len(ours) + len(right))


def perplexity(nll_sum: float, tokens: int) -> float:
    """exp of the mean negative log-likelihood per token.

    Args:
        nll_sum: the summed −log p of all tokens, in nats.
        tokens: how many tokens were summed.

    Returns:
        1 for a model that is always sure and right, V for one that guesses among V tokens,
        infinity where the number is too large for a float.
    """
    try:
        return math.exp(nll_sum / tokens)
    except OverflowError:
        return math.inf
