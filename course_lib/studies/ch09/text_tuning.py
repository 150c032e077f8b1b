"""How the studies of chapter 09 tune the LSTM to labeled texts."""

from __future__ import annotations

import torch

from course_lib.studies.ch09 import tasks
from course_lib.studies.ch09.tasks import Texts
from course_lib.studies.engine.core import Config, device
from course_lib.text.bpe import BPE
from course_lib.training import resumable, schedules
from course_lib.training.loop import Sampler
from course_lib.transfer import classify, freezing
from course_lib.transfer.classify import TextSampler
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextClassifier
from course_lib.ulmfit.model import AWDBody

BATCH = 32
LONGEST = 64  # tokens of a text that are read
LONGEST_PAIR = 46  # of each sentence of a pair: with the four marks, 96 in all
# Of the head, by how the other layers' rates follow from it. Chosen on validation reviews of a seed
# that no study has (100): the whole model at one rate wants less than a head above gentle layers.
RATES = {"same": 1e-3, "discriminative": 1e-2, "last": 1e-2}
STEPS = {50: 100, 60: 100, 100: 100, 200: 150, 300: 150, 500: 200, 1000: 300, 1200: 300, 5000: 500}

FULL = {"rates": "same", "unfreeze": False, "schedule": "constant"}
ULMFIT = {"rates": "discriminative", "unfreeze": True, "schedule": "triangular"}
SCRATCH = FULL | {"schedule": "triangular"}  # a new body: nothing to protect


def parts(task: str, tokens: BPE, seed: int) -> dict[str, Texts]:
    """The parts of a task (`tasks.parts`), as the language model has met texts: lower case.

    Of a pair each sentence has its own marks, one after the other.
    """

    def encode(one: str, other: str | None) -> list[int]:
        if other is None:
            return ulmfit_classifier.encode(one.lower(), tokens, LONGEST)
        both = (ulmfit_classifier.encode(t.lower(), tokens, LONGEST_PAIR) for t in (one, other))
        return sum(both, [])

    return tasks.parts(task, seed, encode)


def tune(
    body: AWDBody,
    few: Texts,
    way: Config,
    seed: int,
    *,
    rate: float | None = None,
    steps: int | None = None,
    copied: bool = True,
) -> TextClassifier:
    """A classifier on a copy of `body` (or, not `copied`, on a new body), tuned on few texts.

    `way` has `rates` ("same", "discriminative" or "last": the head only), `unfreeze` (one layer
    more each time, see `freezing`) and `schedule` ("constant", "cosine" or "triangular").
    """
    steps = steps or STEPS[len(few.labels)]
    classes = max(few.labels) + 1
    model = ulmfit_classifier.classifier(body, classes, seed, copied=copied).to(device())
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    rates = {
        "same": freezing.same_rate,
        "discriminative": freezing.discriminative,
        "last": freezing.last_layer_only,
    }[way["rates"]](grouped, RATES[way["rates"]] if rate is None else rate)
    sampler: Sampler = TextSampler(few.ids, few.labels, BATCH, seed)
    if way["unfreeze"]:
        plan = freezing.gradual_unfreezing(grouped, max(1, steps // (len(grouped) + 1)))
        sampler = freezing.Unfreezing(sampler, model, grouped, plan)
    schedule = {
        "constant": schedules.CONSTANT,
        "cosine": schedules.cosine(steps),
        "triangular": schedules.slanted_triangular(steps),
    }[way["schedule"]]
    torch.manual_seed(seed)
    resumable.fit_resumable(
        model,
        classify.loss,
        sampler,
        steps,
        optimizer=freezing.tuner(model, grouped, rates),
        schedule=schedule,
        bf16=device() == "cpu",  # nearly halves the time there; cuDNN would take float16
    )
    return model.eval()


def score(model: TextClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes."""
    guesses = classify.predict(model, texts.ids).argmax(dim=-1).tolist()
    return tasks.averaged(guesses, texts.labels)
