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

import random
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.decoding.search import WithoutCache
from course_lib.studies.ch05.layer_cost import synchronize
from course_lib.studies.ch07.one_budget import TRANSFORMER
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.transformer.model import Transformer, TransformerConfig, TransformerState

LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)  # words read before the next one
SOURCE = 32  # words of the source sentence
ROUNDS = 15
VOCABULARY = {"lab": 150, "wide": 8000}
SIZES = {"lab": TRANSFORMER, "wide": {"width": 512, "heads": 8, "layers": 6, "hidden": 2048}}


def build(size: str) -> Transformer:
    """An untrained model of :data:`SIZES`, ready to write."""
    words = VOCABULARY[size]
    return Transformer(TransformerConfig(words, words, **SIZES[size])).to(device()).eval()


def cached(model: Transformer, state: TransformerState, prefix: Tensor) -> Callable[[], Tensor]:
    """The next word after a prefix (B, P) whose keys and values are kept."""
    kept = (
        model.decoder(model.target_embedding(prefix[:, :-1]), state)[1]
        if (prefix.shape[1] > 1)
        else state
    )
    return lambda: model.step(prefix[:, -1], kept)[0]


def uncached(model: Transformer, state: TransformerState, prefix: Tensor) -> Callable[[], Tensor]:
    """The same with the whole prefix read again."""
    return lambda: WithoutCache(model).step(prefix[:, -1], (state, prefix[:, :-1]))[0]


@torch.no_grad()
def run(config: Config, seed: int) -> Metrics:
    """Median milliseconds of the next word for each length, in both ways, in turns."""
    generator = torch.Generator().manual_seed(seed)
    model, where = build(config["size"]), device()
    words = VOCABULARY[config["size"]]
    lengths = config.get("lengths", LENGTHS)
    source = torch.randint(4, words, (1, SOURCE), generator=generator).to(where)
    text = torch.randint(4, words, (1, max(lengths)), generator=generator).to(where)
    state = model.init_state(source)
    calls = {
        (name, length): make(model, state, text[:, :length])
        for name, make in {"cached": cached, "uncached": uncached}.items()
        for length in lengths
    }
    for length in lengths:
        torch.testing.assert_close(
            calls["cached", length](), calls["uncached", length](), atol=1e-4, rtol=1e-4
        )
    taken: dict[tuple[str, int], list[float]] = {which: [] for which in calls}
    order = list(calls)
    for _ in range(config.get("rounds", ROUNDS)):
        random.Random(seed).shuffle(order)
        for which in order:
            synchronize(where)
            started = time.perf_counter()
            calls[which]()
            synchronize(where)
            taken[which].append(1000 * (time.perf_counter() - started))
    word = {
        name: {
            str(length): float(f"{statistics.median(taken[name, length]):.5g}")
            for length in lengths
        }
        for name in ("cached", "uncached")
    }
    sentence = {name: _sums(row) for name, row in word.items()}
    ratio = {n: sentence["uncached"][n] / sentence["cached"][n] for n in sentence["cached"]}
    return {"word": word, "sentence": sentence, "speedup": ratio}


def _sums(row: dict[str, float]) -> dict[str, float]:
    """The time of a whole sentence of each length, from the times of single words."""
    sizes, times = [int(n) for n in row], list(row.values())
    total, sums = times[0], {str(sizes[0]): times[0]}
    for (low, a), (high, b) in zip(
        zip(sizes, times, strict=True), list(zip(sizes, times, strict=True))[1:], strict=False
    ):
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
