"""A GPT for other tasks: every task is written as one text that ends where the answer is read.

Source: Radford et al. (2018), sections 3.2 and 3.3. A classifier that was pre-trained on running
text gets running text: a *start* mark, the input, an *extract* mark; where there are two texts, a
*delimiter* mark between them. One linear layer reads the state at the extract mark, the only one
that has seen everything. So the body needs no new part for a new task, only rows for two new marks
in its embedding (start is the begin mark that every article of pre-training had).

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
from course_lib.text.words import BOS, PAD
from course_lib.training.losses import sequence_loss
from course_lib.ulmfit.classifier import TextBatch

NEW_MARKS = 2  # delimiter and extract


class Marks(NamedTuple):
    """The ids of the three marks."""

    start: int
    delimiter: int
    extract: int


def marks_for(vocabulary: int) -> Marks:
    """The marks of a model whose language model knew ``vocabulary`` tokens: two ids after them."""
    return Marks(BOS, vocabulary, vocabulary + 1)


def one_text(ids: Sequence[int], marks: Marks, longest: int) -> list[int]:
    """start, text, extract; the text is cut at its end to ``longest`` tokens, marks included.

    An empty text is the two marks alone.

    Raises:
        ValueError: ``longest`` leaves no room for a token.
    """
    _check_room(longest, 3)
    return [marks.start, *ids[: longest - 2], marks.extract]


def two_texts(first: Sequence[int], second: Sequence[int], marks: Marks, longest: int) -> list[int]:
    """start, first, delimiter, second, extract, together ``longest`` tokens at most.

    Whichever text is longer is cut at its end, until both fit.

    Raises:
        ValueError: ``longest`` leaves no room for a token of each.
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
    """Body and head: ids (B, T) with their marks, filled up with `PAD` at the end -> (B, C).

    Args:
        body: whose vocabulary ends with the delimiter and the extract mark; see ``classifier``.
        classes: number of classes C.
        dropout: before the head.

    Raises:
        ValueError: fewer than two classes.
    """

    def __init__(self, body: GPTBody, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classes is {classes}, expected at least 2.")
        self.body = body
        self.marks = marks_for(body.config.vocab_size - NEW_MARKS)
        self.head = nn.Linear(body.config.width, classes)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) -> logits (B, C).

        Raises:
            ValueError: a row does not end with the extract mark, or as ``GPTBody.forward``.
        """
        return self.decide(self.body(tokens), tokens)

    def decide(self, states: Tensor, tokens: Tensor) -> Tensor:
        """States (B, T, D) of the tokens (B, T) -> logits (B, C)."""
        last = (tokens != PAD).sum(1) - 1  # (B,)
        rows = torch.arange(len(tokens), device=tokens.device)
        wrong = (tokens[rows, last] != self.marks.extract).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                f"Row {row} ends with token {int(tokens[row, last[row]])}, not with the extract "
                f"mark {self.marks.extract}. Write it with one_text or two_texts."
            )
        return self.head(self.dropout(states[rows, last]))


def classifier(
    body: GPTBody, classes: int, seed: int, *, copied: bool = True, dropout: float | None = None
) -> GPTClassifier:
    """A classifier with a new head and two new marks, on a *copy* of the body of a language model.

    Not ``copied``, it has a new body of the same sizes: training from scratch. ``dropout`` replaces
    the body's, and is the head's. ``body`` itself is never changed.
    """
    old = body.config
    dropout = old.dropout if dropout is None else dropout
    config = replace(old, vocab_size=old.vocab_size + NEW_MARKS, dropout=dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GPTClassifier(GPTBody(config), classes, dropout)
    if copied:
        state = body.state_dict()
        new = model.body.wte.weight.detach()[old.vocab_size :]  # drawn as all weights are
        state["wte.weight"] = torch.cat([state["wte.weight"].cpu(), new])
        model.body.load_state_dict(state)
    return model


class TuningLoss:
    """Cross-entropy of the classes in nats, plus ``auxiliary`` times that of the next token.

    Args:
        auxiliary: λ of Radford et al. (2018, equation 5); 0 leaves the second loss out, and its
            cost: a score for every token of the vocabulary at every position.

    Raises:
        ValueError: a negative λ.
    """

    def __init__(self, auxiliary: float = 0.0) -> None:
        if auxiliary < 0:
            raise ValueError(f"auxiliary is {auxiliary}, expected 0 or more.")
        self.auxiliary = auxiliary

    def __call__(self, model: GPTClassifier, batch: TextBatch) -> Tensor:
        device = next(model.parameters()).device
        tokens = batch.tokens.to(device)
        states = model.body(tokens)  # (B, T, D)
        loss = F.cross_entropy(model.decide(states, tokens), batch.labels.to(device))
        if self.auxiliary == 0:
            return loss
        logits = F.linear(states[:, :-1], model.body.wte.weight)  # (B, T - 1, V)
        return loss + self.auxiliary * sequence_loss(logits, tokens[:, 1:])
