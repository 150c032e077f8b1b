"""Two more tasks for the table of part IV: Wikipedia topics, and which of two sentences is first.

What stands in other records is not repeated here: reviews in `review_labels` and `minilm_reviews`,
topics for TF-IDF and the LSTM in `topic_labels`, the GPT's three in `gpt_tuning`.

"tuned" and "features" are MiniLM as in `minilm_reviews`; "lstm" is the language model of Wikipedia
from chapter 09, tuned as there; "tfidf" counts words.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import tasks, text_tuning
from course_lib.studies.ch11 import bert_tuning, minilm_reviews
from course_lib.studies.engine.core import Config, Metrics, Study

RATE = 1e-4  # of MiniLM, as its steps not searched
STEPS = {("topics", 300): 60, ("order", 500): 100, ("order", 5000): 400}


def with_minilm(config: Config, seed: int) -> float:
    """Tuned, or logistic regression on features."""
    body, tokens = minilm_reviews.start(config)
    parts = bert_tuning.parts(config["task"], tokens, seed)
    few, test = parts["labeled"].first(config["labels"]), parts["test"]
    if config["start"] == "features":
        guesses = bert_tuning.guesses_on_features(body, tokens, few, test)
        return tasks.averaged(guesses, test.labels)
    steps = config.get("steps") or STEPS[config["task"], config["labels"]]
    tuned = bert_tuning.tune(body, few, tokens, seed, steps=steps, rate=RATE)
    return bert_tuning.score(tuned, test)


def with_lstm(config: Config, seed: int) -> float:
    """The kept LSTM of Wikipedia, tuned as ULMFiT does; or the baseline on the same texts."""
    model, tokens, _ = lm.load_kept(lm.WIKIPEDIA)
    parts = text_tuning.parts(config["task"], tokens, seed)
    few, test = parts["labeled"].first(config["labels"]), parts["test"]
    if config["start"] == "tfidf":
        return tasks.tfidf(few, test)
    return text_tuning.score(text_tuning.tune(model.body, few, text_tuning.ULMFIT, seed), test)


STARTS = {
    "features": with_minilm,
    "tuned": with_minilm,
    "lstm": with_lstm,
    "tfidf": with_lstm,
}


def run(config: Config, seed: int) -> Metrics:
    """One start, one task, one number of labels."""
    accuracy = STARTS[config["start"]](config, seed)
    return {"accuracy": accuracy, "majority": tasks.MAJORITY[config["task"]]}


STUDY = Study(
    name="three_tasks",
    chapter="11",
    title="Topics and sentence order: MiniLM and the LSTM",
    cells=[
        {"start": "features", "task": "topics", "labels": 300},
        {"start": "tuned", "task": "topics", "labels": 300},
        *(
            {"start": start, "task": "order", "labels": count}
            for count in (500, 5000)
            for start in ("tfidf", "lstm", "features", "tuned")
        ),
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={"start": "tuned", "task": "topics", "labels": 24, "steps": 4, **minilm_reviews.SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
