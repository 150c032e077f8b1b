"""Pre-training the small BERT: a search, then three seeds at full length.

40% of the tokens are hidden behind `[MASK]`, and the model is asked for those: with BERT's 15% a
step asks for less, and Wettig et al. (2023) find 40% better for large models. "bert_search" tries
three rates in short runs of their own schedule, seed 100; "bert_pretraining" takes the one with the
lowest validation loss, and runs it at full length with three other seeds.

The model needs patience: its loss stays at the words' frequencies for many hundred steps before it
learns to use the neighbors.

The search has the same network left to right, too: "left" has a causal mask and is asked for the
next token at every position, with the same pieces of text, batches and steps. It has no full run:
in 10,000 steps it reads its text 28 times, and is worse on validation articles than after a short
run. The directions can be compared once the steps of each are chosen on validation articles, too.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from course_lib.bert import pre_training
from course_lib.bert.model import BertForPreTraining
from course_lib.data import archives
from course_lib.studies.ch11 import small_bert
from course_lib.studies.engine import artifacts, measure
from course_lib.studies.engine.core import Config, Metrics, Study
from course_lib.studies.engine.searched import best_setting
from course_lib.text.wordpiece import Marked, WordPiece
from course_lib.training import resumable, schedules
from course_lib.training.checkpoint import load_weights, save_weights

SHARE, MASKS = 0.4, (1.0, 0.0, 0.0)  # hidden while learning, all by [MASK]
BATCH, WARMUP = 64, 500
SHORT = 2000  # steps of a run in the search
RATES = (2e-3, 1e-3, 4e-3)  # at their highest
DIRECTIONS = ("both", "left")

Asking: TypeAlias = "pre_training.NextTokenSampler | pre_training.MaskedSampler"


def sampler(texts: list[Marked], tokens: WordPiece, seed: int, *, causal: bool) -> Asking:
    """The same pieces in the same batches for both directions."""
    if causal:
        return pre_training.NextTokenSampler(texts, BATCH, seed)
    return pre_training.MaskedSampler(texts, tokens, BATCH, seed, share=SHARE, mix=MASKS)


def questions(
    texts: list[Marked], tokens: WordPiece, seed: int = 0, *, causal: bool
) -> list[pre_training.MaskedBatch]:
    """What is asked of held-out texts: every next token, or 15% of them, hidden by `[MASK]`."""
    asked: Asking
    if causal:
        asked = pre_training.NextTokenSampler(texts, 50, seed)
    else:
        asked = pre_training.MaskedSampler(texts, tokens, 50, seed, mix=MASKS)
    return [asked.batch(step) for step in range(len(asked))]


def held_out(model: BertForPreTraining, tokens: WordPiece, count: int | None = None) -> Metrics:
    """Validation articles: −log p of what the model was asked for, and how often it comes first.

    The two directions answer different questions; see `bert_counting` for what counting reaches in
    each.
    """
    texts = small_bert.pieces(small_bert.articles("validation", count), tokens)
    batches = questions(texts, tokens, causal=model.config.causal)
    ranks, nats = pre_training.hidden_ranks(model, batches)
    return {
        "nats": round(nats.mean().item(), 4),
        "perplexity": round(math.exp(nats.mean().item()), 3),
        "top1": round((ranks < 1).float().mean().item(), 4),
        "top5": round((ranks < 5).float().mean().item(), 4),
        "asked": len(ranks),
    }


def train(study: str, config: Config, seed: int) -> tuple[BertForPreTraining, WordPiece, Metrics]:
    """One run; a killed one goes on from its last hundred steps."""
    tokens = small_bert.vocabulary(config.get("vocabulary", small_bert.VOCABULARY))
    texts, steps = small_bert.training_pieces(tokens, config), config["steps"]
    torch.manual_seed(seed)
    model = small_bert.build(config, tokens)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config["rate"], betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    with artifacts.resume_file(study, config, seed) as file:
        history = resumable.fit_resumable(
            model,
            pre_training.masked_loss,
            sampler(texts, tokens, seed, causal=model.config.causal),
            steps,
            optimizer=optimizer,
            schedule=schedules.cosine(steps, warmup=min(WARMUP, steps // 5), floor=0.02),
            checkpoint=file,
            every=100,
            bf16=True,
        )
    parts = np.array_split(np.array(history.losses), min(50, steps))
    return (
        model.eval(),
        tokens,
        {
            "parameters": measure.size(model),
            "pieces": len(texts),
            "seconds": round(history.seconds[-1], 1),
            "loss": [round(float(part.mean()), 4) for part in parts],
            "validation": held_out(model, tokens, config.get("articles")),
        },
    )


def search(config: Config, seed: int) -> Metrics:
    """A short run with one setting."""
    return train(SEARCH.name, config, seed)[2]


def chosen(direction: str) -> Config:
    """The searched setting with the lowest validation loss."""
    found = best_setting(
        SEARCH, lambda metrics: -metrics["validation"]["nats"], direction=direction
    )
    return {"rate": found["rate"], "spread": found["spread"]}


def body_file(direction: str, seed: int) -> Path:
    """Where a full run leaves its weights for the studies that tune them: the cache folder."""
    return archives.cache_folder() / "bodies" / f"small_bert-{direction}-{seed}.safetensors"


def read(direction: str, seed: int) -> tuple[BertForPreTraining, WordPiece]:
    """What a full run has left behind, in evaluation mode."""
    tokens = small_bert.vocabulary()
    model = small_bert.build({"direction": direction}, tokens)
    load_weights(model, body_file(direction, seed))
    return model.eval(), tokens


def run(config: Config, seed: int) -> Metrics:
    """A full run with the setting that the search chose for this direction."""
    setting = chosen(config["direction"]) if "rate" not in config else {}
    model, tokens, metrics = train(STUDY.name, {**config, **setting}, seed)
    if "rate" not in config:
        path = body_file(config["direction"], seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_weights(model, path)
        small_bert.KEPT.keep(config, seed, model, metrics["validation"], tokens=tokens)
    return {**setting, **metrics}


TINY = {"width": 32, "layers": 1, "heads": 2, "hidden": 64, "articles": 60, "vocabulary": 300}
SMOKE = {"direction": "both", "rate": 2e-3, "spread": 0.05, "steps": 8, **TINY}

SEARCH = Study(
    name="bert_search",
    chapter="11",
    title="Settings for pre-training in both directions and left to right, in short runs",
    cells=[
        {"direction": direction, "rate": rate, "spread": small_bert.SPREAD, "steps": SHORT}
        for direction in DIRECTIONS
        for rate in RATES
    ],
    seeds=(100,),
    run=search,
    smoke=SMOKE,
    tolerance=0.2,
)

STUDY = Study(
    name="bert_pretraining",
    chapter="11",
    title="Pre-training the small BERT at full length",
    cells=[{"direction": "both", "steps": small_bert.STEPS}],
    seeds=(0, 1, 2),
    run=run,
    smoke={**SMOKE, "direction": "left"},
    tolerance=0.2,
)
