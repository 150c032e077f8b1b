"""ULMFiT: the body of a language model gets another head, and sorts texts.

Source: Howard & Ruder (2018). The body is that of ``course_lib.ulmfit.model``. The classifier
reads a whole text, pools all states of the last layer, and decides from the pooled vector. Rates,
freezing and unfreezing are in ``course_lib.transfer.freezing``, the slanted triangle in
``course_lib.training.schedules``. Left out from the paper: long documents in pieces (our texts are
short), and the second model that reads backwards.

Shapes: B batch, T tokens of the longest text, E width of the last layer, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.data.batching import pad, read_by_length
from course_lib.text.words import BOS, EOS, PAD
from course_lib.ulmfit.model import AWDBody

HIDDEN = 50  # width of the head's hidden layer


def concat_pool(states: Tensor, real: Tensor) -> Tensor:
    """Concat pooling: the last state, the maximum and the mean over time, side by side.

    Source: Howard & Ruder (2018), section 3.3. Padding counts in none of the three.

    Args:
        states: (B, T, E).
        real: (B, T) booleans, True for real tokens, which come first in each row.

    Returns:
        (B, 3E).

    Raises:
        ValueError: a row has no real token.
    """
    lengths = real.sum(dim=1)  # (B,)
    if (lengths == 0).any():
        row = int((lengths == 0).nonzero()[0])
        raise ValueError(f"Row {row} of the batch has no real token. Leave empty texts out.")
    last = states[torch.arange(len(states), device=states.device), lengths - 1]  # (B, E)
    outside = ~real.unsqueeze(-1)  # (B, T, 1)
    highest = states.masked_fill(outside, -torch.inf).amax(dim=1)  # (B, E)
    mean = states.masked_fill(outside, 0).sum(dim=1) / lengths.unsqueeze(-1)  # (B, E)
    return torch.cat([last, highest, mean], dim=-1)  # (B, 3E)


class PoolingHead(nn.Module):
    """Pooled states -> logits: twice batch normalization, dropout, linear layer; a ReLU between.

    Source: Howard & Ruder (2018), section 3.3.
    """

    def __init__(self, inputs: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm1d(inputs), nn.BatchNorm1d(HIDDEN)
        self.hidden, self.output = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, 3E) -> (B, C). In training a batch needs at least two rows."""
        x = self.hidden(self.dropout(self.norm1(pooled)))
        return self.output(self.dropout(self.norm2(x.relu())))


class TextClassifier(nn.Module):
    """Body and head: token ids (B, T), filled up with `PAD` at the end, -> logits (B, C).

    Args:
        body: new, or taken from a language model: see ``classifier``.
        classes: number of classes C.
        dropout: in the head.

    Raises:
        ValueError: fewer than two classes.
    """

    def __init__(self, body: AWDBody, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes is {classes}, expected at least 2.")
        self.body = body
        self.head = PoolingHead(3 * body.config.embedding, classes, dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.body(tokens)  # (B, T, E)
        return self.head(concat_pool(states, tokens != PAD))


def classifier(
    body: AWDBody, classes: int, seed: int, *, copied: bool = True, dropout: float = 0.1
) -> TextClassifier:
    """A classifier with a new head, and a *copy* of the body or, not ``copied``, a new one of its
    sizes: training from scratch. ``body`` itself is never changed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TextClassifier(AWDBody(body.config), classes, dropout)
    if copied:
        model.body.load_state_dict(body.state_dict())
    return model


def layer_prefixes(body: AWDBody) -> dict[str, tuple[str, ...]]:
    """Where the layers of a model with this body are, bottom to top, head last.

    Layer name → beginnings of its parameters' names, as ``transfer.groups`` wants them. They fit a
    classifier and a language model; a tied matrix belongs to the embedding.
    """
    layers = {f"layer {n + 1}": (f"body.layers.{n}",) for n in range(len(body.layers))}
    return {"embedding": ("body.embedding",), **layers, "head": ("head",)}


@dataclass(frozen=True, eq=False)
class TextBatch:
    """Texts with their classes: tokens (B, T), filled up with `PAD`, and labels (B,)."""

    tokens: Tensor
    labels: Tensor


class TextSampler:
    """Random batches of labeled texts, a new shuffle each pass; a function of seed and step.

    Args:
        texts: token ids of each text, between a begin and an end mark; see ``encode``.
        labels: the class of each text.
        batch_size: texts a batch; never more than there are.
        seed: number of the shuffles.

    Raises:
        ValueError: no texts, not one label for each, or a batch size below 2.
    """

    def __init__(
        self, texts: Sequence[Sequence[int]], labels: Sequence[int], batch_size: int, seed: int
    ) -> None:
        if len(texts) < 2 or len(texts) != len(labels) or batch_size < 2:
            raise ValueError(
                f"{len(texts)} texts, {len(labels)} labels, batch_size={batch_size}; expected at "
                "least 2 texts, as many labels, and batches of 2 (the head normalizes over them)."
            )
        self.texts, self.labels, self.seed = texts, labels, seed
        self.batch_size = min(batch_size, len(texts))

    def __len__(self) -> int:
        """Batches in one pass; what does not fill a batch is left for another pass."""
        return len(self.texts) // self.batch_size

    def batch(self, step: int) -> TextBatch:
        """The batch of training step 0, 1, 2, …"""
        epoch, place = divmod(step, len(self))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.texts))
        chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
        labels = torch.tensor([self.labels[i] for i in chosen])
        return TextBatch(pad([self.texts[i] for i in chosen], PAD), labels)


def encode(text: str, tokenizer, longest: int) -> list[int]:
    """Ids of a text between a begin and an end mark, cut to ``longest`` tokens of text.

    The marks are those that the language model has met: see ``streams.join``.
    """
    return [BOS, *tokenizer.encode(text)[:longest], EOS]


def classification_loss(model: nn.Module, batch: TextBatch) -> Tensor:
    """Mean cross-entropy in nats; ``batch`` has ``tokens`` and ``labels``."""
    device = next(model.parameters()).device
    return functional.cross_entropy(model(batch.tokens.to(device)), batch.labels.to(device))


@torch.no_grad()
def predict(model: nn.Module, texts: Sequence[Sequence[int]], batch_size: int = 100) -> Tensor:
    """Logits (N, C) of texts, in their order and in evaluation mode, which is put back after."""
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    try:
        return read_by_length(lambda tokens: model(tokens.to(device)), texts, batch_size, PAD)
    finally:
        model.train(was_training)


def accuracy(model: nn.Module, texts: Sequence[Sequence[int]], labels: Sequence[int]) -> float:
    """Share of texts put into the right class."""
    guesses = predict(model, texts).argmax(dim=-1)
    return (guesses == torch.tensor(labels)).float().mean().item()
