"""How does each model's quality grow with its size and with what it reads?

An RNN with attention and the best Transformer of the contest, each in three sizes with about equal
numbers of parameters (80,000, 280,000 and a million), read three amounts of the lab: 1,250, 5,000
and 20,000 sentence pairs. All train for the same number of steps, so the fewer the pairs, the more
often each is seen.

**scaling_search** chooses the rate of each model and size: half, once and twice that of the contest
over the factor by which the model is wider; validation sentences, one seed that **scaling** does
not use, 20,000 pairs. The medium size keeps what the contest's own search found.

**verses_small** is the smallest point on real text. The largest is what `verses_attention` and
`verses_transformer` have recorded: twice the width, ten times the verses, three times the steps.
"""

from __future__ import annotations

import time
from functools import partial

from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data import lab
from course_lib.decoding.translation import score
from course_lib.studies.ch02 import verse_translation
from course_lib.studies.ch07 import contest, verses_transformer
from course_lib.studies.engine import measure, translators
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.translators import LENGTHS, fit, held_out, untrained
from course_lib.transformer.model import Transformer, TransformerConfig

MODELS = ("attention", contest.BEST)
SIZES = {"small": 0.5, "medium": 1, "large": 2}  # times the width of the contest
PAIRS = (1250, 5000, 20_000)
BEYOND = (31, 40)  # words; training ends at 30
RATES = {  # chosen in `scaling_search`; the medium ones in `contest_search`
    "attention": {"small": 8e-3, "medium": contest.SETTINGS["attention"]["lr"], "large": 2e-3},
    contest.BEST: {"small": 16e-3, "medium": contest.SETTINGS[contest.BEST]["lr"], "large": 2e-3},
}


def build(model: str, size: str, source_vocab: int, target_vocab: int) -> nn.Module:
    """One of `MODELS` in one of `SIZES`, untrained."""
    times = SIZES[size]
    if model == "attention":
        narrow = {"width": int(128 * times), "embedding": int(64 * times)}
        return AttentionEncoderDecoder(AttentionConfig.lab(source_vocab, target_vocab, **narrow))
    sizes = contest.TRANSFORMER.copy()
    sizes |= {"positions": model, "max_length": contest.MAX_LENGTH}
    sizes |= {name: int(sizes[name] * times) for name in ("width", "hidden")}
    return Transformer(TransformerConfig(source_vocab, target_vocab, **sizes))


def run(config: Config, seed: int) -> Metrics:
    """Train one model; what it cost, and what it translates inside and beyond its lengths."""
    pairs = lab.generate(config["pairs"], seed=seed, lengths=LENGTHS)
    make = partial(build, config["model"], config["size"])
    translator, batches = untrained(make, pairs, seed)
    steps, started = config["steps"], time.process_time()
    history = fit(translator.model, batches, steps, config["lr"], warmup=config["warmup"])
    metrics: Metrics = {
        "seconds": round(time.process_time() - started, 2),
        "flops": translators.flops(translator.model, batches, steps),
        "parameters": measure.size(translator.model),
        "training_loss": measure.last_loss(history.losses),
    }
    for name, lengths in {"inside": LENGTHS, "beyond": BEYOND}.items():
        asked = held_out(config["sentences"], lengths, split=config["split"])
        found = score(translator.translate(asked), asked)
        metrics[name] = {metric: found[metric] for metric in ("bleu", "exact_match")}
        metrics[name]["perplexity"] = translator.perplexity(asked)
    return metrics


def build_verses(config: Config, source_vocab: int, target_vocab: int) -> nn.Module:
    """The untrained model of a cell on verses."""
    if config["model"] == "transformer":
        return verses_transformer.build(config, source_vocab, target_vocab)
    return verse_translation.build(config, source_vocab, target_vocab)


def run_verses(config: Config, seed: int) -> Metrics:
    """As `verses_attention` and `verses_transformer`, with less of everything."""
    return verse_translation.run_attention(config, seed, build_verses)


# --- the studies ------------------------------------------------------------------------------


def _cell(model: str, size: str, pairs: int) -> Config:
    setting = contest.SETTINGS[model] | {"lr": RATES[model][size]}
    shared = {"steps": contest.SEARCH_STEPS, "sentences": 300, "split": "test"}
    return {"model": model, "size": size, "pairs": pairs, **setting, **shared}


def _tried(model: str, size: str, factor: float) -> Config:
    rate = factor * contest.SETTINGS[model]["lr"] / SIZES[size]
    return _cell(model, size, PAIRS[-1]) | {"lr": rate, "split": "validation"}


SEARCH = Study(
    name="scaling_search",
    chapter="07",
    title="Rates for a smaller and a larger attention RNN and Transformer",
    cells=[
        _tried(model, size, factor)
        for size in ("small", "large")
        for factor in (0.5, 1, 2)
        for model in MODELS
    ],
    seeds=(contest.SEARCH_SEED,),
    run=run,
    smoke=_tried("attention", "small", 1)
    | {"steps": 30, "warmup": 4, "pairs": 500, "sentences": 20},
    tolerance=0.25,  # hardly trained
)
SCALING = Study(
    name="scaling",
    chapter="07",
    title="Quality by size and by sentence pairs: an attention RNN and a Transformer",
    cells=[_cell(model, size, n) for n in PAIRS for size in SIZES for model in MODELS],
    seeds=(0, 1, 2),
    run=run,
    smoke=_cell(contest.BEST, "small", 500) | {"steps": 30, "warmup": 4, "sentences": 20},
    tolerance=0.25,
)
LESS = {"verses": 2600, "steps": 1000}
VERSES = {
    "attention": verse_translation.ATTENTION_KEPT.config | LESS | {"width": 96, "embedding": 64},
    "transformer": verses_transformer.CELL | LESS | {"width": 64, "hidden": 160},
}
VERSES_SMALL = Study(
    name="verses_small",
    chapter="07",
    title="Verses with small models and few verses: an attention RNN and a Transformer",
    cells=list(VERSES.values()),
    seeds=(0, 1, 2),
    run=run_verses,
    smoke=VERSES["transformer"] | verse_translation.SMALL | {"every": 40, "layers": 1},
    tolerance=0.25,  # hardly trained: BLEU is near 0, the loss is what is compared
)
