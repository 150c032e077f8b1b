"""A language model that counts: interpolated n-grams, the baseline before neural networks.

Kneser & Ney (1995) in the interpolated form of Chen & Goodman (1999, section 2.8), with one
discount for all orders.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


class NGram:
    """Predict a token from the n − 1 tokens before it, by counting.

    Each order takes a little probability away from what it has seen and hands it to the next
    lower order. Below the highest order, a token counts once for every *different* token it was
    seen to follow. The lowest order mixes with the uniform distribution over the vocabulary, so
    that no token has probability zero.

    Args:
        order: n; 1 is the unigram model, which ignores the context.
        vocabulary: number of tokens V.
        discount: what is taken from each count, between 0 and 1.
    """

    def __init__(self, order: int, vocabulary: int, discount: float = 0.75) -> None:
        self.order, self.vocabulary, self.discount = order, vocabulary, discount
        self._tables: list[dict[tuple[int, ...], Counter[int]]] = []

    def fit(self, ids: Sequence[int]) -> NGram:
        """Count a row of token ids; returns the model itself."""
        ids = list(ids)
        counts = Counter(zip(*(ids[shift:] for shift in range(self.order)), strict=False))
        self._tables = []
        for _ in range(self.order):
            table: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
            for (*context, token), count in counts.items():
                table[tuple(context)][token] += count
            self._tables.insert(0, dict(table))
            # One order lower: how many different tokens were seen in front.
            counts = Counter(gram[1:] for gram in counts)
        self._totals = [{c: sum(t.values()) for c, t in table.items()} for table in self._tables]
        return self

    def probability(self, token: int, context: Sequence[int] = ()) -> float:
        """p(token | the last order − 1 tokens of context)."""
        if not 0 <= token < self.vocabulary:
            raise ValueError(f"Token id {token} is outside 0 to {self.vocabulary - 1}.")
        context = tuple(context)
        probability = 1 / self.vocabulary
        for length in range(min(self.order - 1, len(context)) + 1):
            key = context[len(context) - length :]
            seen = self._tables[length].get(key)
            if seen is None:
                break  # a context never seen: longer ones were not seen either
            total = self._totals[length][key]
            left = self.discount * len(seen) / total
            probability = max(seen[token] - self.discount, 0) / total + left * probability
        return probability

    def token_nats(self, ids: Sequence[int]) -> Tensor:
        """−log p of every token of a text but the first: N ids -> (N − 1,), as double numbers."""
        window = self.order - 1
        found = [self.probability(ids[i], ids[max(0, i - window) : i]) for i in range(1, len(ids))]
        return -torch.tensor(found, dtype=torch.double).log()

    def nats_per_token(self, ids: Sequence[int]) -> float:
        """Mean −log p of a row of ids, the first token left out; exp() is the perplexity."""
        return self.token_nats(ids).mean().item()
