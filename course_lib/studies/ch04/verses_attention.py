"""Attention on real text: English→French verses, whole books held out.

Two translators of the same data, width, steps and learning rate: one with a fixed vector, one with
attention. BLEU is that of greedy translations of held-out *books*, so no passage was seen in
training. The first seed's model with attention is kept for the notebooks, with its tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import verses
from course_lib.data.batching import PairSampler
from course_lib.data.splits import Splits
from course_lib.evaluation import scores
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.ch02.verses_fixed_vector import (
    learn_dictionary,
    short,
    translate,
    word_by_word,
)
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.bpe import BPE
from course_lib.training import loop, schedules
from course_lib.training.losses import translation_loss

NAME = "verses_attention"
WORDS = (1, 13, 19, 25, 31, 100)  # buckets of English words


def tokenizers(config: Config, known: Sequence[verses.VersePair]) -> tuple[BPE, BPE]:
    """Subwords of the two languages, learned on the training books."""
    source, target = (
        BPE.train(texts, config["merges"], min_count=5, fast=True)
        for texts in ((p.source for p in known), (p.target for p in known))
    )
    return source, target


def build(config: Config, source: BPE, target: BPE) -> nn.Module:
    """The untrained model of a cell."""
    sizes = {name: config[name] for name in ("width", "embedding", "dropout")}
    if config["model"] == "fixed":
        return EncoderDecoder(Seq2SeqConfig(len(source), len(target), **sizes))
    return AttentionEncoderDecoder(
        AttentionConfig(len(source), len(target), score=config["score"], **sizes)
    )


def load_translator(
    *, folder: Path = artifacts.CHECKPOINTS
) -> tuple[AttentionEncoderDecoder, BPE, BPE]:
    """The kept model with attention and its two tokenizers.

    Raises:
        KeyError: the weights are not there.
        FileNotFoundError: a tokenizer is not there.
    """
    source, target = artifacts.tokenizers(NAME, BPE, folder=folder)
    model = build(KEPT, source, target)
    artifacts.load(NAME, model, folder=folder)
    return model.eval(), source, target


def sampler(config: Config, seed: int) -> tuple[PairSampler, BPE, BPE, Splits[verses.VersePair]]:
    """The batches of a cell, the tokenizers, and the verses of all parts."""
    parts = verses.split(verses.load("english", "french"))
    known = parts.train[: config["verses"]]
    source, target = tokenizers(config, known)
    pairs = [
        (source.encode(pair.source), target.encode(pair.target))
        for pair in short(known, source, target, config["longest"])
    ]
    return PairSampler(pairs, batch_size=64, seed=seed), source, target, parts


def measure(
    config: Config, seed: int, build: Callable[[Config, BPE, BPE], nn.Module]
) -> tuple[Metrics, nn.Module, BPE, BPE]:
    """Train what ``build`` makes on verses of the training books, score on held-out ones."""
    batches, source, target, parts = sampler(config, seed)
    torch.manual_seed(seed)
    model = build(config, source, target).to(device())
    history = loop.fit(
        model,
        translation_loss,
        batches,
        config["steps"],
        lr=config["lr"],
        schedule=schedules.cosine(config["steps"], warmup=min(100, config["steps"] // 4)),
        progress=False,
    )
    losses = [
        sum(piece) / len(piece)
        for i in range(0, config["steps"], 50)
        if (piece := history.losses[i : i + 50])
    ]
    metrics: Metrics = {
        "training_pairs": len(batches.pairs),
        "losses": losses,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    dictionary = learn_dictionary(parts.train[: config["verses"]])
    for name, pairs in (("validation", parts.validation), ("test", parts.test)):
        chosen = pairs[:: config["every"]]
        sentences = [pair.source for pair in chosen]
        references = [pair.target for pair in chosen]
        written = translate(model, source, target, sentences, limit=120)
        by_dictionary = [word_by_word(dictionary, sentence) for sentence in sentences]
        metrics[name] = {
            "verses": len(chosen),
            "model": _bleu(written, references),
            "dictionary": _bleu(by_dictionary, references),
            "by_words": _by_words(sentences, written, references),
        }
    return metrics, model, source, target


def run(config: Config, seed: int) -> Metrics:
    """Train one translator and score it; keep the first one with attention."""
    metrics, model, source, target = measure(config, seed, build)
    if seed == STUDY.seeds[0] and config["model"] == "attention":
        _keep(model, source, target, config, metrics)
    return metrics


def _by_words(
    sentences: Sequence[str], written: Sequence[str], references: Sequence[str]
) -> Metrics:
    """BLEU of the verses whose English has so many words; buckets without a verse are left out."""
    found: Metrics = {}
    for low, high in zip(WORDS, WORDS[1:], strict=False):
        inside = [i for i, text in enumerate(sentences) if low <= len(text.split()) < high]
        if inside:
            found[f"{low}-{high - 1}"] = {
                "verses": len(inside),
                "bleu": scores.bleu(
                    [written[i] for i in inside], [references[i] for i in inside]
                ).score,
            }
    return found


def _bleu(hypotheses: Sequence[str], references: Sequence[str]) -> Metrics:
    result = scores.bleu(hypotheses, references)
    return {"bleu": result.score, "signature": result.signature}


def _keep(model: nn.Module, source: BPE, target: BPE, config: Config, metrics: Metrics) -> None:
    card = {
        "what": "English→French GRU encoder–decoder with attention, for chapter 04",
        "config": config,
        "seed": STUDY.seeds[0],
        "data": "Bible in Basic English and Louis Segond 1910, training books only",
        "licence": "MIT (weights); both translations are out of copyright",
        "storage": "16-bit floats",
        "scores": {name: metrics[name] for name in ("validation", "test")},
        "limits": "One small corpus in one tone. For looking at attention, not for translating.",
    }
    artifacts.save_translator(NAME, model, card, source, target)


KEPT: Config = {
    "model": "attention",
    "score": "additive",
    "merges": 3000,
    "longest": 48,
    "verses": 100_000,
    "every": 2,
    "width": 192,
    "embedding": 128,
    "dropout": 0.2,
    "steps": 3000,
    "lr": 0.003,
}

STUDY = Study(
    name=NAME,
    chapter="04",
    title="Translation of verses, with attention and without",
    cells=[KEPT, KEPT | {"model": "fixed", "score": "none"}],
    seeds=(0, 1, 2),
    run=run,
    smoke=KEPT | {"verses": 1500, "merges": 300, "every": 40, "width": 32, "steps": 20},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
