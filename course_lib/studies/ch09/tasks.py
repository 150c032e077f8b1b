"""The three tasks of chapters 09 to 11, as labeled texts, and what all who solve them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import torch

from course_lib.data import reviews, sentence_order, wikipedia
from course_lib.data.reviews import Review
from course_lib.data.sentence_order import SentencePair
from course_lib.data.splits import TextTask
from course_lib.data.wikipedia import Article
from course_lib.training import resumable, schedules
from course_lib.training.loop import Loss
from course_lib.transfer import classify
from course_lib.transfer.classify import Made, TextSampler

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MAJORITY = {"reviews": 1 / 2, "topics": 1 / 6, "order": 1 / 2}  # accuracy of one guess for all
MOST = 5000  # labeled texts

Encode = Callable[[str, str | None], list[int]]  # a text, or a pair of them -> token ids


class Encoded(Sequence[list[int]]):
    """The token ids of texts, each found when it is first asked for, and then kept.

    A part of a task has thousands of texts, and a cell of a notebook reads a few of them.

    Args:
        texts: each with the second text of a pair, or None.
        encode: gives the ids of one of them; make it a `functools.cache`.
    """

    def __init__(self, texts: Sequence[tuple[str, str | None]], encode: Encode) -> None:
        self._texts, self._encode = texts, encode

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> list[int]: ...

    @overload
    def __getitem__(self, place: slice) -> Encoded: ...

    def __getitem__(self, place: int | slice) -> list[int] | Encoded:
        if isinstance(place, slice):
            return Encoded(self._texts[place], self._encode)
        return self._encode(*self._texts[place])


class Texts(NamedTuple):
    """Texts in lower case (a pair as one text), their token ids, and their classes."""

    written: list[str]
    ids: Sequence[list[int]]
    labels: list[int]

    def first(self, count: int | None) -> Texts:
        """The first `count` texts."""
        return Texts(self.written[:count], self.ids[:count], self.labels[:count])


def parts(task: str, seed: int, encode: Encode) -> dict[str, Texts]:
    """The parts "labeled", "validation" and "test" of a task of `MAJORITY`.

    A seed has its own order of the labeled texts; the first n are the labeled set of size n.
    """
    found: TextTask[Any]
    if task == "order":
        found = sentence_order.task(wikipedia.load(), seed)
    elif task == "topics":
        found = wikipedia.topic_task(wikipedia.load(), seed)
    else:
        found = reviews.task(reviews.load(), seed)
    chosen = {
        "labeled": found.labeled[:MOST],
        "validation": found.validation,
        "test": found.test,
    }
    once = cache(encode)
    return {part: _texts(map(_row, items), once) for part, items in chosen.items()}


def _row(item: SentencePair | Review | Article) -> tuple[str, str | None, int]:
    """A text, the second text of a pair or None, and the class."""
    if isinstance(item, SentencePair):
        return item.first, item.second, item.label
    if isinstance(item, Review):
        return item.text, None, item.label
    return item.text, None, wikipedia.TOPICS.index(item.topic)


def _texts(rows: Iterable[tuple[str, str | None, int]], encode: Encode) -> Texts:
    found = list(rows)
    written = [(one if other is None else f"{one} {other}").lower() for one, other, _ in found]
    ids = Encoded([(one, other) for one, other, _ in found], encode)
    return Texts(written, ids, [label for *_, label in found])


def averaged(guesses: Sequence[int], labels: Sequence[int]) -> float:
    """Share of right guesses, class by class, then the mean over classes.

    That is plain accuracy where the classes are balanced.
    """
    shares = []
    for one in sorted(set(labels)):
        inside = [g == one for g, label in zip(guesses, labels, strict=True) if label == one]
        shares.append(sum(inside) / len(inside))
    return sum(shares) / len(shares)


def fine_tune(
    model: Made,
    few: Texts,
    seed: int,
    steps: int,
    optimizer: torch.optim.Optimizer,
    batch: int,
    loss: Loss = classify.loss,
) -> Made:
    """Tune a whole classifier as GPT and BERT are, in place; products in 16 bits.

    The rate rises over a tenth of the steps and falls in a line to zero.
    """
    torch.manual_seed(seed)
    resumable.fit_resumable(
        model,
        loss,
        TextSampler(few.ids, few.labels, batch, seed),
        steps,
        optimizer=optimizer,
        schedule=schedules.warmup_linear(max(1, steps // 10), steps),
        bf16=True,
    )
    return model.eval()


def tfidf(few: Texts, test: Texts) -> float:
    """The baseline: TF-IDF of words and pairs of words, and logistic regression."""
    return judged(counting(few), test)


def counting(few: Texts, strength: float = 1.0, words: int = 2) -> Pipeline:
    """A judge that counts words, and up to `words` of them in a row, fitted to few texts.

    `strength` is scikit-learn's C: the more, the less the weights are held back.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    judge = make_pipeline(
        TfidfVectorizer(ngram_range=(1, words), sublinear_tf=True),
        LogisticRegression(C=strength, max_iter=1000),
    )
    return judge.fit(few.written, few.labels)


def judged(judge: Pipeline, texts: Texts) -> float:
    """Accuracy of a judge of written texts, averaged over the classes."""
    return averaged(judge.predict(texts.written).tolist(), texts.labels)
