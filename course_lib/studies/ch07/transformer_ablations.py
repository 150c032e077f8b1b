"""One change at a time: what does a Transformer need? After Vaswani et al. (2017), Table 3.

English→French on the lab. Every cell is the base model with one change and the same sentences,
batches, steps and learning rate. Fewer steps than in the study `contest`, so that there is
something left to win. The test sentences have 16 to 30 words, the long half of those in training.

`perplexity` is that of the reference words, the reference so far given, without label smoothing,
whatever the training used. Label smoothing may so cost perplexity and win BLEU, which is what
Table 3 shows (rows D).
"""

from __future__ import annotations

from functools import partial

from course_lib.data import lab
from course_lib.decoding.translation import score
from course_lib.studies.ch07.contest import TRANSFORMER
from course_lib.studies.engine import measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import LENGTHS, fit, held_out, untrained
from course_lib.training import losses
from course_lib.transformer.model import Transformer, TransformerConfig

TESTED = (16, 30)  # English words of the test sentences
STEPS, WARMUP = 500, 50
SIZES = TRANSFORMER | {"positions": "sinusoidal", "norm": "pre", "dropout": 0.0}
BASE: Config = SIZES | {"smoothing": 0.0, "warmup": WARMUP, "lr": 4e-3}
VARIANTS: dict[str, Config] = {
    "base": {},
    "1 head": {"heads": 1},
    "8 heads": {"heads": 8},
    "1 layer": {"layers": 1},
    "3 layers": {"layers": 3},
    "half the width": {"width": 40},
    "half the hidden layer": {"hidden": 80},
    "dropout 0.1": {"dropout": 0.1},
    "label smoothing 0.1": {"smoothing": 0.1},
    "learned positions": {"positions": "learned"},
    "no positions": {"positions": "none"},
    "post-norm": {"norm": "post"},
    "post-norm, no warm-up": {"norm": "post", "warmup": 0},
    "no warm-up": {"warmup": 0},
}


def run(config: Config, seed: int) -> Metrics:
    """Train one model; perplexity, BLEU and exact match on long test sentences."""

    def build(source_vocab: int, target_vocab: int) -> Transformer:
        sizes = {name: config[name] for name in SIZES}
        return Transformer(TransformerConfig(source_vocab, target_vocab, max_length=128, **sizes))

    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS)
    translator, batches = untrained(build, pairs, seed)
    loss = partial(losses.translation_loss, label_smoothing=config["smoothing"])
    warmup, steps = config["warmup"], config["steps"]
    history = fit(translator.model, batches, steps, config["lr"], warmup=warmup, loss=loss)
    test = held_out(config["sentences"], TESTED)
    found = score(translator.translate(test), test)
    return {
        "perplexity": translator.perplexity(test),
        "bleu": found["bleu"],
        "exact_match": found["exact_match"],
        "losses": [round(loss, 4) for loss in measure.loss_curve(history.losses, 25)],
        "training_loss": measure.last_loss(history.losses),
        "parameters": measure.size(translator.model),
    }


def _cell(variant: str) -> Config:
    sizes = BASE | VARIANTS[variant]
    return {"variant": variant, **sizes, "steps": STEPS, "pairs": 20_000, "sentences": 400}


STUDY = Study(
    name="transformer_ablations",
    chapter="07",
    title="One change at a time in a Transformer on the lab",
    cells=[_cell(variant) for variant in VARIANTS],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke=_cell("base") | {"steps": 40, "warmup": 10, "pairs": 1000, "sentences": 40},
    tolerance=0.25,
)
