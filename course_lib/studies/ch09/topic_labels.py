"""The second target: six Wikipedia topics from 60 to 1,200 labels.

Here the language model's own domain *is* the target's: stage 1 has read the training articles,
without their topics. It has not read the test articles. Accuracy is averaged over topics, so that
guessing one topic for all gives 1/6.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study

LABELS = (60, 300, 1200)


def run(config: Config, seed: int) -> Metrics:
    """One start, one number of labels."""
    if config["start"] == "wikipedia":
        model, tokens, _ = lm.load_kept(lm.WIKIPEDIA)
    else:
        tokens = lm.tokenizer(config.get("merges", lm.MERGES))
        model = lm.build(config)
    parts = tuning.topic_parts(tokens, seed)
    few = parts["labeled"].first(config["labels"])
    if config["start"] == "tfidf":
        return {"accuracy": tuning.tfidf(few, parts["test"]), "majority": 1 / 6}
    copied = config["start"] == "wikipedia"
    way = tuning.ULMFIT if copied else tuning.SCRATCH
    steps = config.get("tuning")
    tuned = tuning.tune(model.body, few, way, seed, steps=steps, copied=copied)
    return tuning.scores(tuned, parts, few)


STUDY = Study(
    name="topic_labels",
    chapter="09",
    title="Wikipedia topics: accuracy by number of labels, pre-trained or not",
    cells=[
        {"start": start, "labels": count}
        for start in ("tfidf", "scratch", "wikipedia")
        for count in LABELS
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "start": "scratch",
        "labels": 60,
        "merges": 300,
        "embedding": 16,
        "width": 24,
        "tuning": 12,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
