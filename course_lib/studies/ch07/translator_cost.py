"""Where does the Transformer's training step become the cheaper one?

A training step is the loss of a batch and its gradients. The three translators of the study
`contest` take turns on the same random words, for sentences of several lengths n; source and
target are equally long, and the batch holds always the same number of words, so that the longer
the sentences, the fewer of them. Two sizes: "small", as in `contest`, about 260 000
parameters, and "large", about 4 million.

Kept is the median processor time of a step in milliseconds per 1,000 target words, on one thread,
and the FLOPs of `course_lib.transformer.costs` for the same work. On a GPU it is the time until
the device is done.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch
from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data.batching import Batch
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.ch07 import contest
from course_lib.studies.engine import measure
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.timing import median_milliseconds
from course_lib.training import losses
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig

VOCABULARY = (150, 150)  # of source and target
WORDS = 1024  # of the target, in a batch
LENGTHS = (8, 16, 32, 64, 128, 256)
ROUNDS = {"small": 9, "large": 3}
SMALL = {"fixed": "fixed", "attention": "attention", "transformer": "sinusoidal"}
LARGE: dict[str, Any] = {"width": 512, "embedding": 256}


def build(model: str, size: str) -> nn.Module:
    """One of the three translators, untrained."""
    if size == "small":
        return contest.build(SMALL[model], *VOCABULARY)
    if model == "fixed":
        return EncoderDecoder(Seq2SeqConfig(*VOCABULARY, **LARGE))
    if model == "attention":
        return AttentionEncoderDecoder(AttentionConfig(*VOCABULARY, **LARGE))
    return Transformer(TransformerConfig(*VOCABULARY, width=256, heads=4, hidden=1024))


def step(model: nn.Module, batch: Batch) -> None:
    """Loss and gradients of one batch."""
    model.zero_grad()
    losses.translation_loss(model, batch).backward()


def run(config: Config, seed: int) -> Metrics:
    """Milliseconds and FLOPs per 1,000 target words, by model and length."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    models: dict[str, Any] = {name: build(name, config["size"]).to(device()) for name in SMALL}
    rounds = config.get("rounds", ROUNDS[config["size"]])
    how: dict[str, Any] = {"device": device(), "seed": seed, "rounds": (rounds, rounds)}
    how["clock"] = time.process_time if device() == "cpu" else time.perf_counter
    milliseconds: Metrics = {name: {} for name in models}
    flops: Metrics = {name: {} for name in models}
    for length in config.get("lengths", LENGTHS):
        shape = (2, WORDS // length, length + 1)
        words = torch.randint(4, VOCABULARY[1], shape, generator=generator).to(device())
        batch = Batch(words[0, :, :length], words[1])
        steps = {name: partial(step, model, batch) for name, model in models.items()}
        thousands = len(batch) * length / 1000
        for name, median in median_milliseconds(steps, **how).items():
            spent = len(batch) * training_flops(models[name].config, length, length)
            milliseconds[name][str(length)] = float(f"{median / thousands:.5g}")
            flops[name][str(length)] = round(spent / thousands)
    sizes = {name: measure.size(model) for name, model in models.items()}
    return {"milliseconds": milliseconds, "flops": flops, "parameters": sizes}


STUDY = Study(
    name="translator_cost",
    chapter="07",
    title="The cost of a training step of three translators, by the length of the sentences",
    cells=[{"size": size} for size in ROUNDS],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"size": "small", "lengths": [8], "rounds": 1},
    timing=True,
)
