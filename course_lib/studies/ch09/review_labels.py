"""Fresh or rotten from 50 to 5,000 labels: from scratch, Wikipedia, or Wikipedia and reviews.

All start from the same sizes and read the same labeled reviews; the baselines read them too.
"wikipedia" and "reviews" are tuned as ULMFiT says; from scratch, all layers have one rate.
"reviews, one rate" tells the two apart: the body of "reviews", tuned like one from scratch. The two
kept language models are those of the studies ``wikipedia_awd_lstm`` and ``review_awd_lstm``.
Rates and steps are those of ``text_tuning``. The test reviews are of films that no model has read
anything about.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study

LABELS = (50, 100, 200, 500, 1000, 5000)
ONE_RATE = "reviews, one rate"
STARTS = {"wikipedia": lm.WIKIPEDIA, "reviews": lm.REVIEWS, ONE_RATE: lm.REVIEWS}
MAJORITY = 0.5  # the test set is balanced


def run(config: Config, seed: int) -> Metrics:
    """One start, one number of labels."""
    count = config["labels"]
    if config["start"] in STARTS:
        model, tokens, _ = lm.load_kept(STARTS[config["start"]])
    else:
        tokens = lm.tokenizer(config.get("merges", lm.MERGES))
        model = lm.build(config)
    parts = tuning.review_parts(tokens, seed)
    few = parts["labeled"].first(count)
    if config["start"] == "tfidf":
        return {"accuracy": tuning.tfidf(few, parts["test"]), "majority": MAJORITY}
    copied = config["start"] in STARTS
    way = tuning.ULMFIT if copied and config["start"] != ONE_RATE else tuning.SCRATCH
    steps = config.get("tuning")
    tuned = tuning.tune(model.body, few, way, seed, steps=steps, copied=copied)
    return tuning.scores(tuned, parts, few)


STUDY = Study(
    name="review_labels",
    chapter="09",
    title="Reviews: accuracy by number of labels and by what was read before",
    cells=[
        {"start": start, "labels": count}
        for start in ("tfidf", "scratch", *STARTS)
        for count in LABELS
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "start": "scratch",
        "labels": 100,
        "merges": 300,
        "embedding": 16,
        "width": 24,
        "tuning": 12,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
