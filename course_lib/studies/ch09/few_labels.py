"""Three studies: what the tuned LSTM is worth by what its body has read, labels, and way to tune.

Each start is tuned in the setting that `tuning_search` has found for it on validation texts, for
this task and this number of labels; the setting stands beside the scores. All starts have the same
sizes and read the same labeled texts; the baseline "tfidf" reads them too. "wikipedia" and
"reviews" are the two kept language models.

**topic_labels.** Six Wikipedia topics, 60 and 300 labels. Here the language model's own
domain *is* the target's: stage 1 has read the training articles, without their topics. It has not
read the test articles. "short" starts from one of three other bodies (by seed) that have read
three million subwords, a fifth of "wikipedia", and is tuned as "wikipedia" is: do the results hang
on one pre-training run?

**review_labels.** Fresh or rotten from 100 to 5,000 labels. The test reviews are of films that no
model has read anything about.

**ulmfit_ladder.** Ways to tune, one by one (Howard & Ruder 2018, table 7): the Wikipedia model to
300 labeled topics, the adapted model to 500 labeled reviews. Names as there: full,
discr(iminative rates), last (layer only), freez (gradual unfreezing), stlr (slanted triangular
rates), cos(ine). "all" is freez + discr + stlr. Every way has the same number of steps, and the
best of four rates.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import tasks, tuning_search
from course_lib.studies.engine.core import Config, Metrics, Study

WAYS = tuning_search.WAYS
TOPIC_COUNTS, REVIEW_COUNTS = tuning_search.COUNTS.values()
LADDER_COUNT = tuning_search.LADDER["topics"][1]


def run(config: Config, seed: int, task: str = "reviews") -> Metrics:
    """One start and number of labels, or one way to tune."""
    config = {"task": task} | config
    if "rate" in config:  # a smoke cell has a setting of its own
        setting = config
    elif "way" in config:
        cell = {key: config[key] for key in ("task", "way")}
        setting = config | tuning_search.chosen("ladder", **cell)
    else:
        start = "wikipedia" if config["start"] == "short" else config["start"]
        setting = tuning_search.chosen(task, start=start, labels=config["labels"])
    found = tuning_search.scores(config, seed, setting, ("test", "validation"))
    known = {"way", "rate", "times", "strength", "words"} - config.keys()
    used = {key: setting[key] for key in sorted(setting.keys() & known)}
    return {
        "accuracy": found.pop("test"),
        **found,
        "majority": tasks.MAJORITY[task],
        **({"setting": used} if used else {}),
    }


def run_topics(config: Config, seed: int) -> Metrics:
    """The same for topics."""
    return run(config, seed, "topics")


def run_way(config: Config, seed: int) -> Metrics:
    """One way to tune; the cell names the task."""
    return run(config, seed, config["task"])


def _cells(starts: tuple[str, ...], counts: tuple[int, ...]) -> list[Config]:
    return [{"start": start, "labels": count} for count in counts for start in starts]


SMOKE: Config = {"start": "scratch", "way": "one rate", "rate": 1e-2, **lm.SMALL}
TOPIC_LABELS = Study(
    name="topic_labels",
    chapter="09",
    title="Wikipedia topics: accuracy by number of labels, pre-trained or not",
    cells=[
        *_cells(("tfidf", "scratch", "wikipedia"), TOPIC_COUNTS),
        *_cells(("short",), TOPIC_COUNTS),
    ],
    seeds=tuple(range(10)),
    run=run_topics,
    smoke={"labels": 60, **SMOKE},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
REVIEW_LABELS = Study(
    name="review_labels",
    chapter="09",
    title="Reviews: accuracy by number of labels and by what was read before",
    cells=_cells(("tfidf", "scratch", "wikipedia", "reviews"), REVIEW_COUNTS),
    seeds=tuple(range(5)),
    run=run,
    smoke={"labels": 100, **SMOKE},
    tolerance=0.2,
)
LADDER = Study(
    name="ulmfit_ladder",
    chapter="09",
    title="Ways to tune: full, last layer, discriminative, unfreezing, schedules",
    cells=[
        {"task": task, "start": start, "labels": labels, "way": way}
        for task, (start, labels) in tuning_search.LADDER.items()
        for way in WAYS
    ],
    seeds=tuple(range(5)),
    run=run_way,
    smoke={"task": "topics", "labels": 60, **SMOKE, "start": "new", "way": "all"},
    tolerance=0.2,
)
