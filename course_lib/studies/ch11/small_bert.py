"""The small BERT of chapter 11: its vocabulary, its texts, the kept weights.

How it is pre-trained stands in `bert_pretraining`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from course_lib.bert.model import BertConfig, BertForPreTraining, init_bert_
from course_lib.data import reviews, wikipedia
from course_lib.studies.engine import artifacts
from course_lib.studies.engine.core import Config, device
from course_lib.text.wordpiece import Marked, WordPiece

VOCABULARY = 4000
LENGTH = 64  # tokens of a piece, marks included
SHORTEST = 8  # tokens of a piece that is worth reading
SPREAD = 0.05  # of the first weights: ≈ 0.02 · √(768 / 128), BERT's own at the width of BERT base
STEPS = 10_000
KEPT = artifacts.KeptWeights(
    name="small_bert",
    config={"direction": "both", "steps": STEPS},
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
    """A new model of the cell's direction, and of its sizes and spread where it names them."""
    names = ("width", "layers", "heads", "hidden")
    sizes = {name: config[name] for name in names if name in config}
    causal = config["direction"] == "left"
    size = BertConfig.small(len(tokens), positions=LENGTH, dropout=0.0, causal=causal, **sizes)
    model = BertForPreTraining(size)
    init_bert_(model, config.get("spread", SPREAD))
    return model.to(device())


def load_kept(
    *, folder: Path = artifacts.CHECKPOINTS
) -> tuple[BertForPreTraining, WordPiece, dict]:
    """The kept model in evaluation mode, its vocabulary and its card."""
    tokens = KEPT.tokenizer(WordPiece, folder=folder)
    model = build({"direction": "both"}, tokens)
    card = KEPT.load(model, folder=folder)
    return model.eval(), tokens, card
