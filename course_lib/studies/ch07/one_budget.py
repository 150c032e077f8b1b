"""One corpus, one budget, one table: the fixed vector, attention, and the Transformer on the lab.

Three translators with about the same number of parameters learn the same sentences, in the same
batches and order. Each is trained with several numbers of steps, every time with a schedule of its
own, so that a point of the curve "quality against cost" is a finished model and not one in the
middle of its training.

The cost of a training run is told in three ways: steps; FLOPs, counted by the formulas of
``course_lib.transformer.costs`` with padding; and seconds of processor time on one thread. The
recorded runs shared the machine with other work, which stretched them by up to a quarter.
:func:`at_cost` reads the quality at a given cost off the curve.

The peak learning rate of each model was chosen on validation sentences, with 1,000 steps and a seed
that the study does not use (:data:`LEARNING_RATES`): of four for the fixed vector and the
Transformer, of three for attention.

The Transformer of the first seed with the most steps is kept for the notebooks.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.data.batching import PairSampler
from course_lib.decoding.translation import encode, tokenizers, translate
from course_lib.evaluation import scores
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.ch03.bottleneck import LENGTHS, TEST_SEED, by_length
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Record, Study, device
from course_lib.text.words import WordTokenizer
from course_lib.training import loop, losses, schedules
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig

MODELS = ("fixed", "attention", "transformer")
BUDGETS = {  # steps; a step of the three models takes different times
    "french": {
        "transformer": (2000, 1000, 500, 250),
        "attention": (1000, 500, 250),
        "fixed": (2000, 1000, 500),
    },
    "korean": {
        "transformer": (1000, 500),
        "attention": (500,),
        "fixed": (1000, 500),
    },
}
BATCH = 64
RANGES = [(4, 9), (10, 15), (16, 21), (22, 27), (28, 30), (31, 40)]  # the last: beyond training
TRANSFORMER = {"width": 80, "heads": 4, "layers": 2, "hidden": 160}
LEARNING_RATES = {"fixed": 8e-3, "attention": 4e-3, "transformer": 4e-3}
NAME = "transformer_lab"


def build(model: str, source_vocab: int, target_vocab: int) -> nn.Module:
    """One of :data:`MODELS`, untrained, about 260 000 parameters."""
    if model == "fixed":
        return EncoderDecoder(Seq2SeqConfig.lab(source_vocab, target_vocab))
    if model == "attention":
        return AttentionEncoderDecoder(AttentionConfig.lab(source_vocab, target_vocab))
    return Transformer(TransformerConfig(source_vocab, target_vocab, **TRANSFORMER))


class Metered:
    """A sampler that adds up what its batches cost to train on."""

    def __init__(self, sampler: PairSampler, config: Seq2SeqConfig | TransformerConfig) -> None:
        self.sampler, self.config = sampler, config
        self.seed, self.batch_size = sampler.seed, sampler.batch_size
        self.flops = 0

    def batch(self, step: int):
        """The sampler's own batch."""
        batch = self.sampler.batch(step)
        source, target = batch.source.shape[1], batch.target.shape[1] - 1
        self.flops += len(batch) * training_flops(self.config, source, target)
        return batch


