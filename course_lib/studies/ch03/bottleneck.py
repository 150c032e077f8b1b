"""What passes through one fixed vector? Accuracy by sentence length, and a probe of the vector.

One translator per cell, English→French on the lab. Cells differ in the width of the vector and in
how the source is read: forward, reversed (Sutskever et al. 2014), or in both directions. Test
sentences are the same for all cells. The cells with 0 steps are a control: a probe of a vector
that nobody trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.data import lab
from course_lib.data.batching import batches_by_length, pad
from course_lib.decoding.translation import Translator
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.probe import LinearProbe, majority_accuracy
from course_lib.studies.engine import measure
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.translators import (
    LENGTHS,
    TEST_SEED,
    by_length,
    fit,
    held_out,
    untrained,
)
from course_lib.text.words import PAD
from course_lib.training.loop import History

RANGES = [(low, low + 2) for low in range(4, 30, 3)] + [(31, 40)]  # the last: beyond training
PROBE_LENGTHS = (8, 16, 28)
POSITIONS = 24  # target positions for the accuracy by position, in sentences of 25 words or more


def train(config: Config, seed: int) -> tuple[Translator, History]:
    """Train the translator of one cell."""

    def build(source_vocab: int, target_vocab: int) -> EncoderDecoder:
        reading = {
            "bidirectional": config["reading"] == "both",
            "reverse_source": config["reading"] == "reversed",
        }
        width = config["width"]
        return EncoderDecoder(Seq2SeqConfig.lab(source_vocab, target_vocab, width=width, **reading))

    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS)
    translator, batches = untrained(build, pairs, seed)
    steps = config["steps"]
    return translator, fit(translator.model, batches, steps, 4e-3) if steps else History()


def buckets() -> list[str]:
    """Names of the ranges of length that training has: "4-6", "7-9", …"""
    return [f"{low}-{high}" for low, high in RANGES[:-1]]


@torch.no_grad()
def words_by_position(translator: Translator, *, sentences: int) -> list[float]:
    """Share of right next words at each target position, the reference given so far.

    Sentences of 25 to 30 English words. The reference prefix is given (teacher forcing), so one
    early mistake does not spoil the rest: this is accuracy per word, freed from its neighbors.
    """
    batch = translator.batch(held_out(sentences, (25, 30)))
    expected = batch.target[:, 1:]  # (B, T - 1)
    predicted = translator.model.eval()(batch.source, batch.target[:, :-1]).argmax(-1)
    right, real = predicted == expected, expected != PAD
    return [right[:, t][real[:, t]].float().mean().item() for t in range(POSITIONS)]


@torch.no_grad()
def final_states(model: EncoderDecoder, sentences: Sequence[Sequence[int]]) -> Tensor:
    """The vectors handed over, in the order of `sentences`: (N, D)."""
    model.eval()
    states = torch.empty(len(sentences), model.config.width)
    for indices in batches_by_length(sentences, 250):
        batch = pad([sentences[i] for i in indices]).to(device())
        states[indices] = model.encoder(batch)[1].cpu()
    return states


def probe(translator: Translator, *, length: int, train_n: int, test_n: int) -> Metrics:
    """Which of the `length` source words can a linear probe read from the vector?"""

    def examples(n: int, split: str, seed: int) -> tuple[Tensor, Tensor]:
        pairs = lab.generate(n, seed=seed, lengths=(length, length), split=split)
        sentences = [source for source, _ in translator.encode(pairs)]
        states = final_states(translator.model, sentences)
        return states, torch.tensor(sentences)  # (N, D), (N, length)

    features, labels = examples(train_n, "train", 2_000_003)
    test_features, test_labels = examples(test_n, "test", TEST_SEED)
    reader = LinearProbe(features.shape[1], length, len(translator.source))
    reader.fit(features, labels)
    return {
        "accuracy": reader.accuracy(test_features, test_labels).tolist(),
        "majority": majority_accuracy(labels, test_labels).tolist(),
    }


def run(config: Config, seed: int) -> Metrics:
    """Train one translator; measure its translations by length and probe its vector."""
    translator, history = train(config, seed)
    n = config["sentences"]
    metrics: Metrics = {
        "probe": {
            str(length): probe(translator, length=length, train_n=10 * n, test_n=5 * n)
            for length in PROBE_LENGTHS
        },
        "parameters": measure.size(translator.model),
    }
    if config["steps"]:
        metrics |= by_length(translator, sentences=n, ranges=RANGES)
        metrics["words_by_position"] = words_by_position(translator, sentences=3 * n)
        metrics["training_loss"] = measure.last_loss(history.losses)
    return metrics


def _cell(width: int = 128, reading: str = "forward", steps: int = 2000) -> Config:
    shared = {"steps": steps, "pairs": 20_000, "sentences": 200}
    return {"width": width, "reading": reading, **shared}


STUDY = Study(
    name="bottleneck",
    chapter="03",
    title="What passes through one fixed vector",
    cells=[
        _cell(),
        _cell(reading="reversed"),
        _cell(width=32),
        _cell(width=64),
        _cell(reading="both"),
        _cell(steps=0),
        _cell(width=256),
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell(width=32, steps=80) | {"pairs": 1000, "sentences": 20},
    tolerance=0.25,  # 20 sentences a bucket: one sentence is worth 0.05
)
