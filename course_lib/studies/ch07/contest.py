"""The contest on the lab: fixed vector, attention, the Transformer with three kinds of positions.

Five contestants with about the same number of parameters learn the same sentences, in the same
batches and order. Each is trained with several numbers of steps, every time with a schedule of its
own, so that a point of the curve "quality against cost" is a finished model and not one in the
middle of its training.

**contest_search** comes first: six settings for every contestant, namely half, once and twice the
rate that was best in an earlier, smaller search, the larger two also with a longer warm-up, the
largest with one longer still; one seed that the contest does not use; validation sentences only.
`SETTINGS` is what it found, and a test holds the two together.

**contest** is judged on test sentences, by length and overall; the last range of lengths lies
beyond those of training. Cost is told in steps, in FLOPs (`course_lib.transformer.costs`, with
padding) and in seconds of processor time on one thread. The recorded runs shared the machine with
other work, which stretches the seconds. `at_cost` reads the quality at a given cost off the curve.
Learned positions come with 20,000 parameters more, their table of 128 places on each side.

The sinusoidal Transformer of the first seed with the most steps is kept for the notebooks.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

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

TRANSFORMERS = ("sinusoidal", "learned", "rotary")  # the positions of a Transformer
MODELS = ("fixed", "attention", *TRANSFORMERS)
TRANSFORMER: dict[str, Any] = {"width": 80, "heads": 4, "layers": 2, "hidden": 160}
MAX_LENGTH = 128  # of learned positions
RANGES = [(4, 9), (10, 15), (16, 21), (22, 27), (28, 30), (31, 40)]  # the last: beyond training

SEARCHED = {"fixed": 8e-3, "attention": 4e-3} | dict.fromkeys(TRANSFORMERS, 4e-3)
TRIED = (  # times that rate; steps of warm-up
    (0.5, 50),
    (1, 50),
    (2, 50),
    (1, 150),
    (2, 150),
    (2, 300),
)
SEARCH_SEED, SEARCH_STEPS = 100, 500
SETTINGS = {  # the best of each in `contest_search`, by BLEU
    "fixed": {"lr": 16e-3, "warmup": 50},
    "attention": {"lr": 4e-3, "warmup": 50},
    "sinusoidal": {"lr": 8e-3, "warmup": 150},
    "learned": {"lr": 8e-3, "warmup": 150},
    "rotary": {"lr": 4e-3, "warmup": 50},
}
BEST = "learned"  # of the three Transformers, by the same BLEU: it enters every comparison
RUNS = {  # language -> contestant -> numbers of steps
    "french": {
        "attention": (500, 1000, 250),
        "fixed": (500, 1000, 2000),
        BEST: (500, 1000, 250, 2000),
        **{positions: (500, 1000) for positions in TRANSFORMERS if positions != BEST},
        "sinusoidal": (500, 1000, 250, 2000),
    },
    "korean": {
        "attention": (500,),
        "fixed": (500, 1000),
        BEST: (500, 1000),
        "sinusoidal": (500, 1000),
    },
}


def build(model: str, source_vocab: int, target_vocab: int) -> nn.Module:
    """One of `MODELS`, untrained, with 250,000 to 302,000 parameters."""
    if model == "fixed":
        return EncoderDecoder(Seq2SeqConfig.lab(source_vocab, target_vocab))
    if model == "attention":
        return AttentionEncoderDecoder(AttentionConfig.lab(source_vocab, target_vocab))
    how = TRANSFORMER | {"positions": model, "max_length": MAX_LENGTH}
    return Transformer(TransformerConfig(source_vocab, target_vocab, **how))


def trained(config: Config, seed: int) -> tuple[Translator, Metrics]:
    """A contestant after its training, and what that has cost."""
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS, target=config["language"])
    translator, batches = untrained(partial(build, config["model"]), pairs, seed)
    model, steps, started = translator.model, config["steps"], time.process_time()
    history = fit(model, batches, steps, config["lr"], warmup=config["warmup"])
    return translator, {
        "seconds": round(time.process_time() - started, 2),
        "flops": translators.flops(model, batches, steps),
        "parameters": measure.size(model),
        "training_loss": measure.last_loss(history.losses),
    }


def run_search(config: Config, seed: int) -> Metrics:
    """One setting of one contestant, on validation sentences."""
    translator, cost = trained(config, seed)
    chosen = held_out(config["sentences"], LENGTHS, config["language"], "validation")
    found = score(translator.translate(chosen), chosen)
    return {
        "bleu": found["bleu"],
        "exact_match": found["exact_match"],
        "perplexity": translator.perplexity(chosen),
        "training_loss": cost["training_loss"],
    }


def judged(config: Config, seed: int) -> tuple[Translator, Metrics]:
    """A trained contestant; what it cost and how well it translates, by length and overall."""
    translator, cost = trained(config, seed)
    n, language = config["sentences"], config["language"]
    overall = held_out(2 * n, LENGTHS, language)
    found = score(translator.translate(overall), overall)
    return translator, {
        "cost": cost,
        "overall": {name: found[name] for name in ("exact_match", "bleu")},
        **by_length(translator, sentences=n, ranges=RANGES, language=language),
    }


def run(config: Config, seed: int) -> Metrics:
    """Train and judge one contestant."""
    translator, metrics = judged(config, seed)
    translators.keep(KEPT, config, seed, translator, metrics["overall"])
    return metrics


def load_translator(*, folder: Path = artifacts.CHECKPOINTS) -> Translator:
    """The kept English→French Transformer of the lab, with sinusoidal positions."""
    return translators.load_kept(KEPT, WordTokenizer, partial(build, "sinusoidal"), folder)


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


# --- the studies ------------------------------------------------------------------------------


def _setting(model: str, factor: float, warmup: int) -> Config:
    rate = factor * SEARCHED[model]
    where = {"language": "french", "steps": SEARCH_STEPS, "pairs": 20_000, "sentences": 400}
    return {"model": model, "lr": rate, "warmup": warmup, **where}


def cell(model: str, steps: int, language: str = "french") -> Config:
    shared = {**SETTINGS[model], "pairs": 20_000, "sentences": 200}
    return {"model": model, "language": language, "steps": steps, **shared}


SEARCH = Study(
    name="contest_search",
    chapter="07",
    title="Rate and warm-up for every contestant, on validation sentences of the lab",
    cells=[_setting(model, factor, warmup) for factor, warmup in TRIED for model in MODELS],
    seeds=(SEARCH_SEED,),
    run=run_search,
    smoke=_setting("rotary", 1, 4) | {"steps": 40, "pairs": 1000, "sentences": 40},
    tolerance=0.25,  # hardly trained
)
KEPT = artifacts.KeptWeights(
    name="transformer_lab",
    config=cell("sinusoidal", 2000),
    what="English→French Transformer, 2 layers of 4 heads on each side, for chapters 06, 07",
    sizes=TRANSFORMER,
    **translators.LAB,
)
CONTEST = Study(
    name="contest",
    chapter="07",
    title="Quality against training cost: fixed vector, attention, Transformers on the lab",
    cells=[
        cell(model, steps, language)
        for language, runs in RUNS.items()
        for place in range(4)  # what every contestant has comes first
        for model, numbers in runs.items()
        for steps in numbers[place : place + 1]
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=cell("rotary", 40) | {"warmup": 10, "pairs": 1000, "sentences": 20},
    tolerance=0.25,  # 20 sentences a bucket: one sentence is worth 0.05
)
