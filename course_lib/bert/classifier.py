"""What a pre-trained BERT is used for: sorting texts, and one vector a text.

A text becomes one vector in one of three ways: the *mean* of its states, the state of its first
token ("first"), or that state behind the pooler's layer ("pooler", Devlin et al. 2019). A
classifier is that vector, dropout and one linear layer. Reimers and Gurevych (2019) found the mean
to serve best where vectors are compared; MiniLM's archive was tuned with it.

Shapes: B batch, S tokens of the longest text, D width, C classes, N texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.masks import padding_mask
from course_lib.bert.model import Bert
from course_lib.data.batching import read_by_length
from course_lib.support.modes import evaluating
from course_lib.text.words import PAD
from course_lib.transfer import classify

POOLINGS = ("mean", "first", "pooler")


def segments_of(tokens: Tensor, separator: int) -> Tensor:
    """Segment of each token: 0 up to the first separator and it, 1 after it, 0 at padding.

    (B, S) ids -> (B, S). So a pair needs no second tensor on its way to the model.
    """
    marks = (tokens == separator).long()
    before = marks.cumsum(1) - marks  # separators before each position
    return (before > 0).long() * (tokens != PAD)


def text_vectors(body: Bert, tokens: Tensor, separator: int, pooling: str = "mean") -> Tensor:
    """One vector a text: (B, S) ids with their marks -> (B, D)."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
    states = body(tokens, segments_of(tokens, separator))
    if pooling == "mean":
        return classify.mean_pool(states, padding_mask(tokens, PAD))
    return states[:, 0] if pooling == "first" else body.pool(states)


class BertClassifier(nn.Module):
    """Body and head: ids (B, S) of texts or pairs with their marks -> logits (B, C).

    Args:
        body: with the weights to start from; it becomes part of the classifier.
        classes: number of classes C.
        separator: id of `[SEP]`, from which segments are told.
        pooling: "mean", "first" or "pooler"; see the top of this file.
        dropout: before the head's linear layer.
    """

    def __init__(
        self,
        body: Bert,
        classes: int,
        separator: int,
        *,
        pooling: str = "mean",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.config.width, classes)
        self.dropout = nn.Dropout(dropout)
        self.separator, self.pooling = separator, pooling
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, S) -> (B, C)."""
        vectors = text_vectors(self.body, tokens, self.separator, self.pooling)
        return self.head(self.dropout(vectors))


def classifier(
    body: Bert,
    classes: int,
    separator: int,
    seed: int,
    *,
    copied: bool = True,
    pooling: str = "mean",
) -> BertClassifier:
    """A classifier with a new head, and a copy of the body or a new one of its sizes: see
    `classify.start`.
    """
    return classify.start(
        lambda: BertClassifier(Bert(body.config), classes, separator, pooling=pooling),
        body,
        seed,
        copied=copied,
    )


def features(
    body: Bert,
    texts: Sequence[Sequence[int]],
    separator: int,
    *,
    pooling: str = "mean",
    batch_size: int = 50,
) -> Tensor:
    """Vectors (N, D) of many texts, in their order and in evaluation mode."""
    device = next(body.parameters()).device
    with evaluating(body):
        return read_by_length(
            lambda tokens: text_vectors(body, tokens.to(device), separator, pooling),
            texts,
            batch_size,
            PAD,
        )


def predict(model: BertClassifier, texts: Sequence[Sequence[int]], *, bf16: bool = False) -> Tensor:
    """Logits (N, C) of texts, in their order and in evaluation mode.

    With `bf16` the body computes in 16 bits; the head always has 32.
    """
    device = next(model.parameters()).device
    with evaluating(model):
        with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
            vectors = features(model.body, texts, model.separator, pooling=model.pooling)
        return model.head(vectors.to(device)).cpu()


def nearest(query: Tensor, vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The texts whose vectors point most nearly the same way: (D,), (N, D) -> cosines and places.

    Both are (count,), the nearest first.
    """
    cosines = F.cosine_similarity(query[None], vectors)  # (N,)
    found = cosines.topk(count)
    return found.values, found.indices
