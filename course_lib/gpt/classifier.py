"""A GPT for other tasks: every task is written as one text that ends where the answer is read.

Source: Radford et al. (2018), sections 3.2 and 3.3. A classifier that was pre-trained on running
text gets running text: a *start* mark, the input, an *extract* mark; where there are two texts, a
*delimiter* mark between them. One linear layer reads the state at the extract mark, the only one
that has seen everything. So the body needs no new part for a new task, only rows for two new marks
in its embedding (start is the begin mark that every article of pre-training had). What stands
behind the extract mark, such as padding, is never read, whatever its id.

In training the language model may go on learning from the labeled texts, as a second loss beside
the first: L = L_class + λ · L_language, λ = 0.5 in the paper.

Shapes: B batch, T tokens of the longest text, D width, V vocabulary with the two marks, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.gpt.model import GPTBody
from course_lib.text.words import BOS
from course_lib.transfer import classify
from course_lib.transfer.classify import TextBatch


class Marks(NamedTuple):
    """The ids of the three marks."""

    start: int
    delimiter: int
    extract: int


def marks_for(vocabulary: int, start: int = BOS) -> Marks:
    """The marks for a language model that knows `vocabulary` tokens: two new ids after them.

    `start` is the token that stood before every text of its pre-training, in GPT-2 50256.
    """
    return Marks(start, vocabulary, vocabulary + 1)


def one_text(ids: Sequence[int], marks: Marks, longest: int) -> list[int]:
    """start, text, extract; the text is cut at its end to `longest` tokens, marks included."""
    _check_room(longest, 3)
    return [marks.start, *ids[: longest - 2], marks.extract]


def two_texts(first: Sequence[int], second: Sequence[int], marks: Marks, longest: int) -> list[int]:
    """start, first, delimiter, second, extract, together `longest` tokens at most.

    Whichever text is longer is cut at its end, until both fit.
    """
    _check_room(longest, 5)
    room = longest - 3
    shorter = min(len(first), len(second), room // 2)
    first = first[: room - shorter]
    return [marks.start, *first, marks.delimiter, *second[: room - len(first)], marks.extract]


def _check_room(longest: int, least: int) -> None:
    if longest < least:
        raise ValueError(f"longest is {longest}, expected at least {least}: marks count too.")


class GPTClassifier(nn.Module):
    """Body and head: ids (B, T) with their marks, filled up at the end -> (B, C).

    Args:
        body: whose vocabulary ends with the delimiter and the extract mark; see `classifier`.
        classes: number of classes C.
        dropout: before the head.
    """

    def __init__(self, body: GPTBody, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.body = body
        self.extract = body.config.vocab_size - 1
        self.head = nn.Linear(body.config.width, classes)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> logits (B, C)."""
        return self.decide(self.body(tokens), self.ends(tokens))

    def ends(self, tokens: Tensor) -> Tensor:
        """Where the extract mark of each row stands: (B, T) -> (B,)."""
        found = tokens == self.extract  # (B, T)
        missing = (~found.any(1)).nonzero()
        if len(missing):
            raise ValueError(
                f"Row {int(missing[0])} has no extract mark {self.extract}. Write it with one_text "
                "or two_texts."
            )
        return found.int().argmax(1)

    def decide(self, states: Tensor, ends: Tensor) -> Tensor:
        """States (B, T, D) and where they are read (B,) -> logits (B, C)."""
        rows = torch.arange(len(states), device=states.device)
        return self.head(self.dropout(states[rows, ends]))


def classifier(
    body: GPTBody, classes: int, seed: int, *, copied: bool = True, dropout: float | None = None
) -> GPTClassifier:
    """A classifier with a new head, and a copy of the body of a language model or a new one of its
    sizes, with rows for the two marks: see `classify.start`. `dropout` replaces the body's, and is
    the head's.
    """
    dropout = body.config.dropout if dropout is None else dropout
    config = replace(body.config, vocab_size=body.config.vocab_size + 2, dropout=dropout)
    return classify.start(
        lambda: GPTClassifier(GPTBody(config), classes, dropout), body, seed, copied=copied
    )


def tuning_loss(model: GPTClassifier, batch: TextBatch, *, auxiliary: float = 0.0) -> Tensor:
    """Cross-entropy of the classes in nats, plus `auxiliary` times that of the next token.

    `auxiliary` is the λ of Radford et al. (2018, equation 5). With 0 the second loss is left out,
    and its cost: a score for every token of the vocabulary at every position. Give it to `fit` as
    `functools.partial(tuning_loss, auxiliary=0.5)`.
    """
    device = next(model.parameters()).device
    tokens, labels = batch.tokens.to(device), batch.labels.to(device)
    states, ends = model.body(tokens), model.ends(tokens)  # (B, T, D), (B,)
    loss = F.cross_entropy(model.decide(states, ends), labels)
    if auxiliary == 0:
        return loss
    logits = F.linear(states[:, :-1], model.body.wte.weight)  # (B, T - 1, V)
    behind = torch.arange(1, tokens.shape[1], device=device) > ends[:, None]  # (B, T - 1)
    following = tokens[:, 1:].masked_fill(behind, -100)  # what cross_entropy leaves out
    return loss + auxiliary * F.cross_entropy(logits.flatten(0, 1), following.flatten())
