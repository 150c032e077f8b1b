"""Both directions against left to right, at equal size, texts and steps.

Devlin et al. (2019), table 5, compare BERT without next-sentence prediction with a left-to-right
model. Here: the small BERT pre-trained on the Wikipedia introductions with hidden words ("both"),
the same model with a causal mask and next words ("left"), and a body without pre-training
("none"). "left" is asked for every token it reads, "both" for 15% of them, so equal steps cost
"left" more time: see `seconds`. Both then tune to 500 reviews and 300 articles with the mean of
all states, in the direction they have learned. The model of the first seed is kept.
"""

from __future__ import annotations

import math

import torch

from course_lib.bert import pre_training
from course_lib.bert.model import BertForPreTraining
from course_lib.studies.ch11 import bert_tuning as tuning
from course_lib.studies.ch11 import small_bert
from course_lib.studies.engine import artifacts, measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.text.wordpiece import WordPiece

STEPS = small_bert.KEPT.config["steps"]
LABELS = {"reviews": 500, "topics": 300}
TUNING = {"reviews": 200, "topics": 150}  # steps
RATE, BATCH = 5e-4, 32


def held_out(model: BertForPreTraining, tokens: WordPiece, count: int | None = None) -> Metrics:
    """Validation articles: −log p of what the model was asked for, and how often it comes first.

    The numbers of the two directions answer different questions and do not compare.
    """
    texts = small_bert.pieces(small_bert.articles("validation", count), tokens)
    sampler: pre_training.NextTokenSampler | pre_training.MaskedSampler
    if model.config.causal:
        sampler = pre_training.NextTokenSampler(texts, 50, seed=0)
    else:
        sampler = pre_training.MaskedSampler(texts, tokens, 50, seed=0, mix=(1.0, 0.0, 0.0))
    batches = [sampler.batch(step) for step in range(len(sampler))]
    ranks, nats = pre_training.hidden_ranks(model, batches)
    return {
        "nats": round(nats.mean().item(), 4),
        "perplexity": round(math.exp(nats.mean().item()), 3),
        "top1": round((ranks < 1).float().mean().item(), 4),
        "top5": round((ranks < 5).float().mean().item(), 4),
        "asked": len(ranks),
    }


def run(config: Config, seed: int) -> Metrics:
    """Pre-train and tune; a killed cell goes on from its last hundred steps."""
    tokens = small_bert.vocabulary(config.get("vocabulary", small_bert.VOCABULARY))
    torch.manual_seed(seed)
    model = small_bert.build(config, tokens)
    metrics: Metrics = {"parameters": measure.size(model)}
    with artifacts.resume_file(STUDY.name, config, seed) as file:
        if config["direction"] != "none":
            texts, steps = small_bert.training_pieces(tokens, config), config["steps"]
            history = small_bert.pretrain(model, texts, tokens, seed, steps, checkpoint=file)
            metrics |= {
                "pieces": len(texts),
                "seconds": round(history.seconds[-1], 1),
                "loss": [round(loss, 4) for loss in history.losses[:: max(1, steps // 40)]],
                "validation": held_out(model, tokens, config.get("articles")),
            }
        metrics["accuracy"] = {}
        for task, labels in LABELS.items():
            parts, steps = tuning.parts(task, tokens, seed), config.get("tuning", TUNING[task])
            few = parts["labeled"].first(labels)
            tuned = tuning.tune(model.bert, few, tokens, seed, steps=steps, rate=RATE, batch=BATCH)
            metrics["accuracy"][task] = tuning.score(tuned, parts["test"])
        if config["direction"] != "none":
            small_bert.KEPT.keep(config, seed, model, metrics["validation"], tokens=tokens)
    return metrics


SMALL = {"width": 32, "layers": 1, "heads": 2, "hidden": 64, "tuning": 6}

STUDY = Study(
    name="bert_direction",
    chapter="11",
    title="Pre-training in both directions or left to right: what it is worth on few labels",
    cells=[small_bert.KEPT.config, {"direction": "left", "steps": STEPS}, {"direction": "none"}],
    seeds=(0, 1, 2),
    run=run,
    smoke={"direction": "both", "steps": 8, "articles": 60, "vocabulary": 300, **SMALL},
    tolerance=0.2,  # hardly trained: an accuracy may move by some texts
)
