"""Two translators without a network, to compare the networks with: copying and a word dictionary.

The dictionary is learned from sentence pairs by IBM Model 1 (Brown et al. 1993, "The mathematics
of statistical machine translation", section 4.1): every target word was produced by one source
word of its sentence, or by none; we do not know by which, so we start with equal shares and let
expectation–maximization sharpen them. Word order, agreement and context play no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

Probabilities = dict[str, dict[str, float]]  # source word → target word → probability
NOTHING = ""  # the invisible source word that produces target words without a counterpart


def copy_source(source: Sequence[str]) -> list[str]:
    """The laziest translation: the source itself. Names and punctuation come out right."""
    return list(source)


class WordDictionary:
    """One target word for each source word.

    `probability[source_word][target_word]` is t(target | source); `table[source_word]` the
    most probable translation (ties: the first in the alphabet).
    """

    def __init__(self, probability: Probabilities) -> None:
        self.probability = probability
        self.table = {
            word: min(options, key=lambda option: (-options[option], option))
            for word, options in probability.items()
            if word != NOTHING
        }

    @classmethod
    def learn(
        cls, pairs: Iterable[tuple[Sequence[str], Sequence[str]]], *, iterations: int = 5
    ) -> WordDictionary:
        """IBM Model 1 on tokenized sentence pairs.

        Args:
            pairs: (source words, target words); time grows with the product of their lengths.
            iterations: rounds of expectation–maximization; the first starts from equal shares.
        """
        counted = Counter((tuple(source), tuple(target)) for source, target in pairs)
        if not counted:
            raise ValueError("a dictionary needs at least one sentence pair, got none")
        table: Probabilities | None = None
        for _ in range(iterations):
            shares: Probabilities = defaultdict(lambda: defaultdict(float))
            for (source, target), times in counted.items():
                _share_out(table, (NOTHING, *source), target, times, shares)
            table = {word: _normalized(options) for word, options in shares.items()}
        return cls(table or {})

    def translate(self, source: Sequence[str]) -> list[str]:
        """Word by word, in the order of the source; unknown words are copied."""
        return [self.table.get(word, word) for word in source]


def _share_out(
    table: Probabilities | None,
    source: Sequence[str],
    target: Sequence[str],
    times: int,
    shares: Probabilities,
) -> None:
    """E-step for one pair: split each target word over the source words that may explain it."""
    rows = [shares[word] for word in source]
    for word in target:
        if table is None:
            weights = [1.0] * len(source)
        else:
            weights = [table[candidate][word] for candidate in source]
        scale = times / sum(weights)
        for row, weight in zip(rows, weights, strict=True):
            row[word] += weight * scale


def _normalized(options: dict[str, float]) -> dict[str, float]:
    """M-step for one source word."""
    total = sum(options.values())
    return {word: share / total for word, share in options.items()}
