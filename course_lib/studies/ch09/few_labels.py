"""Three studies: what the tuned LSTM is worth by what its body has read, labels, and way to tune.

**review_labels.** Fresh or rotten from 50 to 5,000 labels: from scratch, Wikipedia, or Wikipedia
and reviews. All start from the same sizes and read the same labeled reviews; the baseline reads
them too. "wikipedia" and "reviews" are the two kept language models, tuned as ULMFiT says; from
scratch, all layers have one rate. "reviews, one rate" tells the two apart: the body of "reviews",
tuned like one from scratch. The test reviews are of films that no model has read anything about.

**topic_labels.** Six Wikipedia topics from 60 to 1,200 labels. Here the language model's own
domain *is* the target's: stage 1 has read the training articles, without their topics. It has not
read the test articles.

**ulmfit_ladder.** Ways to tune the adapted model to 500 labeled reviews, one by one (Howard & Ruder
2018, table 7). Names as there: full, discr(iminative rates), last (layer only), freez (gradual
unfreezing), stlr (slanted triangular rates), cos(ine). "all" is freez + discr + stlr. Every way
has the same number of steps, and the rate of its kind in `text_tuning.RATES`.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import tasks
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study

REVIEW_COUNTS = (50, 100, 200, 500, 1000, 5000)
TOPIC_COUNTS = (60, 300, 1200)
LADDER_COUNT = 500
ONE_RATE = "reviews, one rate"
STARTS = {"wikipedia": lm.WIKIPEDIA, "reviews": lm.REVIEWS, ONE_RATE: lm.REVIEWS}
WAYS: dict[str, Config] = {
    "full": tuning.FULL,
    "full+discr": tuning.FULL | {"rates": "discriminative"},
    "last": tuning.FULL | {"rates": "last"},
    "freez": tuning.FULL | {"unfreeze": True},
    "freez+discr": tuning.FULL | {"unfreeze": True, "rates": "discriminative"},
    "freez+stlr": tuning.FULL | {"unfreeze": True, "schedule": "triangular"},
    "freez+cos": tuning.FULL | {"unfreeze": True, "schedule": "cosine"},
    "all": tuning.ULMFIT,
}


def run(config: Config, seed: int, task: str = "reviews") -> Metrics:
    """One start, number of labels and way to tune."""
    start = config["start"]
    if start in STARTS:
        model, tokens, _ = lm.load_kept(STARTS[start])
    else:
        tokens, model = lm.tokenizer(config.get("merges", lm.MERGES)), lm.build(config)
    parts = tuning.parts(task, tokens, seed)
    few = parts["labeled"].first(config["labels"])
    if start == "tfidf":
        accuracy = tasks.tfidf(few, parts["test"])
        return {"accuracy": accuracy, "majority": tasks.MAJORITY[task]}
    way = tuning.SCRATCH if start in ("scratch", ONE_RATE) else tuning.ULMFIT
    way = WAYS[config["way"]] if "way" in config else way
    steps, copied = config.get("tuning"), start != "scratch"
    tuned = tuning.tune(model.body, few, way, seed, steps=steps, copied=copied)
    return {
        "accuracy": tuning.score(tuned, parts["test"]),
        "validation": tuning.score(tuned, parts["validation"]),
        "training": tuning.score(tuned, few),
    }


def run_topics(config: Config, seed: int) -> Metrics:
    """The same for the second task."""
    return run(config, seed, "topics")


def _cells(starts: tuple[str, ...], counts: tuple[int, ...]) -> list[Config]:
    return [{"start": start, "labels": count} for start in starts for count in counts]


REVIEW_LABELS = Study(
    name="review_labels",
    chapter="09",
    title="Reviews: accuracy by number of labels and by what was read before",
    cells=_cells(("tfidf", "scratch", *STARTS), REVIEW_COUNTS),
    seeds=(0, 1, 2),
    run=run,
    smoke={"start": "scratch", "labels": 100, **lm.SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
TOPIC_LABELS = Study(
    name="topic_labels",
    chapter="09",
    title="Wikipedia topics: accuracy by number of labels, pre-trained or not",
    cells=_cells(("tfidf", "scratch", "wikipedia"), TOPIC_COUNTS),
    seeds=(0, 1, 2),
    run=run_topics,
    smoke={"start": "scratch", "labels": 60, **lm.SMALL},
    tolerance=0.2,
)
LADDER = Study(
    name="ulmfit_ladder",
    chapter="09",
    title="Ways to tune: full, last layer, discriminative, unfreezing, schedules",
    cells=[{"start": "reviews", "way": way, "labels": LADDER_COUNT} for way in WAYS],
    seeds=(0, 1, 2),
    run=run,
    smoke={"start": "new", "way": "all", "labels": 100, **lm.SMALL},
    tolerance=0.2,
)
