"""Fresh or rotten with MiniLM: tuned, frozen, or from random weights.

"tuned": body and head are trained. "features": the body is frozen and computes one vector a
review, the mean of its states; logistic regression decides. "random": the same architecture from
random weights, trained as a whole. The protocol is that of `review_labels`: the same labeled
reviews by seed, and all 2,000 test reviews ("accuracy"). "subset" is the accuracy on the 500 of
them that the notebook judges live.

**minilm_search.** With 100 labels, "tuned" and "random" have six settings each to choose from,
three rates and two numbers of steps, tried on validation reviews with a seed that no other study
has. The random weights may have higher rates and more steps: they have more to learn.

**minilm_starts.** Both starts in the settings found there, five seeds.

**minilm_reviews.** All else, three seeds: frozen features, and more labels, where neither start
has a search (`UNSEARCHED`).
"""

from __future__ import annotations

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import Bert, BertConfig
from course_lib.studies.ch09.tasks import MAJORITY, Texts, averaged
from course_lib.studies.ch11 import bert_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.searched import best_setting
from course_lib.text.wordpiece import WordPiece

LABELS = (100, 500, 5000)
SEED = 100  # of the search
RATES = {"tuned": (3e-5, 1e-4, 3e-4), "random": (1e-4, 3e-4, 1e-3)}
STEPS = {("tuned", 100): (40, 120), ("random", 100): (40, 160)}
UNSEARCHED = {500: {"rate": 1e-4, "steps": 100}, 5000: {"rate": 1e-4, "steps": 400}}
SMALL = {"width": 32, "layers": 1, "heads": 2, "hidden": 64}  # of smoke cells


def start(config: Config) -> tuple[Bert, WordPiece]:
    """MiniLM; or, for the smoke cell, a small body with its vocabulary."""
    found = bert_weights.minilm()
    if "width" not in config:
        return found.body.to(device()), found.tokens
    sizes = {name: config[name] for name in SMALL}
    return Bert(BertConfig(len(found.tokens), **sizes)), found.tokens


def chosen(way: str, labels: int) -> Config:
    """Rate and steps of a start: the best on validation reviews, or `UNSEARCHED`.

    Raises:
        ValueError: the search has not tried all settings of this cell.
    """
    if (way, labels) not in STEPS:
        return UNSEARCHED[labels]
    return best_setting(SEARCH, lambda metrics: metrics["validation"], way=way, labels=labels)


def search(config: Config, seed: int) -> Metrics:
    """One setting: accuracy on validation reviews, and on those it was tuned to."""
    body, tokens = start(config)
    parts = tuning.parts("reviews", tokens, seed)
    few, asked = parts["labeled"].first(config["labels"]), parts["validation"]
    tuned = tuning.tune(
        body,
        few,
        tokens,
        seed,
        steps=config["steps"],
        rate=config["rate"],
        copied=config["way"] == "tuned",
    )
    return {
        "validation": tuning.score(tuned, asked.first(config.get("asked"))),
        "training": tuning.score(tuned, few),
    }


def run(config: Config, seed: int) -> Metrics:
    """One way, one number of labels."""
    body, tokens = start(config)
    parts = tuning.parts("reviews", tokens, seed)
    few, test = parts["labeled"].first(config["labels"]), parts["test"]
    if "test" in config:
        test = tuning.subset(test, config["test"])
    found = guesses(config, body, tokens, few, test, seed)
    judged = dict(zip(test.written, found, strict=True))
    small = tuning.subset(test)
    return {
        "accuracy": averaged(found, test.labels),
        "subset": averaged([judged[text] for text in small.written], small.labels),
        "tested": len(test.labels),
        "majority": MAJORITY["reviews"],
    }


def guesses(
    config: Config, body: Bert, tokens: WordPiece, few: Texts, test: Texts, seed: int
) -> list[int]:
    """What one way says of the test reviews."""
    if config["way"] == "features":
        return tuning.guesses_on_features(body, tokens, few, test)
    how = config if "steps" in config else chosen(config["way"], config["labels"])
    copied = config["way"] == "tuned"
    tuned = tuning.tune(
        body, few, tokens, seed, steps=how["steps"], rate=how["rate"], copied=copied
    )
    return tuning.guesses(tuned, test)


SMOKE: Config = {"way": "random", "labels": 20, "rate": 1e-4, "steps": 4, **SMALL}
SEARCH = Study(
    name="minilm_search",
    chapter="11",
    title="Rate and steps for MiniLM, tuned or from random weights, on validation reviews",
    cells=[
        {"way": way, "labels": labels, "rate": rate, "steps": steps}
        for (way, labels), counts in STEPS.items()
        for steps in counts
        for rate in RATES[way]
    ],
    seeds=(SEED,),
    run=search,
    smoke={**SMOKE, "asked": 40},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
STARTS = Study(
    name="minilm_starts",
    chapter="11",
    title="MiniLM and the same network from random weights, each in its best setting",
    cells=[{"way": way, "labels": labels} for way, labels in STEPS],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={**SMOKE, "test": 40},
    tolerance=0.2,
)
STUDY = Study(
    name="minilm_reviews",
    chapter="11",
    title="Reviews with MiniLM: frozen, and with more labels",
    cells=[
        *({"way": "features", "labels": labels} for labels in LABELS),
        {"way": "tuned", "labels": 500},
        {"way": "tuned", "labels": 5000},
        {"way": "random", "labels": 500},
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={**SMOKE, "test": 40},
    tolerance=0.2,
)
