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
from course_lib.text.words import PAD

POOLINGS = ("mean", "first", "pooler")


def mean_pool(states: Tensor, real: Tensor) -> Tensor:
    """Mean of the states of real tokens: (B, S, D), (B, S) bool -> (B, D).

    Raises:
        ValueError: a row has no real token.
    """
    counts = real.sum(1, keepdim=True)  # (B, 1)
    if (counts == 0).any():
        row = int((counts == 0).nonzero()[0, 0])
        raise ValueError(f"Row {row} of the batch has no real token. Leave empty texts out.")
    return (states * real.unsqueeze(-1)).sum(1) / counts


def segments_of(tokens: Tensor, separator: int) -> Tensor:
    """Segment of each token: 0 up to the first separator and it, 1 after it, 0 at padding.

    (B, S) ids -> (B, S). So a pair needs no second tensor on its way to the model.
    """
    marks = (tokens == separator).long()
    before = marks.cumsum(1) - marks  # separators before each place
    return (before > 0).long() * (tokens != PAD)


class BertClassifier(nn.Module):
    """Body and head: ids (B, S) of texts or pairs with their marks -> logits (B, C).

    Args:
        body: with the weights to start from; it becomes part of the classifier.
        classes: number of classes C.
        separator: id of ``[SEP]``, from which segments are told.
        pooling: "mean", "first" or "pooler"; see the top of this file.
        dropout: before the head's linear layer.

    Raises:
        ValueError: fewer than two classes, or an unknown pooling.
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
        if classes < 2:
            raise ValueError(f"classes is {classes}, expected at least 2.")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
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


def text_vectors(body: Bert, tokens: Tensor, separator: int, pooling: str = "mean") -> Tensor:
    """One vector a text: (B, S) ids with their marks -> (B, D)."""
    states = body(tokens, segments_of(tokens, separator))
    if pooling == "mean":
        return mean_pool(states, padding_mask(tokens, PAD))
    return states[:, 0] if pooling == "first" else body.pool(states)


def classifier(
    body: Bert,
    classes: int,
    separator: int,
    seed: int,
    *,
    copied: bool = True,
    pooling: str = "mean",
) -> BertClassifier:
    """A classifier with a new head, and a *copy* of the body or, not ``copied``, a new one of its
    sizes: training from scratch. ``body`` itself is never changed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertClassifier(Bert(body.config), classes, separator, pooling=pooling)
    if copied:
        model.body.load_state_dict(body.state_dict())
    return model


@torch.no_grad()
def features(
    body: Bert,
    texts: Sequence[Sequence[int]],
    separator: int,
    *,
    pooling: str = "mean",
    batch_size: int = 50,
) -> Tensor:
    """Vectors (N, D) of many texts, in their order; texts of similar length are read together.

    In evaluation mode; the mode before is restored.

    Raises:
        ValueError: there is no text.
    """
    device, training = next(body.parameters()).device, body.training
    body.eval()
    try:
        return read_by_length(
            lambda tokens: text_vectors(body, tokens.to(device), separator, pooling),
            texts,
            batch_size,
            PAD,
        )
    finally:
        body.train(training)


def predict(model: BertClassifier, texts: Sequence[Sequence[int]], *, bf16: bool = False) -> Tensor:
    """Logits (N, C) of texts, in their order and in evaluation mode.

    With ``bf16`` the body computes in 16 bits; the head always has 32.
    """
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16) if bf16 else nullcontext():
        vectors = features(model.body, texts, model.separator, pooling=model.pooling)
    with torch.no_grad():
        return model.head(vectors.to(model.head.weight.device)).cpu()


def nearest(query: Tensor, vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The texts whose vectors point most nearly the same way: (D,), (N, D) -> cosines and places.

    Both are (count,), the nearest first.
    """
    cosines = F.cosine_similarity(query[None], vectors)  # (N,)
    found = cosines.topk(count)
    return found.values, found.indices
