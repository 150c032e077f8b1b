"""Stage 2 of ULMFiT: the Wikipedia model reads reviews, 1 %, 10 % or all of those there are.

Each cell adapts the kept model of stage 1 to a share of the reviews of training films, without
labels, and then tunes it to 500 labeled reviews. A share of 0 is no adaptation. "new"
starts from random weights and reads all reviews: the domain without Wikipedia. The adapted model of
the first seed that has read all reviews is kept.
"""

from __future__ import annotations

import torch

from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study

LABELS = 500
# By start; chosen on validation reviews of seed 100. That of "wikipedia" is of the head, and the
# embedding of a model with two layers gets a seventeenth of it.
RATES = {"wikipedia": 4e-2, "new": 4e-3}


def run(config: Config, seed: int) -> Metrics:
    """Adapt, score and tune."""
    torch.manual_seed(seed)
    if config["start"] == "wikipedia":
        model, tokens, _ = lm.load_kept(lm.WIKIPEDIA)
    else:
        tokens = lm.tokenizer(config.get("merges", lm.MERGES))
        model = lm.build(config)
    known, held_out = lm.review_texts(seed, config["share"])
    metrics: Metrics = {"before": lm.scored(model, held_out, tokens)}
    file = lm.resume_file(STUDY.name, config, seed)
    ids = join(known, tokens)
    if config["steps"]:
        start, steps = config["start"], config["steps"]
        adapt = start == "wikipedia"
        lm.learn(model, ids, steps, RATES[start], adapt=adapt, checkpoint=file)
    metrics |= {"validation": lm.scored(model, held_out, tokens), "tokens_in_corpus": len(ids)}
    parts = tuning.review_parts(tokens, seed)
    few, steps = parts["labeled"].first(LABELS), config.get("tuning")
    tuned = tuning.tune(model.body, few, tuning.ULMFIT, seed, steps=steps)
    metrics["accuracy"] = {str(LABELS): tuning.score(tuned, parts["test"])}
    if config == ADAPTED and seed == STUDY.seeds[0]:
        card = {
            "what": "the Wikipedia language model of chapter 09 after reading movie reviews",
            "config": config,
            "seed": seed,
            "data": "reviews of training films only, without labels",
            "licence": "MIT (weights); reviews for research use",
            "scores": metrics["validation"],
            "limits": "A start for tuning classifiers of short reviews, not a writer.",
        }
        artifacts.save_reader(lm.REVIEWS, model, card, tokens)
    lm.forget(file)
    return metrics


ADAPTED: Config = {"start": "wikipedia", "share": 1.0, "steps": 750}

STUDY = Study(
    name="review_awd_lstm",
    chapter="09",
    title="Domain adaptation: how many unlabeled reviews it takes",
    cells=[
        {"start": "wikipedia", "share": 0.0, "steps": 0},
        {"start": "wikipedia", "share": 0.01, "steps": 50},
        {"start": "wikipedia", "share": 0.1, "steps": 150},
        ADAPTED,
        {"start": "new", "share": 1.0, "steps": 750},
    ],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "start": "new",
        "share": 0.05,
        "steps": 10,
        "merges": 300,
        "embedding": 16,
        "width": 24,
        "tuning": 12,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
