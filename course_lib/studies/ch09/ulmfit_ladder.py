"""Ways to tune the adapted model to 500 labeled reviews, one by one (Howard & Ruder 2018, table 7).

Names as there: full, discr(iminative rates), last (layer only), freez (gradual unfreezing), stlr
(slanted triangular rates), cos(ine). "all" is freez + discr + stlr. Every way has the same number
of steps, and the rate of its kind in ``text_tuning.RATES``.
"""

from __future__ import annotations

from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine.core import Config, Metrics, Study

LABELS = 500
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


def run(config: Config, seed: int) -> Metrics:
    """One way."""
    if config["start"] == "reviews":
        model, tokens, _ = lm.load_kept(lm.REVIEWS)
    else:
        tokens = lm.tokenizer(config["merges"])
        model = lm.build(config)
    parts = tuning.review_parts(tokens, seed)
    few = parts["labeled"].first(config["labels"])
    tuned = tuning.tune(model.body, few, WAYS[config["way"]], seed, steps=config.get("tuning"))
    return tuning.scores(tuned, parts, few)


STUDY = Study(
    name="ulmfit_ladder",
    chapter="09",
    title="Ways to tune: full, last layer, discriminative, unfreezing, schedules",
    cells=[{"start": "reviews", "way": way, "labels": LABELS} for way in WAYS],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "start": "new",
        "way": "all",
        "labels": 100,
        "merges": 300,
        "embedding": 16,
        "width": 24,
        "tuning": 12,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
