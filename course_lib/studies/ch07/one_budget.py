"""One corpus, one budget, one table: the fixed vector, attention, and the Transformer on the lab.

Three translators with about the same number of parameters learn the same sentences, in the same
batches and order. Each is trained with several numbers of steps, every time with a schedule of its
own, so that a point of the curve "quality against cost" is a finished model and not one in the
middle of its training.

The cost of a training run is told in three ways: steps; FLOPs, counted by the formulas of
`course_lib.transformer.costs` with padding; and seconds of processor time on one thread. The
recorded runs shared the machine with other work, which stretched them by up to a quarter.
`at_cost` reads the quality at a given cost off the curve.

The peak learning rate of each model was chosen on validation sentences, with 1,000 steps and a seed
that the study does not use (`LEARNING_RATES`): of four for the fixed vector and the
Transformer, of three for attention.

The Transformer of the first seed with the most steps is kept for the notebooks.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.decoding.translation import Translator, score
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.engine import artifacts, measure, translators
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.record import Record
from course_lib.studies.engine.translators import LENGTHS, by_length, fit, held_out, untrained
from course_lib.text.words import WordTokenizer
from course_lib.transformer.model import Transformer, TransformerConfig

MODELS = ("fixed", "attention", "transformer")
BUDGETS = {  # steps; a step of the three models takes different times
    "french": {
        "transformer": (2000, 1000, 500, 250),
        "attention": (1000, 500, 250),
        "fixed": (2000, 1000, 500),
    },
    "korean": {"transformer": (1000, 500), "attention": (500,), "fixed": (1000, 500)},
}
RANGES = [(4, 9), (10, 15), (16, 21), (22, 27), (28, 30), (31, 40)]  # the last: beyond training
TRANSFORMER = {"width": 80, "heads": 4, "layers": 2, "hidden": 160}
LEARNING_RATES = {"fixed": 8e-3, "attention": 4e-3, "transformer": 4e-3}


def build(model: str, source_vocab: int, target_vocab: int) -> nn.Module:
    """One of `MODELS`, untrained, about 260 000 parameters."""
    if model == "fixed":
        return EncoderDecoder(Seq2SeqConfig.lab(source_vocab, target_vocab))
    if model == "attention":
        return AttentionEncoderDecoder(AttentionConfig.lab(source_vocab, target_vocab))
    return Transformer(TransformerConfig(source_vocab, target_vocab, **TRANSFORMER))


def run(config: Config, seed: int) -> Metrics:
    """Train one translator; what it cost and how well it translates, by length and overall."""
    language, n, steps = config["language"], config["sentences"], config["steps"]
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS, target=language)
    translator, batches = untrained(partial(build, config["model"]), pairs, seed)
    model, started = translator.model, time.process_time()
    history = fit(model, batches, steps, config["lr"], warmup=min(50, steps // 4))
    cost = {
        "seconds": round(time.process_time() - started, 2),
        "flops": translators.flops(model, batches, steps),
        "parameters": measure.size(model),
        "training_loss": measure.last_loss(history.losses),
    }
    overall = held_out(2 * n, LENGTHS, language)
    found = score(translator.translate(overall), overall)
    metrics = {
        "cost": cost,
        "overall": {name: found[name] for name in ("exact_match", "bleu")},
        **by_length(translator, sentences=n, ranges=RANGES, language=language),
    }
    translators.keep(KEPT, config, seed, translator, metrics["overall"])
    return metrics


def load_translator(*, folder: Path = artifacts.CHECKPOINTS) -> Translator:
    """The kept English→French Transformer of the lab."""
    return translators.load_kept(KEPT, WordTokenizer, partial(build, "transformer"), folder)


# --- reading the record -----------------------------------------------------------------------


def curve(
    record: Record, model: str, metric: str, *, cost: str, language: str = "french"
) -> list[tuple[Interval, Interval]]:
    """For each number of steps the cost and the metric: means over seeds with t intervals.

    `cost` is "seconds", "flops" or "steps".
    """
    points = []
    chosen = {"model": model, "language": language}
    for steps in sorted(c["steps"] for c in record.configs if chosen.items() <= c.items()):
        cell = {**chosen, "steps": steps}
        spent = Interval(steps, steps, steps)
        if cost != "steps":
            spent = record.interval(f"cost.{cost}", **cell)
        points.append((spent, record.interval(metric, **cell)))
    return points


def at_cost(
    record: Record, model: str, metric: str, *, cost: str, budget: float, language: str = "french"
) -> Interval:
    """The metric at a given cost, seed by seed (`Record.values_at`): mean and t interval."""
    select = {"model": model, "language": language}
    cost = f"cost.{cost}"
    return t_interval(
        record.values_at(metric, along="steps", cost=cost, budget=budget, **select)[1]
    )


# --- the study --------------------------------------------------------------------------------


def _cell(model: str, steps: int, language: str = "french") -> Config:
    shared = {"lr": LEARNING_RATES[model], "pairs": 20_000, "sentences": 200}
    return {"model": model, "language": language, "steps": steps, **shared}


KEPT = artifacts.KeptWeights(
    name="transformer_lab",
    config=_cell("transformer", 2000),
    what="English→French Transformer, 2 layers of 4 heads on each side, for chapters 06, 07",
    sizes=TRANSFORMER,
    **translators.LAB,
)

STUDY = Study(
    name="one_budget",
    chapter="07",
    title="Quality against training cost: fixed vector, attention, Transformer on the lab",
    cells=[
        _cell(model, steps, language)
        for language, budgets in BUDGETS.items()
        for model, numbers in budgets.items()
        for steps in numbers
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("transformer", 40) | {"pairs": 1000, "sentences": 20},
    tolerance=0.25,  # 20 sentences a bucket: one sentence is worth 0.05
)
