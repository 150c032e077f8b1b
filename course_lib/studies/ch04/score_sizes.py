"""How large the scores of trained translators are, and whether their scale matters.

The models with the plain and the scaled dot product of the study `attention_lab`, trained again.
For sentences of three lengths: how far the largest score of a step lies above the mean of the
others, and how much weight that gives. Then the scores are multiplied, in the trained model, and
it translates sentences longer than all of training: flat weights that stood in its way would do so
less, times 2.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from course_lib.attention.attend import Score
from course_lib.decoding.translation import Translator, score
from course_lib.studies.ch03.bottleneck import RANGES
from course_lib.studies.ch04 import attention_lab
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import held_out

WORDS = (10, 29, 45)  # of the sentences whose scores are read: one length each, no padding
FACTORS = {"half": 0.5, "as_trained": 1.0, "twice": 2.0, "four_times": 4.0}


class Multiplied(nn.Module):
    """A score times a factor, which keeps what it gave."""

    def __init__(self, score: Score, factor: float = 1.0) -> None:
        super().__init__()
        self.score = score
        self.factor = factor
        self.given: list[Tensor] = []

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(…, T, K), (…, S, K) -> (…, T, S)."""
        self.given.append(self.factor * self.score(queries, keys))
        return self.given[-1]


def multiplied(translator: Translator, factor: float = 1.0) -> Translator:
    """A translator whose scores are multiplied; the given one stays as it is."""
    model = copy.deepcopy(translator.model)
    model.decoder.score = Multiplied(model.decoder.score, factor)
    return replace(translator, model=model)


@torch.no_grad()
def sizes(translator: Translator, words: int, sentences: int) -> Metrics:
    """Scores and weights at the words of the references, which are given so far.

    lead: the largest score over the mean of the others; highest: the largest of all scores;
    weight: the largest weight of a step; sharp: share of steps in which it is 0.9 or more.
    """
    asked = multiplied(translator)
    steps = []
    for pair in held_out(sentences, (words, words)):
        asked.model.decoder.score.given.clear()
        asked.attention_weights([pair])
        rows = torch.cat(asked.model.decoder.score.given, dim=1)[0]  # (T, S)
        steps.append(rows[: len(pair.target)])
    scores = torch.cat(steps)  # (N, S)
    largest = scores.amax(-1)
    others = (scores.sum(-1) - largest) / (words - 1)
    weight = scores.softmax(-1).amax(-1)
    return {
        "lead": (largest - others).mean().item(),
        "highest": scores.max().item(),
        "weight": weight.mean().item(),
        "sharp": (weight >= 0.9).float().mean().item(),
    }


def run(config: Config, seed: int) -> Metrics:
    """Train one translator and measure its scores."""
    translator, _ = attention_lab.train(config, seed)
    translator.model.eval()
    n = config["sentences"]
    right: Metrics = {}
    for low, high in (RANGES[-2], RANGES[-1], attention_lab.STILL_LONGER):
        test = held_out(n, (low, high))
        right[f"{low}-{high}"] = {
            name: score(multiplied(translator, factor).translate(test), test)["exact_match"]
            for name, factor in FACTORS.items()
        }
    found = {str(words): sizes(translator, words, n // 2) for words in WORDS}
    return {"sizes": found, "exact_match": right}


def _cell(score: str, steps: int = 2000) -> Config:
    shared = {"language": "french", "reading": "both", "pairs": 20_000, "sentences": 200}
    return {"score": score, "steps": steps, **shared}


STUDY = Study(
    name="score_sizes",
    chapter="04",
    title="How large the scores of a trained translator are, and whether their scale matters",
    cells=[_cell("dot"), _cell("scaled_dot")],
    seeds=(0, 1, 2),
    run=run,
    smoke=_cell("dot", steps=60) | {"pairs": 1000, "sentences": 20},
    tolerance=0.25,
)
