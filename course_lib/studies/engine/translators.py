"""What the studies of chapters 2 to 7 share: a translator is fitted, scored, and kept.

A study of the lab generates sentences (`lab.generate`), takes a translator for them
(`untrained`), fits it (`fit`) and scores what it writes (`score`, `by_length`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_lib.data import lab
from course_lib.data.batching import PairSampler
from course_lib.decoding.translation import Translator, score, tokenizers
from course_lib.evaluation import scores
from course_lib.recurrent.encoder_decoder import EncoderDecoder
from course_lib.studies.engine.artifacts import CHECKPOINTS, KeptWeights
from course_lib.studies.engine.core import Metrics, device
from course_lib.text.words import Tokenizer
from course_lib.training import loop, losses, schedules
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer

BATCH = 64  # sentences
TEST_SEED = 1_000_003  # the same test sentences for every training seed
LENGTHS = (4, 30)  # English words of a training sentence
LAB: dict[str, Any] = {  # what the card of a translator of the lab says
    "data": "the translation lab, which is generated",
    "licence": "MIT",
    "limits": "Knows the words and the grammar of the lab and nothing else.",
}
Build = Callable[[int, int], nn.Module]  # sizes of the two vocabularies -> a new model


def untrained(
    build: Build, pairs: Sequence[lab.Pair], seed: int, batch_size: int = BATCH
) -> tuple[Translator, PairSampler]:
    """A translator with tokenizers for lab pairs, and these pairs in batches."""
    source, target = tokenizers(pairs)
    torch.manual_seed(seed)
    translator = Translator(build(len(source), len(target)).to(device()), source, target)
    return translator, PairSampler(translator.encode(pairs), batch_size, seed)


def fit(
    model: nn.Module,
    batches: PairSampler,
    steps: int,
    lr: float,
    *,
    warmup: int = 50,
    loss: loop.Loss = losses.translation_loss,
) -> loop.History:
    """Train a translator in place: Adam, a warm-up, then half a cosine."""
    schedule = schedules.cosine(steps, warmup=warmup)
    return loop.fit(model, loss, batches, steps, lr=lr, schedule=schedule)


def flops(model: EncoderDecoder | Transformer, batches: PairSampler, steps: int) -> int:
    """What so many steps cost, by `training_flops`, with padding."""
    total = 0
    for step in range(steps):
        batch = batches.batch(step)
        lengths = batch.source.shape[1], batch.target.shape[1] - 1
        total += len(batch) * training_flops(model.config, *lengths)
    return total


def held_out(
    count: int, lengths: tuple[int, int], language: str = "french", split: str = "test"
) -> list[lab.Pair]:
    """Sentences of the lab that no training has seen, the same for every model."""
    return lab.generate(count, seed=TEST_SEED, lengths=lengths, target=language, split=split)


def bleu(written: Sequence[str], references: Sequence[str]) -> Metrics:
    """BLEU with its signature."""
    result = scores.bleu(written, references)
    return {"bleu": result.score, "signature": result.signature}


def by_length(
    translator: Translator,
    *,
    sentences: int,
    ranges: Sequence[tuple[int, int]],
    language: str = "french",
) -> Metrics:
    """Exact match and BLEU of greedy translations, by ranges of English words."""
    found: Metrics = {"exact_match": {}, "bleu": {}}
    for low, high in ranges:
        test = held_out(sentences, (low, high), language)
        row = score(translator.translate(test), test)
        for metric in ("exact_match", "bleu"):
            found[metric][f"{low}-{high}"] = row[metric]
    return found | {"signature": row["signature"]}


def keep(
    kept: KeptWeights, config: Metrics, seed: int, translator: Translator, scores: Metrics
) -> None:
    """As `KeptWeights.keep`, with both tokenizers."""
    sides = {"source": translator.source, "target": translator.target}
    kept.keep(config, seed, translator.model, scores, **sides)


def load_kept(
    kept: KeptWeights, kind: type[Tokenizer], build: Build, folder: Path = CHECKPOINTS
) -> Translator:
    """A kept translator in evaluation mode.

    Raises:
        KeyError: the weights are not there.
        FileNotFoundError: a tokenizer is not there.
    """
    source, target = (kept.tokenizer(kind, side, folder=folder) for side in ("source", "target"))
    model = build(len(source), len(target))
    kept.load(model, folder=folder)
    return Translator(model.eval(), source, target)
