"""A GPT tuned to three tasks: reviews, Wikipedia topics, and which of two sentences comes first.

"start" is what the body has read before: "wikipedia" is the kept model of ``wikipedia_gpt``,
"scratch" the same sizes with new weights. "auxiliary" is λ of the second loss (Radford et al. 2018,
section 3.2). Protocol and labeled sets are those of ``review_labels`` and ``topic_labels``, and of
``data.sentence_order``. "tfidf" is the baseline that counts words, for the third task; for the
other two it stands in the records of chapter 09.

The rates are those with the best mean over the validation texts of the three tasks, with seed 100
and 500 labels (topics: 300), of 5e-5 to 3e-3: ``validation_by_rate``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from course_lib.data import sentence_order, wikipedia
from course_lib.data.sentence_order import SentencePair
from course_lib.gpt import classifier as gpt_classifier
from course_lib.gpt.classifier import (
    GPTClassifier,
    Marks,
    TuningLoss,
    marks_for,
    one_text,
    two_texts,
)
from course_lib.gpt.model import GPTBody, adamw
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.ch09.text_tuning import Texts
from course_lib.studies.ch10 import gpt_models
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.bpe import BPE
from course_lib.training import loop, schedules
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextSampler

BATCH = 16
LONGEST = {"reviews": tuning.LONGEST + 2, "topics": tuning.LONGEST + 2, "order": 96}  # with marks
STEPS = {100: 80, 300: 120, 500: 150, 5000: 600}
RATES = {"wikipedia": 5e-4, "scratch": 3e-4}
DECAY = 0.01
MAJORITY = {"reviews": 1 / 2, "topics": 1 / 6, "order": 1 / 2}


def parts(task: str, tokens: BPE, seed: int) -> dict[str, Texts]:
    """The parts "labeled", "validation" and "test" of a task, in lower case, with their marks."""
    marks, longest = marks_for(len(tokens)), LONGEST[task]
    if task == "order":
        return {
            part: encoded_pairs(pairs, tokens, marks, longest)
            for part, pairs in sentence_order.task(wikipedia.load(), seed)._asdict().items()
        }
    made = {"reviews": tuning.review_parts, "topics": tuning.topic_parts}[task](tokens, seed)
    return {
        part: texts._replace(ids=[one_text(ids[1:-1], marks, longest) for ids in texts.ids])
        for part, texts in made.items()
    }


def encoded_pairs(pairs: Sequence[SentencePair], tokens: BPE, marks: Marks, longest: int) -> Texts:
    """Two sentences a text, in lower case, with a delimiter between their ids."""
    pairs = pairs[:5000]
    lower = [(pair.first.lower(), pair.second.lower()) for pair in pairs]
    ids = [two_texts(tokens.encode(a), tokens.encode(b), marks, longest) for a, b in lower]
    return Texts([f"{a} {b}" for a, b in lower], ids, [pair.label for pair in pairs])


def tune(
    body: GPTBody,
    few: Texts,
    seed: int,
    *,
    rate: float,
    steps: int | None = None,
    copied: bool = True,
    auxiliary: float = 0.0,
    progress: bool = False,
) -> GPTClassifier:
    """A classifier on a copy of ``body`` (or, not ``copied``, on a new body), tuned as a whole.

    AdamW; the rate rises over a tenth of the steps and falls in a line to zero.
    """
    steps = steps or STEPS[len(few.labels)]
    classes = max(few.labels) + 1
    model = gpt_classifier.classifier(body, classes, seed, copied=copied).to(device())
    torch.manual_seed(seed)
    loop.fit(
        model,
        TuningLoss(auxiliary),
        TextSampler(few.ids, few.labels, BATCH, seed),
        steps,
        optimizer=adamw(model, rate, DECAY),
        schedule=schedules.warmup_linear(max(1, steps // 10), steps),
        progress=progress,
        bf16=True,
    )
    return model.eval()


def score(model: GPTClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes; the model computes in 16 bits."""
    with torch.autocast(device(), torch.bfloat16):
        guesses = ulmfit_classifier.predict(model, texts.ids).argmax(dim=-1).tolist()
    return tuning.averaged(guesses, texts.labels)


def body_for(config: Config) -> tuple[GPTBody, BPE]:
    """The kept body, or one whose weights nobody will use, and the subwords."""
    if config["start"] == "wikipedia":
        model, tokens, _ = gpt_models.load_kept()
    else:
        tokens = lm.tokenizer(config.get("merges", lm.MERGES))
        model = gpt_models.build(config, len(tokens))
    return model.body, tokens


def run(config: Config, seed: int) -> Metrics:
    """One task, one start, one number of labels."""
    body, tokens = body_for(config)
    found = parts(config["task"], tokens, seed)
    few, test = found["labeled"].first(config["labels"]), found["test"].first(config.get("test"))
    majority = {"majority": MAJORITY[config["task"]]}
    if config["start"] == "tfidf":
        return {"accuracy": tuning.tfidf(few, test), **majority}
    tuned = tune(
        body,
        few,
        seed,
        rate=RATES[config["start"]],
        steps=config.get("steps"),
        copied=config["start"] == "wikipedia",
        auxiliary=config["auxiliary"],
    )
    validation = found["validation"].first(config.get("test"))
    return {"accuracy": score(tuned, test), "validation": score(tuned, validation), **majority}


def validation_by_rate(task: str, start: str, rates: Sequence[float]) -> dict[float, float]:
    """How the rates were chosen: validation accuracy by rate; seed 100, 500 labels (or 300)."""
    body, tokens = body_for({"start": start})
    found = parts(task, tokens, 100)
    few, copied = found["labeled"].first(300 if task == "topics" else 500), start == "wikipedia"
    return {
        rate: score(tune(body, few, 100, rate=rate, copied=copied), found["validation"])
        for rate in rates
    }


REVIEWS = [
    {"task": "reviews", "start": start, "auxiliary": auxiliary, "labels": labels}
    for start, auxiliary in (("wikipedia", 0.0), ("scratch", 0.0), ("wikipedia", 0.5))
    for labels in (100, 500, 5000)
]
OTHERS = [
    {"task": task, "start": start, "auxiliary": 0.0, "labels": labels}
    for task, labels in (("topics", 300), ("order", 5000))
    for start in ("wikipedia", "scratch")
]
COUNTED = [{"task": "order", "start": "tfidf", "labels": 5000}]

STUDY = Study(
    name="gpt_tuning",
    chapter="10",
    title="A GPT tuned to three tasks, pre-trained or not, with and without a second loss",
    cells=REVIEWS + OTHERS + COUNTED,
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "task": "reviews",
        "start": "scratch",
        "auxiliary": 0.5,
        "labels": 100,
        "merges": 300,
        "width": 24,
        "layers": 2,
        "heads": 2,
        "steps": 12,
        "test": 200,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
