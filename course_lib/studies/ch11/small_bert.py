"""The small BERT of chapter 11: its vocabulary, its texts, its pre-training.

Both directions read the same pieces of the same Wikipedia introductions in the same order, with
models of the same size. Without next-sentence prediction: see the claims of the chapter.

Rate and spread of the first weights were chosen by the training loss on hidden words, seed 100.
With BERT's own spread, 0.02, a model of our width learns little but how frequent each word is. The
products of BERT base, with its width of 768, are as large as ours with a spread of 0.05.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from course_lib.bert.model import BertConfig, BertForPreTraining, init_bert_
from course_lib.bert.pre_training import MaskedSampler, NextTokenSampler, masked_loss
from course_lib.data import reviews, wikipedia
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, device
from course_lib.text.wordpiece import Marked, WordPiece
from course_lib.training import loop, resumable, schedules

VOCABULARY = 4000
LENGTH = 64  # tokens of a piece, marks included
SHORTEST = 8  # tokens of a piece that is worth reading
BATCH, RATE, WARMUP = 32, 1e-3, 500
SPREAD = 0.05  # ≈ 0.02 · √(768 / 128)
KEPT = artifacts.KeptWeights(
    name="small_bert",
    config={"direction": "both", "steps": 4800},
    what="small BERT of English Wikipedia introductions, for chapter 11",
    data="training part of the Wikipedia introductions; pieces also from reviews",
    licence="MIT (weights); the text is Wikipedia's, CC BY-SA 4.0",
    limits="Four million characters: it guesses frequent words and knows little.",
)


@cache
def vocabulary(size: int = VOCABULARY) -> WordPiece:
    """Pieces learned on training articles and reviews of training films; takes some seconds."""
    articles = wikipedia.split(wikipedia.load()).train
    unlabeled = reviews.task(reviews.load(), 0).unlabeled
    return WordPiece.train([*(article.text for article in articles), *unlabeled], size)


def pieces(texts: list[str], tokens: WordPiece) -> list[Marked]:
    """Texts cut into pieces of at most `LENGTH` tokens, each between its marks."""
    room, found = LENGTH - 2, []
    for text in texts:
        ids = tokens.encode(text)
        for start in range(0, len(ids), room):
            part = ids[start : start + room]
            if len(part) + 2 >= SHORTEST:
                found.append(Marked([tokens.cls, *part, tokens.sep], [0] * (len(part) + 2)))
    return found


def articles(part: str, count: int | None = None) -> list[str]:
    """Texts of the training, validation or test articles."""
    parts = wikipedia.split(wikipedia.load())
    return [article.text for article in getattr(parts, part)[:count]]


def training_pieces(tokens: WordPiece, config: Config) -> list[Marked]:
    """The pieces of the training articles, or of as many as the cell names."""
    return pieces(articles("train", config.get("articles")), tokens)


def build(config: Config, tokens: WordPiece) -> BertForPreTraining:
    """A new model, or one of the sizes that the cell names."""
    names = ("width", "layers", "heads", "hidden")
    sizes = {name: config[name] for name in names if name in config}
    causal = config["direction"] == "left"
    size = BertConfig.small(len(tokens), positions=LENGTH, dropout=0.0, causal=causal, **sizes)
    model = BertForPreTraining(size)
    init_bert_(model, SPREAD)
    return model.to(device())


def pretrain(
    model: BertForPreTraining,
    texts: list[Marked],
    tokens: WordPiece,
    seed: int,
    steps: int,
    *,
    checkpoint: Path | None = None,
) -> loop.History:
    """Hidden words for a model that sees both sides, the next word for one that does not."""
    sampler = (
        NextTokenSampler(texts, BATCH, seed)
        if model.config.causal
        else MaskedSampler(texts, tokens, BATCH, seed)
    )
    weights = model.parameters()
    optimizer = torch.optim.AdamW(weights, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    return resumable.fit_resumable(
        model,
        masked_loss,
        sampler,
        steps,
        optimizer=optimizer,
        schedule=schedules.cosine(steps, warmup=min(WARMUP, steps // 5), floor=0.02),
        checkpoint=checkpoint,
        every=100,
        bf16=True,
    )


def load_kept(
    *, folder: Path = artifacts.CHECKPOINTS
) -> tuple[BertForPreTraining, WordPiece, dict]:
    """The kept model in evaluation mode, its vocabulary and its card."""
    tokens = KEPT.tokenizer(WordPiece, folder=folder)
    model = build({"direction": "both"}, tokens)
    card = KEPT.load(model, folder=folder)
    return model.eval(), tokens, card
