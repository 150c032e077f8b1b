"""What the text classifiers of chapters 09 to 11 share.

A classifier is a body, which has read much text before, and a new head. Here stands what does not
depend on the kind of body: labeled batches and their loss, how a classifier starts on the copy of
a body, the mean of a text's states, and how many texts are read.

Shapes: B batch, T tokens of the longest text, D width, C classes, N texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.data.batching import Shuffled, pad, read_by_length
from course_lib.support.modes import evaluating
from course_lib.text.words import PAD

Made = TypeVar("Made", bound=nn.Module)  # the classifier that a function makes


class TextBatch(NamedTuple):
    """Texts with their classes: tokens (B, T), filled up with `PAD`, and labels (B,)."""

    tokens: Tensor
    labels: Tensor


class TextSampler(Shuffled):
    """Random batches of labeled texts, a new shuffle each pass; a function of seed and step.

    Args:
        texts: token ids of each text, with the marks that the model knows.
        labels: the class of each text.
        batch_size: texts a batch; never more than there are.
        seed: number of the shuffles.
    """

    def __init__(
        self, texts: Sequence[Sequence[int]], labels: Sequence[int], batch_size: int, seed: int
    ) -> None:
        if len(texts) != len(labels) or len(set(labels)) < 2:
            raise ValueError(
                f"{len(texts)} texts and {len(labels)} labels of {len(set(labels))} classes; "
                "expected a label for each text, and two classes at least"
            )
        super().__init__(texts, batch_size, seed)
        self.labels = labels

    def batch(self, step: int) -> TextBatch:
        """The batch of training step 0, 1, 2, …"""
        chosen = self.chosen(step)
        tokens = pad([self.examples[i] for i in chosen], PAD)
        return TextBatch(tokens, torch.tensor([self.labels[i] for i in chosen]))


def loss(model: nn.Module, batch: TextBatch) -> Tensor:
    """Mean cross-entropy in nats."""
    device = next(model.parameters()).device
    return F.cross_entropy(model(batch.tokens.to(device)), batch.labels.to(device))


def start(make: Callable[[], Made], body: nn.Module, seed: int, *, copied: bool = True) -> Made:
    """A new classifier with a *copy* of the weights of `body`, which itself is never changed.

    Not `copied`, it keeps its own: training from scratch. A body with more tokens than `body` has
    new rows for them at the end of the embedding, and these keep their own weights too.

    Args:
        make: builds the classifier; its part `body` has the sizes of `body`.
        seed: of all that `make` draws. The random state of torch stays as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
    if copied:
        new = model.get_submodule("body").state_dict()
        for name, tensor in body.state_dict().items():
            new[name][: len(tensor)].copy_(tensor)
    return model


def mean_pool(states: Tensor, real: Tensor) -> Tensor:
    """Mean of the states of real tokens: (B, T, D), (B, T) bool -> (B, D).

    Raises:
        ValueError: a row has no real token.
    """
    counts = real.sum(1, keepdim=True)  # (B, 1)
    if (counts == 0).any():
        row = int((counts == 0).nonzero()[0, 0])
        raise ValueError(f"Row {row} of the batch has no real token. Leave empty texts out.")
    return states.masked_fill(~real.unsqueeze(-1), 0).sum(1) / counts


def predict(model: nn.Module, texts: Sequence[Sequence[int]], batch_size: int = 100) -> Tensor:
    """Logits (N, C) of texts, in their order and in evaluation mode."""
    device = next(model.parameters()).device
    with evaluating(model):
        return read_by_length(lambda tokens: model(tokens.to(device)), texts, batch_size, PAD)
