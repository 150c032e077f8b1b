"""ULMFiT: the body of a language model gets another head, and sorts texts.

Source: Howard & Ruder (2018). The body is that of `ulmfit.model`. The classifier reads a whole
text, pools all states of the last layer, and decides from the pooled vector. Rates, freezing and
unfreezing are in `transfer.freezing`, the slanted triangle in `training.schedules`. Left out from
the paper: long documents in pieces (our texts are short), and the second model that reads
backwards.

Shapes: B batch, T tokens of the longest text, E width of the last layer, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.text.words import BOS, EOS, PAD, Tokenizer
from course_lib.transfer import classify
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
    """
    mean = classify.mean_pool(states, real)  # (B, E)
    rows = torch.arange(len(states), device=states.device)
    last = states[rows, real.sum(dim=1) - 1]  # (B, E)
    highest = states.masked_fill(~real.unsqueeze(-1), -torch.inf).amax(dim=1)  # (B, E)
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
    """Body and head: token ids (B, T), filled up with `PAD` at the end, -> logits (B, C)."""

    def __init__(self, body: AWDBody, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.body = body
        self.head = PoolingHead(3 * body.config.embedding, classes, dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.body(tokens)  # (B, T, E)
        return self.head(concat_pool(states, tokens != PAD))


def classifier(
    body: AWDBody, classes: int, seed: int, *, copied: bool = True, dropout: float = 0.1
) -> TextClassifier:
    """A classifier with a new head, and a copy of the body of a language model or a new one of its
    sizes: see `classify.start`. `dropout` is the head's.
    """
    return classify.start(
        lambda: TextClassifier(AWDBody(body.config), classes, dropout), body, seed, copied=copied
    )


def layer_prefixes(body: AWDBody) -> dict[str, tuple[str, ...]]:
    """Where the layers of a model with this body are, bottom to top, head last.

    Layer name → beginnings of its parameters' names, as `freezing.groups` wants them. They fit a
    classifier and a language model; a tied matrix belongs to the embedding.
    """
    layers = {f"layer {n + 1}": (f"body.layers.{n}",) for n in range(len(body.layers))}
    return {"embedding": ("body.embedding",), **layers, "head": ("head",)}


def encode(text: str, tokenizer: Tokenizer, longest: int) -> list[int]:
    """Ids of a text between a begin and an end mark, cut to `longest` tokens of text.

    The marks are those that the language model has met: see `streams.join`.
    """
    return [BOS, *tokenizer.encode(text)[:longest], EOS]
