"""What the studies of chapter 09 share: labeled texts, and the ways to tune a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from course_lib.data import reviews, wikipedia
from course_lib.studies.engine.core import Config, device
from course_lib.text.bpe import BPE
from course_lib.training import loop, schedules
from course_lib.transfer import freezing
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextClassifier, TextSampler
from course_lib.ulmfit.model import AWDBody

BATCH = 32
LONGEST = 64  # tokens of a text that are read
# Of the head, by how the other layers' rates follow from it. Chosen on validation reviews of a seed
# that no study has (100): the whole model at one rate wants less than a head above gentle layers.
RATES = {"same": 1e-3, "discriminative": 1e-2, "last": 1e-2}
STEPS = {50: 100, 60: 100, 100: 100, 200: 150, 300: 150, 500: 200, 1000: 300, 1200: 300, 5000: 500}

FULL = {"rates": "same", "unfreeze": False, "schedule": "constant"}
ULMFIT = {"rates": "discriminative", "unfreeze": True, "schedule": "triangular"}
SCRATCH = FULL | {"schedule": "triangular"}  # a new body: nothing to protect


class Texts(NamedTuple):
    """Texts as written, their token ids, and their classes."""

    written: list[str]
    ids: list[list[int]]
    labels: list[int]

    def first(self, count: int) -> Texts:
        """The first ``count`` texts."""
        return Texts(self.written[:count], self.ids[:count], self.labels[:count])


def encoded(written: Sequence[str], labels: Sequence[int], tokens: BPE) -> Texts:
    """Texts in lower case with their ids."""
    lower = [text.lower() for text in written]
    return Texts(
        lower, [ulmfit_classifier.encode(text, tokens, LONGEST) for text in lower], list(labels)
    )


class Written(NamedTuple):
    """Texts and their classes, before any model's tokens."""

    texts: list[str]
    labels: list[int]


def written_reviews(seed: int) -> dict[str, Written]:
    """The parts "labeled" (5,000 of them), "validation" and "test" of the reviews."""
    task = reviews.task(reviews.load(), seed)
    return {
        part: Written([r.text for r in found], [r.label for r in found])
        for part, found in (
            ("labeled", task.labeled[:5000]),
            ("validation", task.validation),
            ("test", task.test),
        )
    }


def written_topics(seed: int) -> dict[str, Written]:
    """The parts "labeled", "validation" and "test" of the Wikipedia topics."""
    task = wikipedia.topic_task(wikipedia.load(), seed)
    places = {topic: place for place, topic in enumerate(wikipedia.TOPICS)}
    return {
        part: Written([a.text for a in found], [places[a.topic] for a in found])
        for part, found in zip(task._fields, task, strict=True)
    }


def review_parts(tokens: BPE, seed: int) -> dict[str, Texts]:
    """As ``written_reviews``, with token ids."""
    return {part: encoded(*found, tokens) for part, found in written_reviews(seed).items()}


def topic_parts(tokens: BPE, seed: int) -> dict[str, Texts]:
    """As ``written_topics``, with token ids."""
    return {part: encoded(*found, tokens) for part, found in written_topics(seed).items()}


def tune(
    body: AWDBody,
    few: Texts,
    way: Config,
    seed: int,
    *,
    steps: int | None = None,
    rate: float | None = None,
    copied: bool = True,
    progress: bool = False,
) -> TextClassifier:
    """A classifier on a copy of ``body`` (or, not ``copied``, on a new body), tuned on few texts.

    ``way`` has ``rates`` ("same", "discriminative" or "last": the head only), ``unfreeze`` (one
    layer more each time, see ``transfer``) and ``schedule`` ("constant", "cosine" or "triangular").
    ``rate`` is the head's, by default that of ``RATES``.
    """
    steps = steps or STEPS[len(few.labels)]
    classes = max(few.labels) + 1
    model = ulmfit_classifier.classifier(body, classes, seed, copied=copied).to(device())
    grouped = freezing.groups(model, ulmfit_classifier.layer_prefixes(model.body))
    rate = rate or RATES[way["rates"]]
    rates = {
        "same": freezing.same_rate,
        "discriminative": freezing.discriminative,
        "last": freezing.last_layer_only,
    }[way["rates"]](grouped, rate)
    optimizer = freezing.tuner(model, grouped, rates)
    sampler = TextSampler(few.ids, few.labels, BATCH, seed)
    if way["unfreeze"]:
        plan = freezing.gradual_unfreezing(grouped, max(1, steps // (len(grouped) + 1)))
        sampler = freezing.Unfreezing(sampler, model, grouped, plan)
    schedule = {
        "constant": schedules.constant(),
        "cosine": schedules.cosine(steps),
        "triangular": schedules.slanted_triangular(steps),
    }[way["schedule"]]
    torch.manual_seed(seed)
    loop.fit(
        model,
        ulmfit_classifier.classification_loss,
        sampler,
        steps,
        optimizer=optimizer,
        schedule=schedule,
        progress=progress,
        bf16=device() == "cpu",  # nearly halves the time there; cuDNN would take float16
    )
    return model.eval()


def score(model: TextClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes, which is plain accuracy where they are balanced."""
    return averaged(
        ulmfit_classifier.predict(model, texts.ids).argmax(dim=-1).tolist(), texts.labels
    )


def scores(model: TextClassifier, parts: dict[str, Texts], few: Texts) -> dict[str, float]:
    """Its score on test and validation texts, and on the few that it was tuned on."""
    return {
        "accuracy": score(model, parts["test"]),
        "validation": score(model, parts["validation"]),
        "training": score(model, few),
    }


def averaged(guesses: Sequence[int], labels: Sequence[int]) -> float:
    """Share of right guesses, class by class, then the mean over classes."""
    shares = []
    for one in sorted(set(labels)):
        inside = [g == one for g, label in zip(guesses, labels, strict=True) if label == one]
        shares.append(sum(inside) / len(inside))
    return sum(shares) / len(shares)


def tfidf(few: Texts, test: Texts) -> float:
    """The baseline: TF-IDF of words and pairs of words, and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    judge = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000)
    )
    judge.fit(few.written, few.labels)
    return averaged(judge.predict(test.written).tolist(), test.labels)
