"""What the studies of chapter 11 share: texts as BERT reads them, and one way to tune.

Fine-tuning as in Devlin et al. (2019), section 3.2 and appendix A.3: one rate for body and head,
which rises over the first tenth of the steps and falls to zero. Rate and steps are the caller's.
"""

from __future__ import annotations

import torch

from course_lib.bert import classifier as bert_classifier
from course_lib.bert.classifier import BertClassifier
from course_lib.bert.model import Bert
from course_lib.data.splits import hash_fraction
from course_lib.studies.ch09 import tasks
from course_lib.studies.ch09.tasks import Texts
from course_lib.studies.engine.core import device
from course_lib.text.wordpiece import WordPiece

LONGEST, LONGEST_PAIR = 64, 96  # tokens of a text and of a pair that are read, marks included
SUBSET = 500  # fixed test reviews that a notebook can judge live
WEIGHT_DECAY = 0.01  # of AdamW (appendix A.2)


def parts(
    task: str, tokens: WordPiece, seed: int, longest_pair: int = LONGEST_PAIR
) -> dict[str, Texts]:
    """The parts of a task (`tasks.parts`), with BERT's marks."""

    def encode(one: str, other: str | None) -> list[int]:
        longest = LONGEST if other is None else longest_pair
        return tokens.text(one, other, longest=longest).ids

    return tasks.parts(task, seed, encode)


def subset(texts: Texts, count: int = SUBSET) -> Texts:
    """A fixed part of a test set, as many of each of two labels, picked by a hash of the text."""
    order = sorted(range(len(texts.ids)), key=lambda i: hash_fraction(texts.written[i]))
    chosen = [
        i
        for label in sorted(set(texts.labels))
        for i in [i for i in order if texts.labels[i] == label][: count // 2]
    ]
    return Texts(
        [texts.written[i] for i in chosen],
        [texts.ids[i] for i in chosen],
        [texts.labels[i] for i in chosen],
    )


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
) -> BertClassifier:
    """A classifier on a copy of `body` (or, not `copied`, on a new body), tuned as a whole."""
    classes = max(few.labels) + 1
    model = bert_classifier.classifier(body, classes, tokens.sep, seed, copied=copied).to(device())
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=rate,
        weight_decay=WEIGHT_DECAY,
        fused=True,  # the same steps, a fifth faster where a step has few texts
    )
    return tasks.fine_tune(model, few, seed, steps, optimizer, batch)


def guesses(model: BertClassifier, texts: Texts) -> list[int]:
    """The class that the model gives each text; the body computes in 16 bits."""
    return bert_classifier.predict(model, texts.ids, bf16=True).argmax(-1).tolist()


def score(model: BertClassifier, texts: Texts) -> float:
    """Accuracy averaged over the classes."""
    return tasks.averaged(guesses(model, texts), texts.labels)


def guesses_on_features(body: Bert, tokens: WordPiece, few: Texts, test: Texts) -> list[int]:
    """Classes of the test texts by logistic regression on one vector a text from a frozen body.

    The vector is the mean of the states; the body computes in 16 bits.
    """
    from sklearn.linear_model import LogisticRegression

    with torch.autocast(device(), torch.bfloat16):
        known, asked = (
            bert_classifier.features(body, texts.ids, tokens.sep).numpy() for texts in (few, test)
        )
    return LogisticRegression(max_iter=2000).fit(known, few.labels).predict(asked).tolist()
