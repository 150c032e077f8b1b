"""What counting reaches where the small BERT is asked: the baseline of `bert_pretraining`.

The same vocabulary, the same pieces of the training articles, the same places of the validation
articles. "left" guesses the next token from the tokens before it; "both" guesses a hidden token
from its neighbors on both sides, whose two guesses are multiplied and divided by the token's own
frequency (true if the sides are independent given the token between them):

    p(w | left, right) ∝ p(w | left) · p(w | right) / p(w)

Each guess counts at most `order` neighbors, with absolute discounting: every count gives up
`DISCOUNT`, and what was given up goes to the guess from one neighbor fewer. Both sides are raised
to the same power before they are multiplied, since they do know some of the same; it is the best
of a few on the very texts that judge, which favors the baseline.

A seed draws the places that are hidden; those of seed 0 are the ones that the models are asked for.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from course_lib.bert import pre_training
from course_lib.studies.ch11 import bert_pretraining, small_bert
from course_lib.studies.engine.core import Config, Metrics, Study

DISCOUNT = 0.75
POWERS = (0.6, 0.7, 0.8, 0.9, 1.0)


class Counts:
    """Guesses a token from up to `order` tokens before it, by counting: (order,) ids -> (V,).

    What follows a context is counted only where it is one of `asked`, or a part of one that the
    guess goes back to: all contexts of all texts would fill gigabytes.
    """

    def __init__(
        self,
        texts: Iterable[Sequence[int]],
        size: int,
        order: int,
        asked: Iterable[Sequence[int]],
    ) -> None:
        self.order, self.size = order, size
        needed = {
            tuple(one[len(one) - n :]) for one in asked for n in range(min(order, len(one)) + 1)
        }
        seen: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for ids in texts:
            for place in range(1, len(ids)):
                for length in range(min(order, place) + 1):
                    context = tuple(ids[place - length : place])
                    if context in needed:
                        seen[context][ids[place]] += 1
        self.seen = {
            context: (np.array(list(after)), np.array(list(after.values()), dtype=float))
            for context, after in seen.items()
        }
        self.known: dict[tuple[int, ...], np.ndarray] = {}

    def guess(self, context: Sequence[int]) -> np.ndarray:
        """p of every token after `context`, of which the last `order` tokens count: (V,)."""
        context = tuple(context)[-self.order :] if self.order else ()
        return self._guess(context)

    def _guess(self, context: tuple[int, ...]) -> np.ndarray:
        fewer = self._kept(context[1:]) if context else np.full(self.size, 1 / self.size)
        if context not in self.seen:
            return fewer
        ids, counts = self.seen[context]
        found = fewer * (DISCOUNT * len(ids) / counts.sum())
        found[ids] += (counts - DISCOUNT) / counts.sum()
        return found

    def _kept(self, context: tuple[int, ...]) -> np.ndarray:
        if len(context) > 1:
            return self._guess(context)
        if context not in self.known:
            self.known[context] = self._guess(context)
        return self.known[context]


def summary(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Sum of −log p of the targets, how many come first, and among five: (n, V), (n,) -> (3,)."""
    right = rows[np.arange(len(rows)), targets]
    ranks = (rows > right[:, None]).sum(1)
    return np.array([-np.log(right).sum(), (ranks < 1).sum(), (ranks < 5).sum()])


def joined(before: np.ndarray, after: np.ndarray, single: np.ndarray, power: float) -> np.ndarray:
    """The guesses from both sides made one; with power 1 the formula above: (n, V) each."""
    logs = power * (np.log(before) + np.log(after)) + (1 - 2 * power) * np.log(single)
    rows = np.exp(logs)
    return rows / rows.sum(1, keepdims=True)


def sides(
    batch: pre_training.MaskedBatch, pad: int, *, causal: bool
) -> tuple[list[list[int]], list[list[int]]]:
    """What stands before and after (nearest first) each place that is asked for.

    A causal model is asked at a place for the token after it, and nothing stands behind that.
    """
    texts = [row[row != pad].tolist() for row in batch.tokens]
    before, after = [], []
    for b, s in batch.chosen.nonzero().tolist():
        before.append(texts[b][: s + causal])
        after.append([] if causal else texts[b][:s:-1])
    return before, after


def run(config: Config, seed: int) -> Metrics:
    """One direction, one number of neighbors a side."""
    tokens = small_bert.vocabulary(config.get("vocabulary", small_bert.VOCABULARY))
    known = [piece.ids for piece in small_bert.training_pieces(tokens, config)]
    held_out = small_bert.articles("validation", config.get("articles"))
    causal, order, size = config["direction"] == "left", config["order"], len(tokens)
    pieces = small_bert.pieces(held_out, tokens)
    batches = [
        (*sides(batch, tokens.pad, causal=causal), batch.targets.numpy())
        for batch in bert_pretraining.questions(pieces, tokens, seed, causal=causal)
    ]
    left = Counts(known, size, order, [one for before, _, _ in batches for one in [[], *before]])
    backwards = [] if causal else (ids[::-1] for ids in known)
    right = Counts(backwards, size, order, [one for _, after, _ in batches for one in after])
    totals: dict[float, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for before, after, targets in batches:
        rows = np.stack([left.guess(context) for context in before])  # (n, V)
        if causal:
            totals[1.0] += summary(rows, targets)
            continue
        others = np.stack([right.guess(context) for context in after])
        for power in POWERS:
            totals[power] += summary(joined(rows, others, left.guess([]), power), targets)
    asked = sum(len(targets) for _, _, targets in batches)
    power = min(totals, key=lambda one: totals[one][0])
    nats, first, five = (totals[power] / asked).tolist()
    return {
        "nats": round(nats, 4),
        "perplexity": round(math.exp(nats), 3),
        "top1": round(first, 4),
        "top5": round(five, 4),
        "asked": asked,
        "power": power,
    }


STUDY = Study(
    name="bert_counting",
    chapter="11",
    title="Counting neighbors where the small BERT is asked",
    cells=[{"direction": "both", "order": n} for n in (1, 2, 3)],
    seeds=(0, 1, 2),
    run=run,
    smoke={"direction": "both", "order": 2, "articles": 60, "vocabulary": 300},
)
