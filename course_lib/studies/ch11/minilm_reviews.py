"""Fresh or rotten with MiniLM: 100, 500 and 5,000 labels, tuned, frozen, or from random weights.

"tuned": body and head are trained. "features": the body is frozen and computes one vector a
review, the mean of its states; logistic regression decides. "random": the same architecture from
random weights, trained as "tuned" is. The protocol is that of `review_labels`: the same labeled
reviews by seed, and all 2,000 test reviews ("accuracy"). "subset" is the accuracy on the 500 of
them that the notebook judges live.
"""

from __future__ import annotations

from course_lib.bert import weights as bert_weights
from course_lib.bert.model import Bert, BertConfig
from course_lib.studies.ch09.tasks import MAJORITY, averaged
from course_lib.studies.ch11 import bert_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.text.wordpiece import WordPiece

LABELS = (100, 500, 5000)
STEPS = {100: 40, 500: 100, 5000: 400}
RATE = 1e-4
SMALL = {"width": 32, "layers": 1, "heads": 2, "hidden": 64}  # of smoke cells


def start(config: Config) -> tuple[Bert, WordPiece]:
    """MiniLM; or, for the smoke cell, a small body with its vocabulary."""
    found = bert_weights.minilm()
    if "width" not in config:
        return found.body.to(device()), found.tokens
    sizes = {name: config[name] for name in SMALL}
    return Bert(BertConfig(len(found.tokens), **sizes)), found.tokens


def run(config: Config, seed: int) -> Metrics:
    """One way, one number of labels."""
    body, tokens = start(config)
    parts = tuning.parts("reviews", tokens, seed)
    few, test = parts["labeled"].first(config["labels"]), parts["test"]
    if "test" in config:
        test = tuning.subset(test, config["test"])
    if config["way"] == "features":
        found = tuning.guesses_on_features(body, tokens, few, test)
    else:
        steps, copied = config.get("steps") or STEPS[config["labels"]], config["way"] == "tuned"
        tuned = tuning.tune(body, few, tokens, seed, steps=steps, rate=RATE, copied=copied)
        found = tuning.guesses(tuned, test)
    judged = dict(zip(test.written, found, strict=True))
    small = tuning.subset(test)
    return {
        "accuracy": averaged(found, test.labels),
        "subset": averaged([judged[text] for text in small.written], small.labels),
        "tested": len(test.labels),
        "majority": MAJORITY["reviews"],
    }


STUDY = Study(
    name="minilm_reviews",
    chapter="11",
    title="Reviews with MiniLM: tuned, frozen, and from random weights",
    cells=[
        *({"way": way, "labels": count} for way in ("features", "tuned") for count in LABELS),
        *({"way": "random", "labels": count} for count in LABELS[:2]),
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={"way": "random", "labels": 20, "steps": 4, "test": 40, **SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
