"""One long stream of text for a language model: how it is made, and how a model scores on it.

The articles of a corpus are put one after the other. A model reads the stream piece by piece, as
`batching.StreamSampler` cuts it, and carries its state along; `train.StreamLoss` does so in
training.

Shapes: B streams side by side, T tokens of a piece, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.data.batching import StreamSampler
from course_lib.text.words import BOS, EOS


class Encoder(Protocol):
    """Any tokenizer of `course_lib.text.words`."""

    def encode(self, text: str) -> list[int]: ...


def join(texts: Iterable[str], tokenizer: Encoder) -> Tensor:
    """All texts as one row of ids (N,), each between a begin and an end mark.

    Raises:
        ValueError: there is no text.
    """
    ids = [token for text in texts for token in (BOS, *tokenizer.encode(text), EOS)]
    if not ids:
        raise ValueError("join needs at least one text, got none.")
    return torch.tensor(ids)


@torch.no_grad()
def token_nats(
    model: nn.Module, ids: Tensor, streams: int = 16, length: int = 64
) -> tuple[Tensor, Tensor]:
    """−log p of the tokens of a stream (N,), read as `streams` parallel streams.

    Dropout is off, and the training mode is restored.

    Returns:
        Where each scored token stands in `ids`, (n,), and its −log p, (n,). The very first token
        and what does not fill a whole piece are not scored.

    Raises:
        ValueError: the ids are too few for one piece.
    """
    sampler = StreamSampler(ids, streams, length)
    places = StreamSampler(torch.arange(len(ids)), streams, length)
    device, training = next(model.parameters()).device, model.training
    model.eval()
    state, where, nats = None, [], []
    try:
        for piece in range(len(sampler)):
            batch = sampler.batch(piece)
            logits, state = model(batch.inputs.to(device), state)  # (B, T, V)
            targets = batch.targets.to(device).flatten()
            nats.append(functional.cross_entropy(logits.flatten(0, 1), targets, reduction="none"))
            where.append(places.batch(piece).targets.flatten())
    finally:
        model.train(training)
    return torch.cat(where), torch.cat(nats).cpu()


def nats_per_token(model: nn.Module, ids: Tensor, streams: int = 16, length: int = 64) -> float:
    """Mean −log p of a stream (N,); exp() of it is the perplexity. See `token_nats`."""
    return token_nats(model, ids, streams, length)[1].mean().item()