def train_model(
    config: Config, seed: int, *, progress: bool = False
) -> tuple[nn.Module, WordTokenizer, WordTokenizer, Metrics]:
    """Train the translator of one cell; the metrics say what it cost."""
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS, target=config["language"])
    source, target = tokenizers(pairs)
    torch.manual_seed(seed)
    model = build(config["model"], len(source), len(target)).to(device())
    sampler = Metered(
        PairSampler(encode(pairs, source, target), batch_size=BATCH, seed=seed), model.config
    )
    started = time.process_time()
    history = loop.fit(
        model,
        losses.translation_loss,
        sampler,
        config["steps"],
        lr=config["lr"],
        schedule=schedules.cosine(config["steps"], warmup=min(50, config["steps"] // 4)),
        progress=progress,
    )
    last = history.losses[-50:]
    cost = {
        "seconds": round(time.process_time() - started, 2),
        "flops": sampler.flops,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_loss": sum(last) / len(last),
    }
    return model, source, target, cost


def run(config: Config, seed: int) -> Metrics:
    """Train one translator; what it cost and how well it translates, by length and overall."""
    model, source, target, cost = train_model(config, seed)
    n, language = config["sentences"], config["language"]
    split = config.get("split", "test")
    overall = lab.generate(2 * n, seed=TEST_SEED, lengths=LENGTHS, target=language, split=split)
    texts = [lab.detokenize(words) for words in translate(model, source, target, overall)]
    references = [lab.detokenize(pair.target) for pair in overall]
    hits = scores.exact_match(texts, references)
    metrics = {
        "cost": cost,
        "overall": {
            "exact_match": sum(hits) / len(hits),
            "bleu": scores.bleu(texts, references).score,
        },
        **by_length(model, source, target, sentences=n, ranges=RANGES, language=language),
    }
    if seed == STUDY.seeds[0] and config == KEPT:
        _keep(model, source, target, config, metrics)
    return metrics


def load_translator(
    *, folder: Path = artifacts.CHECKPOINTS
) -> tuple[Transformer, WordTokenizer, WordTokenizer]:
    """The kept English→French Transformer of the lab with its two tokenizers.

    Raises:
        KeyError: the weights are not there.
        FileNotFoundError: a tokenizer is not there.
    """
    source, target = artifacts.tokenizers(NAME, WordTokenizer, folder=folder)
    model = build("transformer", len(source), len(target))
    artifacts.load(NAME, model, folder=folder)
    return model.eval(), source, target


def _keep(
    model: nn.Module,
    source: WordTokenizer,
    target: WordTokenizer,
    config: Config,
    metrics: Metrics,
) -> None:
    card = {
        "what": "English→French Transformer, 2 layers of 4 heads on each side, for chapters 06, 07",
        "config": config | TRANSFORMER,
        "seed": STUDY.seeds[0],
        "data": "the translation lab, which is generated",
        "licence": "MIT",
        "storage": "16-bit floats",
        "scores": metrics["overall"],
        "limits": "Knows the words and the grammar of the lab and nothing else.",
    }
    artifacts.save_translator(NAME, model, card, source, target)


# --- reading the record -----------------------------------------------------------------------


def curve(
    record: Record, model: str, metric: str, *, cost: str, language: str = "french"
) -> list[tuple[Interval, Interval]]:
    """For each number of steps the cost and the metric: means over seeds with t intervals.

    ``cost`` is "seconds", "flops" or "steps".
    """
    points = []
    for steps in _steps(record, model, language):
        cell = {"model": model, "language": language, "steps": steps}
        spent = (
            Interval(steps, steps, steps)
            if cost == "steps"
            else record.interval(f"cost.{cost}", **cell)
        )
        points.append((spent, record.interval(metric, **cell)))
    return points


def at_cost(
    record: Record, model: str, metric: str, *, cost: str, budget: float, language: str = "french"
) -> Interval:
    """The metric at a given cost, seed by seed: mean and t interval over seeds.

    Between two trained models the value is taken as straight over the logarithm of the cost.

    Raises:
        ValueError: the budget lies outside what the models of some seed have cost.
    """
    _, values = record.values_at(
        metric, along="steps", cost=f"cost.{cost}", budget=budget, model=model, language=language
    )
    return t_interval(values)


def _steps(record: Record, model: str, language: str) -> list[int]:
    return sorted(
        config["steps"]
        for config in record.configs
        if config["model"] == model and config["language"] == language
    )


# --- the study --------------------------------------------------------------------------------


def _cell(model: str, steps: int, language: str = "french") -> Config:
    return {
        "model": model,
        "language": language,
        "steps": steps,
        "lr": LEARNING_RATES[model],
        "pairs": 20_000,
        "sentences": 200,
    }


KEPT = _cell("transformer", 2000)

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
