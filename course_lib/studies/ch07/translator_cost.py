"""Where does the Transformer's training step become the cheaper one?

A training step is the loss of a batch and its gradients. The three translators of the study
``one_budget`` take turns on the same random words, for sentences of several lengths n; source and
target are equally long, and the batch holds always the same number of words, so that the longer
the sentences, the fewer of them. Two sizes: "small", as in ``one_budget``, about 260 000
parameters, and "large", about 4 million.

Kept is the median processor time of a step in milliseconds per 1,000 target words, on one thread,
and the FLOPs of ``course_lib.transformer.costs`` for the same work. On a GPU it is the time until
the device is done.
"""

from __future__ import annotations

import random
import statistics
import time

import torch
from torch import nn

from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.data.batching import Batch
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.ch05.layer_cost import synchronize
from course_lib.studies.ch07 import one_budget
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.training import losses
from course_lib.transformer.costs import training_flops
from course_lib.transformer.model import Transformer, TransformerConfig

VOCABULARY = 150
WORDS = 1024  # of the target, in a batch
LENGTHS = (8, 16, 32, 64, 128, 256)
ROUNDS = {"small": 9, "large": 3}


def build(model: str, size: str) -> nn.Module:
    """One of the three translators, untrained."""
    if size == "small":
        return one_budget.build(model, VOCABULARY, VOCABULARY)
    if model == "transformer":
        return Transformer(
            TransformerConfig(VOCABULARY, VOCABULARY, width=256, heads=4, hidden=1024)
        )
    sizes = {"width": 512, "embedding": 256}
    if model == "fixed":
        return EncoderDecoder(Seq2SeqConfig(VOCABULARY, VOCABULARY, **sizes))
    return AttentionEncoderDecoder(AttentionConfig(VOCABULARY, VOCABULARY, **sizes))


def step(model: nn.Module, batch: Batch) -> None:
    """Loss and gradients of one batch."""
    model.zero_grad()
    losses.translation_loss(model, batch).backward()


def run(config: Config, seed: int) -> Metrics:
    """Milliseconds and FLOPs per 1,000 target words, by model and length."""
    where, generator = device(), torch.Generator().manual_seed(seed)
    clock = time.process_time if where == "cpu" else time.perf_counter
    torch.manual_seed(seed)
    models = {m: build(m, config["size"]).to(where) for m in one_budget.MODELS}
    found: Metrics = {
        "milliseconds": {m: {} for m in models},
        "flops": {m: {} for m in models},
        "parameters": {
            m: sum(p.numel() for p in model.parameters()) for m, model in models.items()
        },
    }
    names = list(models)
    for length in config.get("lengths", LENGTHS):
        words = torch.randint(4, VOCABULARY, (2, WORDS // length, length + 1), generator=generator)
        batch = Batch(words[0, :, :length].to(where), words[1].to(where))
        taken: dict[str, list[float]] = {m: [] for m in models}
        for turn in range(1 + config.get("rounds", ROUNDS[config["size"]])):
            random.Random(seed * 100 + turn).shuffle(names)
            for name in names:
                synchronize(where)
                started = clock()
                step(models[name], batch)
                synchronize(where)
                taken[name].append(1000 * (clock() - started))
        thousands = len(batch) * length / 1000
        for name, model in models.items():
            median = statistics.median(taken[name][1:])  # the first call sets up buffers
            flops = len(batch) * training_flops(model.config, length, length)
            found["milliseconds"][name][str(length)] = float(f"{median / thousands:.5g}")
            found["flops"][name][str(length)] = round(flops / thousands)
    return found


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
