"""What passes through one fixed vector? Accuracy by sentence length, and a probe of the vector.

One translator per cell, English→French on the lab. Cells differ in the width of the vector and in
how the source is read: forward, reversed (Sutskever et al. 2014), or in both directions. Test
sentences are the same for all cells. The cells with 0 steps are a control: a probe of a vector
that nobody trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.data import lab
from course_lib.data.batching import PairSampler, batches_by_length, pad
from course_lib.decoding.translation import encode, tokenizers, translate
from course_lib.evaluation import scores
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.recurrent.probe import LinearProbe, majority_accuracy
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.words import BOS, EOS, PAD, WordTokenizer
from course_lib.training import loop, losses, schedules

TEST_SEED = 1_000_003
LENGTHS = (4, 30)  # English words in training
EDGES = (4, 7, 10, 13, 16, 19, 22, 25, 28, 31)
LONGER = (31, 40)  # longer than any training sentence
RANGES = [(low, high - 1) for low, high in zip(EDGES, EDGES[1:], strict=False)] + [LONGER]
PROBE_LENGTHS = (8, 16, 28)
POSITIONS = 24  # target positions for the accuracy by position, in sentences of 25 words or more


def train_model(
    config: Config, seed: int, *, progress: bool = False
) -> tuple[EncoderDecoder, WordTokenizer, WordTokenizer, loop.History]:
    """Train the translator of one cell."""
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS)
    source, target = tokenizers(pairs)
    torch.manual_seed(seed)
    model = EncoderDecoder(
        Seq2SeqConfig.lab(
            len(source),
            len(target),
            width=config["width"],
            bidirectional=config["reading"] == "both",
            reverse_source=config["reading"] == "reversed",
        )
    ).to(device())
    if config["steps"] == 0:
        return model, source, target, loop.History()
    history = loop.fit(
        model,
        losses.translation_loss,
        PairSampler(encode(pairs, source, target), batch_size=64, seed=seed),
        config["steps"],
        lr=4e-3,
        schedule=schedules.cosine(config["steps"], warmup=50),
        progress=progress,
    )
    return model, source, target, history


def buckets(edges: Sequence[int] = EDGES) -> list[str]:
    """Names of the length buckets: "4-6", "7-9", …"""
    return [f"{low}-{high - 1}" for low, high in zip(edges, edges[1:], strict=False)]


def by_length(
    model: nn.Module,
    source: WordTokenizer,
    target: WordTokenizer,
    *,
    sentences: int,
    ranges: Sequence[tuple[int, int]] = RANGES,
    language: str = "french",
) -> Metrics:
    """Exact match and BLEU of greedy translations, by English length; the last is LONGER."""
    exact: dict[str, float] = {}
    bleu: dict[str, float] = {}
    signature = ""
    for low, high in ranges:
        test = lab.generate(
            sentences, seed=TEST_SEED, lengths=(low, high), target=language, split="test"
        )
        hypotheses = [lab.detokenize(words) for words in translate(model, source, target, test)]
        references = [lab.detokenize(pair.target) for pair in test]
        hits = scores.exact_match(hypotheses, references)
        exact[f"{low}-{high}"] = sum(hits) / len(hits)
        bleu[f"{low}-{high}"], signature = scores.bleu(hypotheses, references)
    return {"exact_match": exact, "bleu": bleu, "signature": signature}


@torch.no_grad()
def words_by_position(
    model: EncoderDecoder, source: WordTokenizer, target: WordTokenizer, *, sentences: int
) -> list[float]:
    """Share of right next words at each target position, the reference given so far.

    Sentences of 25 to 30 English words. The reference prefix is given (teacher forcing), so one
    early mistake does not spoil the rest: this is accuracy per word, freed from its neighbors.
    """
    model.eval()
    test = lab.generate(sentences, seed=TEST_SEED, lengths=(25, 30), split="test")
    ids = encode(test, source, target)
    sources = pad([s for s, _ in ids]).to(device())
    targets = pad([[BOS, *t, EOS] for _, t in ids]).to(device())
    predicted = model(sources, targets[:, :-1]).argmax(-1)  # (B, T - 1)
    expected, real = targets[:, 1:], targets[:, 1:] != PAD
    return [
        (predicted == expected)[:, t][real[:, t]].float().mean().item() for t in range(POSITIONS)
    ]


@torch.no_grad()
def final_states(model: EncoderDecoder, sentences: Sequence[Sequence[int]]) -> Tensor:
    """The vectors handed over, in the order of ``sentences``: (N, D)."""
    model.eval()
    states = torch.empty(len(sentences), model.config.width)
    for indices in batches_by_length(sentences, 250):
        batch = pad([sentences[i] for i in indices]).to(device())
        states[indices] = model.encoder(batch)[1].cpu()
    return states


def probe(
    model: EncoderDecoder, source: WordTokenizer, *, length: int, train_n: int, test_n: int
) -> Metrics:
    """Which of the ``length`` source words can a linear probe read from the vector?"""

    def examples(n: int, split: str, seed: int) -> tuple[Tensor, Tensor]:
        pairs = lab.generate(n, seed=seed, lengths=(length, length), split=split)
        sentences = [source.encode(" ".join(pair.source)) for pair in pairs]
        return final_states(model, sentences), torch.tensor(sentences)  # (N, D), (N, length)

    features, labels = examples(train_n, "train", 2_000_003)
    test_features, test_labels = examples(test_n, "test", TEST_SEED)
    reader = LinearProbe(features.shape[1], length, len(source))
    reader.fit(features, labels)
    return {
        "accuracy": reader.accuracy(test_features, test_labels).tolist(),
        "majority": majority_accuracy(labels, test_labels).tolist(),
    }


def run(config: Config, seed: int) -> Metrics:
    """Train one translator; measure its translations by length and probe its vector."""
    model, source, target, history = train_model(config, seed)
    n = config["sentences"]
    probes = {
        str(length): probe(model, source, length=length, train_n=10 * n, test_n=5 * n)
        for length in PROBE_LENGTHS
    }
    shared = {"probe": probes, "parameters": sum(p.numel() for p in model.parameters())}
    if config["steps"] == 0:
        return shared
    last = history.losses[-50:]
    return {
        **by_length(model, source, target, sentences=n),
        "words_by_position": words_by_position(model, source, target, sentences=3 * n),
        "training_loss": sum(last) / len(last),
        **shared,
    }


def _cell(width: int = 128, reading: str = "forward", steps: int = 2000) -> Config:
    return {
        "width": width,
        "reading": reading,
        "steps": steps,
        "pairs": 20_000,
        "sentences": 200,
    }


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
