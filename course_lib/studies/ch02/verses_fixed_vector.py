"""A fixed vector on real text: English→French verses, books held out.

Some minutes of training on one processor core, on verses of up to ``longest`` subword tokens.
The point is not a good translator but an honest number: BLEU beside two translators without a
network, on verses as short as those trained on and on all verses of the held-out books. The
first seed's weights and tokenizers are kept for the notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import nn

from course_lib.data import verses
from course_lib.data.batching import PairSampler
from course_lib.data.verses import VersePair
from course_lib.decoding.translation import translate_ids
from course_lib.evaluation.scores import bleu
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.word_dictionary import WordDictionary
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.bpe import BPE
from course_lib.text.words import Vocabulary, WordTokenizer
from course_lib.training import loop, losses, schedules

NAME = "verses_fixed_vector"
DICTIONARY_WORDS = 15  # the dictionary learns from the pairs whose English is this short


def short(pairs: Sequence[VersePair], source: BPE, target: BPE, longest: int) -> list[VersePair]:
    """The pairs with at most ``longest`` tokens on either side."""
    return [
        pair
        for pair in pairs
        if max(len(source.encode(pair.source)), len(target.encode(pair.target))) <= longest
    ]


def translate(
    model: nn.Module, source: BPE, target: BPE, sentences: Sequence[str], limit: int = 60
) -> list[str]:
    """Greedy translations of at most ``limit`` tokens, in the order of ``sentences``."""
    ids = [source.encode(sentence) for sentence in sentences]
    return [target.decode(tokens) for tokens in translate_ids(model, ids, limit)]


def learn_dictionary(pairs: Sequence[VersePair]) -> WordDictionary:
    """A word dictionary from the shortest training verses."""
    split = words().split
    tokenized = ((split(pair.source), split(pair.target)) for pair in pairs)
    return WordDictionary.learn(pair for pair in tokenized if len(pair[0]) <= DICTIONARY_WORDS)


def word_by_word(dictionary: WordDictionary, sentence: str) -> str:
    """A sentence translated word by word."""
    return words().join(dictionary.translate(words().split(sentence)))


@cache
def words() -> WordTokenizer:
    """Splits text into words and punctuation marks, for the dictionary."""
    return WordTokenizer(Vocabulary([]))


def load_translator(*, folder: Path = artifacts.CHECKPOINTS) -> tuple[EncoderDecoder, BPE, BPE]:
    """The kept model of the first seed with its two tokenizers.

    Raises:
        KeyError: the weights are not there.
        FileNotFoundError: a tokenizer is not there.
    """
    source, target = artifacts.tokenizers(NAME, BPE, folder=folder)
    model = EncoderDecoder(_sizes(source, target, STUDY.cells[0]))
    artifacts.load(NAME, model, folder=folder)
    return model.eval(), source, target


def run(config: Config, seed: int) -> Metrics:
    """Train on the short verses of the training books, score on the held-out ones."""
    parts = verses.split(verses.load(config["source"], config["target"]))
    known = parts.train[: config["verses"]]
    source = BPE.train((p.source for p in known), config["merges"], min_count=5, fast=True)
    target = BPE.train((p.target for p in known), config["merges"], min_count=5, fast=True)
    training = short(known, source, target, config["longest"])
    model, history = _train(config, seed, source, target, training)
    dictionary = learn_dictionary(known)
    metrics: Metrics = {
        "training_pairs": len(training),
        "loss": {"first": history.losses[0], "last": _mean(history.losses[-50:])},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    for name, test in (
        ("short", short(parts.test, source, target, config["longest"])),
        ("all", parts.test),
    ):
        test = test[: config["test"]]
        sentences = [pair.source for pair in test]
        systems = {
            "model": translate(model, source, target, sentences),
            "dictionary": [word_by_word(dictionary, sentence) for sentence in sentences],
            "copy": sentences,
        }
        references = [pair.target for pair in test]
        scores = {system: _bleu(texts, references) for system, texts in systems.items()}
        metrics[name] = {"verses": len(test), **scores}
    if seed == STUDY.seeds[0]:
        _keep(model, source, target, config, metrics)
    return metrics


def _train(
    config: Config, seed: int, source: BPE, target: BPE, pairs: Sequence[VersePair]
) -> tuple[EncoderDecoder, loop.History]:
    torch.manual_seed(seed)
    model = EncoderDecoder(_sizes(source, target, config)).to(device())
    ids = [(source.encode(pair.source), target.encode(pair.target)) for pair in pairs]
    history = loop.fit(
        model,
        losses.translation_loss,
        PairSampler(ids, batch_size=64, seed=seed),
        config["steps"],
        lr=config["lr"],
        schedule=schedules.cosine(config["steps"], warmup=min(100, config["steps"] // 4)),
        progress=False,
    )
    return model, history


def _sizes(source: BPE, target: BPE, config: Config) -> Seq2SeqConfig:
    return Seq2SeqConfig(
        len(source), len(target), width=config["width"], embedding=config["embedding"]
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _bleu(hypotheses: Sequence[str], references: Sequence[str]) -> Metrics:
    result = bleu(hypotheses, references)
    return {"bleu": result.score, "signature": result.signature}


def _keep(
    model: EncoderDecoder, source: BPE, target: BPE, config: Config, metrics: Metrics
) -> None:
    card = {
        "what": "English→French GRU encoder–decoder with one fixed vector, for chapter 02",
        "config": config,
        "seed": STUDY.seeds[0],
        "data": "Bible in Basic English and Louis Segond 1910, training books only",
        "licence": "MIT (weights); both translations are out of copyright",
        "storage": "16-bit floats",
        "scores": {"short": metrics["short"], "all": metrics["all"]},
        "limits": "Fluent and mostly wrong. For teaching what one vector cannot carry.",
    }
    artifacts.save_translator(NAME, model, card, source, target)


CELL: Config = {
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
}

STUDY = Study(
    name=NAME,
    chapter="02",
    title="Translation of verses through one fixed vector",
    cells=[CELL],
    seeds=(0, 1, 2),
    run=run,
    smoke=CELL | {"verses": 1500, "merges": 300, "test": 40, "width": 32, "steps": 20},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
