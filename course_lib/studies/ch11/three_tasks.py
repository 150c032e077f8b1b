"""Two more tasks for the table of part IV: Wikipedia topics, and which of two sentences is first.

What stands in other records is not repeated here: reviews in ``review_labels``, ``minilm_reviews``
and ``bert_direction``; topics for TF-IDF and the LSTM in ``topic_labels``, for the small BERT in
``bert_direction``; the GPT's three in ``gpt_tuning``.

"tuned" and "features" are MiniLM as in ``minilm_reviews``; "small" is the kept small BERT, tuned;
"lstm" is the language model of Wikipedia from chapter 09, tuned as there; "tfidf" counts words.
The small BERT knows 64 positions, so its pairs are cut to 64 tokens; the others read 96.
"""

from __future__ import annotations

from course_lib.data import sentence_order, wikipedia
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning
from course_lib.studies.ch09.text_tuning import Texts
from course_lib.studies.ch11 import bert_tuning, minilm_reviews, small_bert
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.ulmfit.classifier import encode

STEPS = {("topics", 300): 60, ("order", 500): 100, ("order", 5000): 400}  # of MiniLM
SMALL_STEPS = {500: 200, 5000: 1000}


def parts_of(task: str, tokens, seed: int, longest: int = bert_tuning.LONGEST_PAIR):
    """The parts of a task for a BERT."""
    if task == "topics":
        return bert_tuning.topic_parts(tokens, seed)
    return bert_tuning.order_parts(tokens, seed, longest)


def order_for_lstm(tokens, seed: int) -> dict[str, Texts]:
    """Pairs as the LSTM has met texts: each sentence between its marks, one after the other."""
    task = sentence_order.task(wikipedia.load(), seed)
    room = bert_tuning.LONGEST_PAIR // 2 - 2
    parts = {"labeled": task.labeled[:5000], "validation": task.validation, "test": task.test}
    return {
        part: Texts(
            [f"{pair.first} {pair.second}".lower() for pair in found],
            [
                [id for text in pair[:2] for id in encode(text.lower(), tokens, room)]
                for pair in found
            ],
            [pair.label for pair in found],
        )
        for part, found in parts.items()
    }


def with_minilm(config: Config, seed: int) -> float:
    """Tuned, or logistic regression on features."""
    body, tokens = minilm_reviews.start(config)
    parts = parts_of(config["task"], tokens, seed)
    few, test = parts["labeled"].first(config["labels"]), parts["test"]
    if config["start"] == "features":
        found = minilm_reviews.on_features(body, tokens, few, test)
        return text_tuning.averaged(found, test.labels)
    steps = config.get("steps") or STEPS[config["task"], config["labels"]]
    tuned = bert_tuning.tune(body, few, tokens, seed, steps=steps, rate=minilm_reviews.RATE)
    return bert_tuning.score(tuned, test)


def with_small(config: Config, seed: int) -> float:
    """The kept small BERT, tuned as in ``bert_direction``."""
    from course_lib.studies.ch11 import bert_direction as direction

    model, tokens, _ = small_bert.load_kept()
    parts = parts_of(config["task"], tokens, seed, small_bert.LENGTH)
    few = parts["labeled"].first(config["labels"])
    tuned = bert_tuning.tune(
        model.bert.float(),
        few,
        tokens,
        seed,
        steps=SMALL_STEPS[config["labels"]],
        rate=direction.RATE,
        batch=direction.BATCH,
    )
    return bert_tuning.score(tuned, parts["test"])


def with_lstm(config: Config, seed: int) -> float:
    """The kept LSTM of Wikipedia, tuned as ULMFiT does; or the baseline on the same texts."""
    model, tokens, _ = lm.load_kept(lm.WIKIPEDIA)
    parts = order_for_lstm(tokens, seed)
    few = parts["labeled"].first(config["labels"])
    if config["start"] == "tfidf":
        return text_tuning.tfidf(few, parts["test"])
    tuned = text_tuning.tune(model.body, few, text_tuning.ULMFIT, seed)
    return text_tuning.score(tuned, parts["test"])


def run(config: Config, seed: int) -> Metrics:
    """One start, one task, one number of labels."""
    start = {
        "features": with_minilm,
        "tuned": with_minilm,
        "small": with_small,
        "lstm": with_lstm,
        "tfidf": with_lstm,
    }[config["start"]]
    return {
        "accuracy": start(config, seed),
        "majority": 1 / 6 if config["task"] == "topics" else 1 / 2,
    }


STUDY = Study(
    name="three_tasks",
    chapter="11",
    title="Topics and sentence order: MiniLM, the small BERT and the LSTM",
    cells=[
        {"start": "features", "task": "topics", "labels": 300},
        {"start": "tuned", "task": "topics", "labels": 300},
        *(
            {"start": start, "task": "order", "labels": count}
            for count in (500, 5000)
            for start in ("tfidf", "lstm", "small", "features", "tuned")
        ),
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "start": "tuned",
        "task": "topics",
        "labels": 24,
        "steps": 4,
        "width": 32,
        "layers": 1,
        "heads": 2,
        "hidden": 64,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
