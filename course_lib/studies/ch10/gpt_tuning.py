"""A GPT tuned to three tasks: reviews, Wikipedia topics, and which of two sentences comes first.

"start" is what the body has read before: "wikipedia" is the kept model of `wikipedia_gpt`,
"scratch" the same sizes with new weights. "auxiliary" is λ of the second loss (Radford et al. 2018,
section 3.2). Protocol and labeled sets are those of chapter 09 (`tasks`). "tfidf" is the baseline
that counts words, for the third task; for the other two it stands in the records of chapter 09.

The rates are those with the best mean over the validation texts of the three tasks, with seed 100
and 500 labels (topics: 300), of 5e-5 to 3e-3.
"""

from __future__ import annotations

from functools import partial

import torch

from course_lib.gpt import classifier as gpt_classifier
from course_lib.gpt.classifier import GPTClassifier, marks_for, one_text, tuning_loss, two_texts
from course_lib.gpt.model import GPTBody, adamw
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import tasks
from course_lib.studies.ch09.tasks import Texts
from course_lib.studies.ch10 import gpt_models
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.bpe import BPE
from course_lib.transfer import classify

BATCH = 16
LONGEST, LONGEST_PAIR = 66, 96  # tokens of a text and of a pair, with marks
STEPS = {100: 80, 300: 120, 500: 150, 5000: 600}
RATES = {"wikipedia": 5e-4, "scratch": 3e-4}
DECAY = 0.01


def parts(task: str, tokens: BPE, seed: int) -> dict[str, Texts]:
    """The parts of a task (`tasks.parts`), in lower case, with their marks."""
    marks = marks_for(len(tokens))

    def encode(one: str, other: str | None) -> list[int]:
        first = tokens.encode(one.lower())
        if other is None:
            return one_text(first, marks, LONGEST)
        return two_texts(first, tokens.encode(other.lower()), marks, LONGEST_PAIR)

    return tasks.parts(task, seed, encode)


def tune(
    body: GPTBody,
    few: Texts,
    seed: int,
    *,
    rate: float,
    steps: int | None = None,
    copied: bool = True,
    auxiliary: float = 0.0,
) -> GPTClassifier:
    """A classifier on a copy of `body` (or, not `copied`, on a new body), tuned as a whole."""
    steps = steps or STEPS[len(few.labels)]
    classes = max(few.labels) + 1
    model = gpt_classifier.classifier(body, classes, seed, copied=copied).to(device())
    loss = partial(tuning_loss, auxiliary=auxiliary)
    return tasks.fine_tune(model, few, seed, steps, adamw(model, rate, DECAY), BATCH, loss)


def score(model: GPTClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes; the model computes in 16 bits."""
    with torch.autocast(device(), torch.bfloat16):
        guesses = classify.predict(model, texts.ids).argmax(dim=-1).tolist()
    return tasks.averaged(guesses, texts.labels)


def run(config: Config, seed: int) -> Metrics:
    """One task, one start, one number of labels."""
    start = config["start"]
    if start == "wikipedia":
        model, tokens, _ = gpt_models.load_kept()
    else:
        tokens = lm.tokenizer(config.get("merges", lm.MERGES))
        model = gpt_models.build(config, len(tokens))
    found = parts(config["task"], tokens, seed)
    few, test = found["labeled"].first(config["labels"]), found["test"].first(config.get("test"))
    majority = {"majority": tasks.MAJORITY[config["task"]]}
    if start == "tfidf":
        return {"accuracy": tasks.tfidf(few, test), **majority}
    assert isinstance(model.body, GPTBody)
    tuned = tune(
        model.body,
        few,
        seed,
        rate=RATES[start],
        steps=config.get("steps"),
        copied=start == "wikipedia",
        auxiliary=config["auxiliary"],
    )
    validation = found["validation"].first(config.get("test"))
    return {"accuracy": score(tuned, test), "validation": score(tuned, validation), **majority}


SMALL = {**gpt_models.SMALL, "steps": 12, "test": 200}

STUDY = Study(
    name="gpt_tuning",
    chapter="10",
    title="A GPT tuned to three tasks, pre-trained or not, with and without a second loss",
    cells=[
        *(
            {"task": "reviews", "start": start, "auxiliary": auxiliary, "labels": labels}
            for start, auxiliary in (("wikipedia", 0.0), ("scratch", 0.0), ("wikipedia", 0.5))
            for labels in (100, 500, 5000)
        ),
        *(
            {"task": task, "start": start, "auxiliary": 0.0, "labels": labels}
            for task, labels in (("topics", 300), ("order", 5000))
            for start in ("wikipedia", "scratch")
        ),
        {"task": "order", "start": "tfidf", "labels": 5000},
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={"task": "reviews", "start": "scratch", "auxiliary": 0.5, "labels": 100, **SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
