"""What does the next word cost, with and without the cache of keys and values?

A Transformer writes word by word. Without a cache it reads the whole prefix again for each word;
with one it reads the newest word only, and asks the keys and values it has kept. The source is
encoded once in both ways, so what is compared is the decoder alone.

Kept is, for several lengths of the prefix, the median time in milliseconds of the next word (its
log-probabilities) for one sentence on one thread; and the time of a whole sentence of that length,
the sum over its words, where the words between two measured lengths cost what a straight line
says. The weights are random: times do not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from course_lib.decoding.search import WithoutCache
from course_lib.studies.ch07.contest import TRANSFORMER
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.timing import median_milliseconds
from course_lib.transformer.model import Transformer, TransformerConfig, TransformerState

LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)  # words read before the next one
SOURCE = 32  # words of the source sentence
ROUNDS = 15
VOCABULARY = {"lab": 150, "wide": 8000}
WIDE = {"width": 512, "heads": 8, "layers": 6, "hidden": 2048}
SIZES: dict[str, dict[str, Any]] = {"lab": TRANSFORMER, "wide": WIDE}


def cached(model: Transformer, state: TransformerState, prefix: Tensor) -> Callable[[], Tensor]:
    """The next word after a prefix (B, P) whose keys and values are kept."""
    if prefix.shape[1] > 1:
        state = model.decoder(model.target_embedding(prefix[:, :-1]), state)[1]
    return lambda: model.step(prefix[:, -1], state)[0]


def uncached(model: Transformer, state: TransformerState, prefix: Tensor) -> Callable[[], Tensor]:
    """The same with the whole prefix read again."""
    return lambda: WithoutCache(model).step(prefix[:, -1], (state, prefix[:, :-1]))[0]


@torch.no_grad()
def run(config: Config, seed: int) -> Metrics:
    """Median milliseconds of the next word for each length, in both ways, in turns."""
    generator = torch.Generator().manual_seed(seed)
    words, lengths = VOCABULARY[config["size"]], config.get("lengths", LENGTHS)
    sizes = TransformerConfig(words, words, **SIZES[config["size"]])
    model = Transformer(sizes).to(device()).eval()
    source = torch.randint(4, words, (1, SOURCE), generator=generator).to(device())
    text = torch.randint(4, words, (1, max(lengths)), generator=generator).to(device())
    state, ways = model.init_state(source), {"cached": cached, "uncached": uncached}
    calls = {
        (way, length): make(model, state, text[:, :length])
        for way, make in ways.items()
        for length in lengths
    }
    for length in lengths:
        found, again = (calls[way, length]() for way in ways)
        torch.testing.assert_close(found, again, atol=1e-4, rtol=1e-4)
    rounds = config.get("rounds", ROUNDS)
    medians = median_milliseconds(calls, device=device(), seed=seed, rounds=(rounds, rounds))
    word = {way: {str(length): medians[way, length] for length in lengths} for way in ways}
    sentence = {way: _sums(row) for way, row in word.items()}
    ratio = {n: sentence["uncached"][n] / sentence["cached"][n] for n in sentence["cached"]}
    return {"word": word, "sentence": sentence, "speedup": ratio}


def _sums(row: dict[str, float]) -> dict[str, float]:
    """The time of a whole sentence of each length, from the times of single words."""
    points = [(int(length), time) for length, time in row.items()]
    total = points[0][1]
    sums = {str(points[0][0]): total}
    for (low, a), (high, b) in pairwise(points):
        total += sum(a + (b - a) * (n - low) / (high - low) for n in range(low + 1, high + 1))
        sums[str(high)] = round(total, 3)
    return sums


STUDY = Study(
    name="decoding_cost",
    chapter="07",
    title="The cost of the next word, with and without a cache of keys and values",
    cells=[{"size": size} for size in SIZES],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"size": "lab", "lengths": [1, 4, 8], "rounds": 2},
    timing=True,
)
