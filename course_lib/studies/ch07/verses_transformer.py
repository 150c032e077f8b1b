"""A Transformer on real text, beside the two recurrent translators of chapter 04.

Same verses, subwords, batches, steps and held-out books as the study ``verses_attention``, and as
many parameters; so the records of the two stand side by side. No learning rate was tuned on verses:
it is half the one of the lab, for a model that is deeper and wider.

``flops`` says what the same training costs each of the three models, by
``course_lib.transformer.costs``, with padding. ``seconds`` is processor time of one cell, training
and translation together.
"""

from __future__ import annotations

import time

from torch import nn

from course_lib.studies.ch04 import verses_attention
from course_lib.studies.ch04.verses_attention import KEPT, measure, sampler
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.bpe import BPE
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig


def build(config: Config, source: BPE, target: BPE) -> Transformer:
    """The untrained model of a cell."""
    sizes = {name: config[name] for name in ("width", "heads", "layers", "hidden", "dropout")}
    return Transformer(TransformerConfig(len(source), len(target), **sizes))


def flops(config: Config, seed: int) -> dict[str, int]:
    """FLOPs of the whole training of each of the three models, on the same batches."""
    batches, source, target, _ = sampler(config, seed)
    recurrent: dict[str, nn.Module] = {
        cell["model"]: verses_attention.build(cell, source, target)
        for cell in verses_attention.STUDY.cells
    }
    models = recurrent | {"transformer": build(config, source, target)}
    total = dict.fromkeys(models, 0)
    for step in range(config["steps"]):
        batch = batches.batch(step)
        lengths = batch.source.shape[1], batch.target.shape[1] - 1
        for name, model in models.items():
            total[name] += len(batch) * training_flops(model.config, *lengths)
    return total


def run(config: Config, seed: int) -> Metrics:
    """Train one Transformer on verses of the training books, score it on held-out books."""
    started = time.process_time()
    metrics = measure(config, seed, build)[0]
    return metrics | {
        "seconds": round(time.process_time() - started, 1),
        "flops": flops(config, seed),
    }


CELL: Config = {name: KEPT[name] for name in ("merges", "longest", "verses", "every", "steps")} | {
    "model": "transformer",
    "width": 128,
    "heads": 4,
    "layers": 3,
    "hidden": 320,
    "dropout": 0.2,
    "lr": 2e-3,
}

STUDY = Study(
    name="verses_transformer",
    chapter="07",
    title="Translation of verses by a Transformer",
    cells=[CELL],
    seeds=(0, 1, 2),
    run=run,
    smoke=CELL
    | {"verses": 1500, "merges": 300, "every": 40, "width": 32, "layers": 1, "steps": 20},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
