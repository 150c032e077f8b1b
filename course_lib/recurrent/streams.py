"""One long stream of text for a language model: how it is made, and how a model scores on it.

The articles of a corpus are put one after the other. A model reads the stream piece by piece, as
`batching.StreamSampler` cuts it, and carries its state along; `losses.StreamLoss` does so in
training.

Shapes: B streams side by side, T tokens of a piece, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from course_lib.data.batching import StreamSampler
from course_lib.support.modes import evaluating
from course_lib.text.words import Tokenizer


def join(texts: Iterable[str], tokenizer: Tokenizer) -> Tensor:
    """All texts as one row of ids (N,), each between the marks that the vocabulary has for them."""
    begin, end = ([] if mark is None else [mark] for mark in tokenizer.specials[1:3])
    ids = [token for text in texts for token in (*begin, *tokenizer.encode(text), *end)]
    if not ids:
        raise ValueError("join needs at least one text, got none.")
    return torch.tensor(ids)


def token_nats(model: nn.Module, ids: Tensor, streams: int = 16, length: int = 64) -> Tensor:
    """−log p of the tokens of a stream (N,), read as `streams` parallel streams: (n,).

    The very first token and what does not fill a whole piece are not scored; `scored_places` says
    where the others stand.
    """
    sampler, device = StreamSampler(ids, streams, length), next(model.parameters()).device
    state, nats = None, []
    with evaluating(model):
        for piece in range(len(sampler)):
            batch = sampler.batch(piece)
            logits, state = model(batch.inputs.to(device), state)  # (B, T, V)
            targets = batch.targets.to(device).flatten()
            nats.append(functional.cross_entropy(logits.flatten(0, 1), targets, reduction="none"))
    return torch.cat(nats).cpu()


def scored_places(tokens: int, streams: int = 16, length: int = 64) -> Tensor:
    """Where each token that `token_nats` scores stands in a stream of that many tokens: (n,)."""
    sampler = StreamSampler(torch.arange(tokens), streams, length)
    return torch.cat([sampler.batch(piece).targets.flatten() for piece in range(len(sampler))])


def nats_per_token(model: nn.Module, ids: Tensor, streams: int = 16, length: int = 64) -> float:
    """Mean −log p of a stream (N,); exp() of it is the perplexity. See `token_nats`."""
    return token_nats(model, ids, streams, length).mean().item()
