"""What the studies of chapter 11 share: texts as BERT reads them, and one way to tune.

Fine-tuning as in Devlin et al. (2019), section 3.2 and appendix A.3: one rate for body and head,
which rises over the first tenth of the steps and falls to zero. The steps by number of labels are
fixed here for all models of a size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.classifier import BertClassifier
from course_lib.bert.model import Bert
from course_lib.data import sentence_order, wikipedia
from course_lib.data.splits import hash_fraction
from course_lib.studies.ch09.text_tuning import Texts, averaged, written_reviews, written_topics
from course_lib.studies.engine.core import device
from course_lib.text.wordpiece import WordPiece
from course_lib.training import loop, schedules
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextSampler

LONGEST = 64  # tokens of a text that are read, marks included
LONGEST_PAIR = 96  # of a pair of sentences
SUBSET = 500  # fixed test reviews that a notebook can judge live
WEIGHT_DECAY = 0.01  # of AdamW (appendix A.2)


def encoded(
    written: Sequence[str],
    labels: Sequence[int],
    tokens: WordPiece,
    second: Sequence[str] | None = None,
    longest: int = LONGEST,
) -> Texts:
    """Texts, or pairs of texts, with their ids and classes."""
    pairs = list(zip(written, second or [None] * len(written), strict=True))
    ids = [tokens.text(one, other, longest=longest).ids for one, other in pairs]
    shown = [one if other is None else f"{one} {other}" for one, other in pairs]
    return Texts([text.lower() for text in shown], ids, list(labels))


def review_parts(tokens: WordPiece, seed: int) -> dict[str, Texts]:
    """As ``text_tuning.written_reviews``, with ids."""
    return {part: encoded(*found, tokens) for part, found in written_reviews(seed).items()}


def topic_parts(tokens: WordPiece, seed: int) -> dict[str, Texts]:
    """As ``text_tuning.written_topics``, with ids."""
    return {part: encoded(*found, tokens) for part, found in written_topics(seed).items()}


def order_parts(tokens: WordPiece, seed: int, longest: int = LONGEST_PAIR) -> dict[str, Texts]:
    """The parts "labeled" (5,000), "validation" and "test" of the pairs of sentences."""
    task = sentence_order.task(wikipedia.load(), seed)
    parts = {"labeled": task.labeled[:5000], "validation": task.validation, "test": task.test}
    return {
        part: encoded(
            [pair.first for pair in found],
            [pair.label for pair in found],
            tokens,
            [pair.second for pair in found],
            longest,
        )
        for part, found in parts.items()
    }


def subset(texts: Texts, count: int = SUBSET) -> Texts:
    """A fixed part of a test set, as many of each of two labels, picked by a hash of the text."""
    order = sorted(range(len(texts.ids)), key=lambda i: hash_fraction(texts.written[i]))
    chosen = [
        i
        for label in sorted(set(texts.labels))
        for i in [i for i in order if texts.labels[i] == label][: count // 2]
    ]
    return Texts(*([part[i] for i in chosen] for part in texts))


def tune(
    body: Bert,
    few: Texts,
    tokens: WordPiece,
    seed: int,
    *,
    steps: int,
    rate: float,
    batch: int = 16,
    copied: bool = True,
    pooling: str = "mean",
    progress: bool = False,
) -> BertClassifier:
    """A classifier on a copy of ``body`` (or, not ``copied``, on a new body), tuned as a whole."""
    classes = max(few.labels) + 1
    model = bert_classifier.classifier(
        body, classes, tokens.sep, seed, copied=copied, pooling=pooling
    ).to(device())
    torch.manual_seed(seed)
    loop.fit(
        model,
        ulmfit_classifier.classification_loss,
        TextSampler(few.ids, few.labels, batch, seed),
        steps,
        optimizer=torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=WEIGHT_DECAY),
        schedule=schedules.warmup_linear(max(1, steps // 10), steps),
        progress=progress,
        bf16=True,
    )
    return model.eval()


def guesses(model: BertClassifier, texts: Texts) -> list[int]:
    """The class that the model gives each text; the body computes in 16 bits."""
    return bert_classifier.predict(model, texts.ids, bf16=True).argmax(-1).tolist()


def score(model: BertClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes, which is plain accuracy where they are balanced."""
    return averaged(guesses(model, texts), texts.labels)


def vectors(body: Bert, tokens: WordPiece, texts: Texts) -> torch.Tensor:
    """One vector a text, (N, D), the mean of the states; the body computes in 16 bits."""
    with torch.autocast(device(), torch.bfloat16):
        return bert_classifier.features(body, texts.ids, tokens.sep)
