"""Two studies: the stages of ULMFiT before tuning, and what each is worth.

**wikipedia_awd_lstm.** Stage 1: a language model of Wikipedia, by amount of training. Each cell
trains one with a schedule of its own length and then tunes it, without domain adaptation, to 200
labeled reviews and 300 labeled articles. The longest of the first seed is kept. The language model
has read the training articles of the second target, without labels.

**review_awd_lstm.** Stage 2: the Wikipedia model reads reviews, 1%, 10% or all of those there
are. Each cell adapts the kept model of stage 1 to a share of the reviews of training films,
without labels, and then tunes it to 500 labeled reviews. A share of 0 is no adaptation. "new"
starts from random weights and reads all reviews: the domain without Wikipedia. The adapted model
of the first seed that has read all reviews is kept.
"""

from __future__ import annotations

import torch

from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine import artifacts, measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.bpe import BPE
from course_lib.ulmfit.model import AWDLanguageModel

# By start; chosen on validation reviews of seed 100. That of "wikipedia" is of the head, and the
# embedding of a model with two layers gets a seventeenth of it.
REVIEW_RATES = {"wikipedia": 4e-2, "new": 4e-3}


def worth(
    model: AWDLanguageModel, tokens: BPE, task: str, count: int, config: Config, seed: int
) -> float:
    """Test accuracy after tuning to so many labels of a task."""
    parts = tuning.parts(task, tokens, seed)
    few, steps = parts["labeled"].first(count), config.get("tuning")
    tuned = tuning.tune(model.body, few, tuning.ULMFIT, seed, steps=steps)
    return tuning.score(tuned, parts["test"])


def run_wikipedia(config: Config, seed: int) -> Metrics:
    """Pre-train, score and tune; a killed cell goes on from its last hundred steps."""
    tokens = lm.tokenizer(config.get("merges", lm.MERGES))
    known, held_out = lm.wikipedia_texts(seed)
    torch.manual_seed(seed)
    model, steps = lm.build(config), config["steps"]
    ids = join(known[: config.get("articles")], tokens)
    with artifacts.resume_file(WIKIPEDIA.name, config, seed) as file:
        lm.learn(model, ids, steps, lm.WIKIPEDIA_RATE, checkpoint=file)
        metrics: Metrics = {
            "validation": lm.scored(model, held_out, tokens),
            "parameters": measure.size(model),
            "tokens_in_corpus": len(ids),
            "tokens_read": steps * lm.STREAMS * lm.LENGTH,
            "accuracy": {
                "reviews": worth(model, tokens, "reviews", 200, config, seed),
                "topics": worth(model, tokens, "topics", 300, config, seed),
            },
        }
        lm.WIKIPEDIA.keep(config, seed, model, metrics["validation"], tokens=tokens)
    return metrics


def run_reviews(config: Config, seed: int) -> Metrics:
    """Adapt, score and tune."""
    torch.manual_seed(seed)
    start, steps = config["start"], config["steps"]
    if start == "wikipedia":
        model, tokens, _ = lm.load_kept(lm.WIKIPEDIA)
    else:
        tokens, model = lm.tokenizer(config.get("merges", lm.MERGES)), lm.build(config)
    known, held_out = lm.review_texts(seed, config["share"])
    metrics: Metrics = {"before": lm.scored(model, held_out, tokens)}
    ids = join(known, tokens)
    with artifacts.resume_file(REVIEWS.name, config, seed) as file:
        if steps:
            adapt = start == "wikipedia"
            lm.learn(model, ids, steps, REVIEW_RATES[start], adapt=adapt, checkpoint=file)
        metrics |= {
            "validation": lm.scored(model, held_out, tokens),
            "tokens_in_corpus": len(ids),
            "accuracy": {"500": worth(model, tokens, "reviews", 500, config, seed)},
        }
        lm.REVIEWS.keep(config, seed, model, metrics["validation"], tokens=tokens)
    return metrics


WIKIPEDIA = Study(
    name="wikipedia_awd_lstm",
    chapter="09",
    title="Pre-training an AWD-LSTM on Wikipedia: perplexity and what it is worth, by steps",
    cells=[{"steps": 650}, {"steps": 3_900}, lm.WIKIPEDIA.config],
    seeds=(0, 1, 2),
    run=run_wikipedia,
    smoke={"steps": 10, "articles": 300, **lm.SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
REVIEWS = Study(
    name="review_awd_lstm",
    chapter="09",
    title="Domain adaptation: how many unlabeled reviews it takes",
    cells=[
        {"start": "wikipedia", "share": 0.0, "steps": 0},
        {"start": "wikipedia", "share": 0.01, "steps": 50},
        {"start": "wikipedia", "share": 0.1, "steps": 150},
        lm.REVIEWS.config,
        {"start": "new", "share": 1.0, "steps": 750},
    ],
    seeds=(0, 1, 2),
    run=run_reviews,
    smoke={"start": "new", "share": 0.05, "steps": 10, **lm.SMALL},
    tolerance=0.2,
)
