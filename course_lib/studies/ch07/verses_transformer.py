"""A Transformer on real text, beside the two recurrent translators of chapter 04.

Same verses, subwords, batches, steps and held-out books as the study `verses_attention`, and as
many parameters; so the records of the two stand side by side. No learning rate was tuned on verses:
it is half the one of the lab, for a model that is deeper and wider.

`flops` says what the same training costs each of the three models, with padding. `seconds` is
processor time of one cell, training and translation together.
"""

from __future__ import annotations

import time

from course_lib.studies.ch02 import verse_translation
from course_lib.studies.engine import translators
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.transformer.model import Transformer, TransformerConfig


def build(config: Config, source_vocab: int, target_vocab: int) -> Transformer:
    """The untrained model of a cell."""
    sizes = {name: config[name] for name in ("width", "heads", "layers", "hidden", "dropout")}
    return Transformer(TransformerConfig(source_vocab, target_vocab, **sizes))


def run(config: Config, seed: int) -> Metrics:
    """Train one Transformer on verses of the training books, score it on held-out books."""
    started = time.process_time()
    metrics = verse_translation.run_attention(config, seed, build)
    seconds = time.process_time() - started
    translator, read = verse_translation.untrained(config, seed, build)
    vocabularies = len(translator.source), len(translator.target)
    models = {
        cell["model"]: verse_translation.build(cell, *vocabularies)
        for cell in verse_translation.ATTENTION.cells
    } | {"transformer": translator.model}
    flops = {
        name: translators.flops(one, read.batches, config["steps"]) for name, one in models.items()
    }
    return metrics | {"seconds": round(seconds, 1), "flops": flops}


SHARED = ("merges", "longest", "verses", "every", "steps")
CELL: Config = {name: verse_translation.ATTENTION_KEPT.config[name] for name in SHARED} | {
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
    smoke=CELL | verse_translation.SMALL | {"every": 40, "layers": 1},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
