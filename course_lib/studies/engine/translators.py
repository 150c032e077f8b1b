"""What the studies of chapters 2 to 7 share: a translator is fitted, kept, and scored.

A study of the lab generates sentences (`lab.generate`), encodes them (`encoded`), fits a model
(`fit`) and scores its translations (`quality`, `by_length`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from course_lib.data import lab
from course_lib.data.batching import Batch, PairSampler
from course_lib.decoding.translation import encode, tokenizers, translate
from course_lib.evaluation import scores
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Metrics
from course_lib.studies.engine.measure import mean
from course_lib.text.words import WordTokenizer
from course_lib.training import loop, losses, schedules
from course_lib.transformer.costs import training_flops

BATCH = 64  # sentences
TEST_SEED = 1_000_003  # the same test sentences for every training seed
LENGTHS = (4, 30)  # English words of a training sentence
LAB = {  # what the card of a translator of the lab says
    "data": "the translation lab, which is generated",
    "licence": "MIT",
    "limits": "Knows the words and the grammar of the lab and nothing else.",
}


def encoded(
    pairs: Sequence[lab.Pair], seed: int
) -> tuple[WordTokenizer, WordTokenizer, PairSampler]:
    """The two tokenizers of lab pairs, and the pairs in batches."""
    source, target = tokenizers(pairs)
    return source, target, PairSampler(encode(pairs, source, target), batch_size=BATCH, seed=seed)


def fit(
    model: nn.Module,
    batches: PairSampler,
    steps: int,
    lr: float,
    *,
    warmup: int = 50,
    loss: Callable[[nn.Module, Batch], object] = losses.translation_loss,
) -> loop.History:
    """Train a translator in place: Adam, a warm-up, then half a cosine."""
    return loop.fit(
        model,
        loss,
        batches,
        steps,
        lr=lr,
        schedule=schedules.cosine(steps, warmup=warmup),
        progress=False,
    )


def flops(model: nn.Module, batches: PairSampler, steps: int) -> int:
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


def quality(translations: Sequence[Sequence[str]], pairs: Sequence[lab.Pair]) -> Metrics:
    """BLEU with its signature, and the share of sentences without a single wrong word."""
    written = [lab.detokenize(list(words)) for words in translations]
    references = [lab.detokenize(pair.target) for pair in pairs]
    exact_match = mean(scores.exact_match(written, references))
    return {**bleu(written, references), "exact_match": exact_match}


def bleu(written: Sequence[str], references: Sequence[str]) -> Metrics:
    """BLEU with its signature."""
    result = scores.bleu(written, references)
    return {"bleu": result.score, "signature": result.signature}


def by_length(
    model: nn.Module,
    source: WordTokenizer,
    target: WordTokenizer,
    *,
    sentences: int,
    ranges: Sequence[tuple[int, int]],
    language: str = "french",
) -> Metrics:
    """Exact match and BLEU of greedy translations, by ranges of English words."""
    found: Metrics = {"exact_match": {}, "bleu": {}}
    for low, high in ranges:
        test = held_out(sentences, (low, high), language)
        row = quality(translate(model, source, target, test), test)
        for metric in ("exact_match", "bleu"):
            found[metric][f"{low}-{high}"] = row[metric]
    return found | {"signature": row["signature"]}


def load_kept(
    kept: artifacts.Checkpoint,
    kind: type[artifacts.Tokenizer],
    build: Callable[[artifacts.Tokenizer, artifacts.Tokenizer], nn.Module],
    *,
    folder: Path = artifacts.CHECKPOINTS,
) -> tuple[nn.Module, artifacts.Tokenizer, artifacts.Tokenizer]:
    """A kept translator in evaluation mode, with the tokenizers of its source and target.

    Raises:
        KeyError: the weights are not there.
        FileNotFoundError: a tokenizer is not there.
    """
    source, target = (kept.tokenizer(kind, side, folder=folder) for side in ("source", "target"))
    model = build(source, target)
    kept.load(model, folder=folder)
    return model.eval(), source, target
