"""Stage 1 of ULMFiT: a language model of Wikipedia, and what it is worth by amount of training.

Each cell trains one language model with a schedule of its own length and then tunes it, without
domain adaptation, to 200 labeled reviews and 300 labeled articles. The longest of the first seed is
kept. The language model has read the training articles of the second target, without labels.
"""

from __future__ import annotations

import torch

from course_lib.recurrent.streams import join
from course_lib.studies.ch09 import language_models as lm
from course_lib.studies.ch09 import text_tuning as tuning
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.bpe import BPE
from course_lib.ulmfit.model import AWDLanguageModel

RATE = 4e-3


def worth(model: AWDLanguageModel, tokens: BPE, seed: int, steps: int | None = None) -> Metrics:
    """Test accuracy after tuning to few labels, by task."""
    found: Metrics = {}
    for task, parts, count in (
        ("reviews", tuning.review_parts(tokens, seed), 200),
        ("topics", tuning.topic_parts(tokens, seed), 300),
    ):
        few = parts["labeled"].first(count)
        tuned = tuning.tune(model.body, few, tuning.ULMFIT, seed, steps=steps)
        found[task] = tuning.score(tuned, parts["test"])
    return found


def run(config: Config, seed: int) -> Metrics:
    """Pre-train, score and tune; a killed cell goes on from its last hundred steps."""
    tokens = lm.tokenizer(config.get("merges", lm.MERGES))
    known, held_out = lm.wikipedia_texts(seed)
    torch.manual_seed(seed)
    model, file = lm.build(config), lm.resume_file(STUDY.name, config, seed)
    ids = join(known[: config.get("articles")], tokens)
    lm.learn(model, ids, config["steps"], RATE, checkpoint=file)
    metrics: Metrics = {
        "validation": lm.scored(model, held_out, tokens),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tokens_in_corpus": len(ids),
        "tokens_read": config["steps"] * lm.STREAMS * lm.LENGTH,
        "accuracy": worth(model, tokens, seed, config.get("tuning")),
    }
    if config == STUDY.cells[-1] and seed == STUDY.seeds[0]:
        card = {
            "what": "AWD-LSTM language model of English Wikipedia introductions, for chapter 09",
            "config": config,
            "seed": seed,
            "data": "training part of the Wikipedia introductions; subwords also from reviews",
            "licence": "MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
            "scores": metrics["validation"],
            "limits": "1.1 million tokens of lower-case text. A start for tuning, not a writer.",
        }
        artifacts.save_reader(lm.WIKIPEDIA, model, card, tokens)
    lm.forget(file)
    return metrics


STUDY = Study(
    name="wikipedia_awd_lstm",
    chapter="09",
    title="Pre-training an AWD-LSTM on Wikipedia: perplexity and what it is worth, by steps",
    cells=[{"steps": 650}, {"steps": 3_900}, {"steps": 10_000}],
    seeds=(0, 1, 2),
    run=run,
    smoke={
        "steps": 10,
        "articles": 300,
        "merges": 300,
        "embedding": 16,
        "width": 24,
        "tuning": 12,
    },
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
