"""Two studies of real text: English→French verses, whole books held out.

**verses_fixed_vector**, of chapter 2: a fixed vector, some minutes of training on one processor
core, on verses of up to `longest` subword tokens. The point is not a good translator but an honest
number: BLEU beside two translators without a network, on verses as short as those trained on and
on all verses of the held-out books.

**verses_attention**, of chapter 4: two translators of the same data, width, steps and learning
rate, one with a fixed vector, one with attention.

BLEU is that of greedy translations of held-out *books*, so no passage was seen in training. Of both
studies the first seed's weights and tokenizers are kept for the notebooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import verses
from course_lib.data.batching import PairSampler
from course_lib.data.splits import Splits
from course_lib.data.verses import VersePair
from course_lib.decoding.translation import Translator
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import WordDictionary
from course_lib.studies.engine import artifacts, measure, translators
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.translators import BATCH, bleu, fit
from course_lib.text.bpe import BPE
from course_lib.text.words import Vocabulary, WordTokenizer
from course_lib.training.loop import History

DICTIONARY_WORDS = 15  # the dictionary learns from the pairs whose English is this short
WORDS = (1, 13, 19, 25, 31, 100)  # buckets of English words

BuildCell = Callable[[Config, int, int], nn.Module]


class Material(NamedTuple):
    """What a cell reads: the verses of all parts, the training verses, and those in batches."""

    parts: Splits[VersePair]
    known: list[VersePair]
    batches: PairSampler


def untrained(config: Config, seed: int, build: BuildCell) -> tuple[Translator, Material]:
    """What `build` makes, with subwords of the training verses, and what it will read.

    Of the training verses those that are short enough are trained on.
    """
    parts = verses.split(verses.load("english", "french"))
    known = parts.train[: config["verses"]]
    source, target = (
        BPE.train(texts, config["merges"], min_count=5, fast=True)
        for texts in ((pair.source for pair in known), (pair.target for pair in known))
    )
    torch.manual_seed(seed)
    model = build(config, len(source), len(target)).to(device())
    translator = Translator(model, source, target)
    ids = translator.encode(short(known, translator, config["longest"]))
    return translator, Material(parts, known, PairSampler(ids, batch_size=BATCH, seed=seed))


def build(config: Config, source_vocab: int, target_vocab: int) -> nn.Module:
    """The untrained model of a cell."""
    names = ("width", "embedding", "dropout")
    sizes = {name: config[name] for name in names if name in config}
    if config.get("model") == "attention":
        sizes["score"] = config["score"]
        return AttentionEncoderDecoder(AttentionConfig(source_vocab, target_vocab, **sizes))
    return EncoderDecoder(Seq2SeqConfig(source_vocab, target_vocab, **sizes))


def train(config: Config, model: nn.Module, batches: PairSampler) -> tuple[History, Metrics]:
    """Train the model of a cell in place; the metrics say how large model and training are."""
    warmup = min(100, config["steps"] // 4)
    history = fit(model, batches, config["steps"], config["lr"], warmup=warmup)
    return history, {"training_pairs": len(batches.pairs), "parameters": measure.size(model)}


def short(pairs: Sequence[VersePair], translator: Translator, longest: int) -> list[VersePair]:
    """The pairs with at most `longest` tokens on either side."""
    ids = translator.encode(pairs)
    return [p for p, (s, t) in zip(pairs, ids, strict=True) if max(len(s), len(t)) <= longest]


# --- the baseline -----------------------------------------------------------------------------


def learn_dictionary(pairs: Sequence[VersePair]) -> WordDictionary:
    """A word dictionary from the shortest training verses."""
    split = _words().split
    tokenized = ((split(pair.source), split(pair.target)) for pair in pairs)
    return WordDictionary.learn(pair for pair in tokenized if len(pair[0]) <= DICTIONARY_WORDS)


def word_by_word(dictionary: WordDictionary, sentences: Sequence[str]) -> list[str]:
    """Sentences translated word by word."""
    words = _words()
    return [words.join(dictionary.translate(words.split(sentence))) for sentence in sentences]


@cache
def _words() -> WordTokenizer:
    """Splits text into words and punctuation marks."""
    return WordTokenizer(Vocabulary([]))


# --- the fixed vector -------------------------------------------------------------------------


def run_fixed_vector(config: Config, seed: int) -> Metrics:
    """Train on the short verses of the training books, score on the held-out ones."""
    translator, read = untrained(config, seed, build)
    history, metrics = train(config, translator.model, read.batches)
    metrics["loss"] = {"first": history.losses[0], "last": measure.last_loss(history.losses)}
    dictionary = learn_dictionary(read.known)
    everything = read.parts.test
    tests = {"short": short(everything, translator, config["longest"]), "all": everything}
    for name, test in tests.items():
        test = test[: config["test"]]
        sentences, references = [p.source for p in test], [p.target for p in test]
        systems: dict[str, Any] = {
            "model": translator.translate(sentences, limit=60),
            "dictionary": word_by_word(dictionary, sentences),
            "copy": sentences,
        }
        found = {system: bleu(texts, references) for system, texts in systems.items()}
        metrics[name] = {"verses": len(test), **found}
    translators.keep(FIXED_KEPT, config, seed, translator, {n: metrics[n] for n in tests})
    return metrics


def load_fixed_vector(*, folder: Path = artifacts.CHECKPOINTS) -> Translator:
    """The kept translator with a fixed vector."""
    return translators.load_kept(FIXED_KEPT, BPE, partial(build, FIXED_KEPT.config), folder)


# --- attention --------------------------------------------------------------------------------


def quality(config: Config, translator: Translator, read: Material) -> Metrics:
    """BLEU on validation and test verses, beside a dictionary, and by length."""
    dictionary = learn_dictionary(read.known)
    found: Metrics = {}
    for name in ("validation", "test"):
        chosen = getattr(read.parts, name)[:: config["every"]]
        sentences, references = [p.source for p in chosen], [p.target for p in chosen]
        written: list[Any] = translator.translate(sentences, limit=120)
        found[name] = {
            "verses": len(chosen),
            "model": bleu(written, references),
            "dictionary": bleu(word_by_word(dictionary, sentences), references),
            "by_words": _by_words(sentences, written, references),
        }
    return found


def _by_words(
    sentences: Sequence[str], written: Sequence[str], references: Sequence[str]
) -> Metrics:
    """BLEU of the verses whose English has so many words; buckets without a verse are left out."""
    found: Metrics = {}
    for low, high in pairwise(WORDS):
        inside = [i for i, text in enumerate(sentences) if low <= len(text.split()) < high]
        if inside:
            score = bleu([written[i] for i in inside], [references[i] for i in inside])["bleu"]
            found[f"{low}-{high - 1}"] = {"verses": len(inside), "bleu": score}
    return found


def run_attention(config: Config, seed: int, build: BuildCell = build) -> Metrics:
    """Train one translator and score it."""
    translator, read = untrained(config, seed, build)
    history, metrics = train(config, translator.model, read.batches)
    scores = quality(config, translator, read)
    translators.keep(ATTENTION_KEPT, config, seed, translator, scores)
    return metrics | {"losses": measure.loss_curve(history.losses, 50)} | scores


def load_attention(*, folder: Path = artifacts.CHECKPOINTS) -> Translator:
    """The kept translator with attention."""
    return translators.load_kept(ATTENTION_KEPT, BPE, partial(build, ATTENTION_KEPT.config), folder)


# --- the studies ------------------------------------------------------------------------------

BOOKS: dict[str, Any] = {
    "data": "Bible in Basic English and Louis Segond 1910, training books only",
    "licence": "MIT (weights); both translations are out of copyright",
}
FIXED_KEPT = artifacts.KeptWeights(
    name="verses_fixed_vector",
    config={
        "source": "english",
        "target": "french",
        "merges": 2000,
        "longest": 32,
        "verses": 100_000,
        "test": 500,
        "width": 192,
        "embedding": 96,
        "steps": 1500,
        "lr": 0.003,
    },
    what="English→French GRU encoder–decoder with one fixed vector, for chapter 02",
    limits="Fluent and mostly wrong. For teaching what one vector cannot carry.",
    **BOOKS,
)
ATTENTION_KEPT = artifacts.KeptWeights(
    name="verses_attention",
    config={
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
    },
    what="English→French GRU encoder–decoder with attention, for chapter 04",
    limits="One small corpus in one tone. For looking at attention, not for translating.",
    **BOOKS,
)
SMALL = {"verses": 1500, "merges": 300, "width": 32, "steps": 20}  # of smoke cells

FIXED_VECTOR = Study(
    name="verses_fixed_vector",
    chapter="02",
    title="Translation of verses through one fixed vector",
    cells=[FIXED_KEPT.config],
    seeds=(0, 1, 2),
    run=run_fixed_vector,
    smoke=FIXED_KEPT.config | SMALL | {"test": 40},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
ATTENTION = Study(
    name="verses_attention",
    chapter="04",
    title="Translation of verses, with attention and without",
    cells=[ATTENTION_KEPT.config, ATTENTION_KEPT.config | {"model": "fixed", "score": "none"}],
    seeds=(0, 1, 2),
    run=run_attention,
    smoke=ATTENTION_KEPT.config | SMALL | {"every": 40},
    tolerance=0.25,
)
