"""What every model of this course offers for decoding, and the loop that uses it.

- `init_state(source)` reads the source (B, S) and returns a state of B rows;
- `step(tokens, state)` reads one token per row, (B,), and returns the log-probabilities (B, V)
  of the next token and the new state;
- `reorder(state, index)` returns the rows of the state that `index` names, in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.text.words import BOS, EOS, PAD


class Decodable(Protocol):
    """What a model needs for decoding; see the top of this file."""

    def init_state(self, source: Tensor) -> Any: ...
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def reorder(self, state: Any, index: Tensor) -> Any: ...


def _one_by_one(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    first: Tensor | None,
    choose: Callable[[Tensor], Tensor],
) -> list[list[int]]:
    """Greedy search and sampling: they differ in how a token is chosen."""
    limits, tokens = _limits(source, max_length), _first_tokens(source, first)
    written = []
    done = torch.zeros(len(source), dtype=torch.bool)
    with _inference(model):
        state = model.init_state(source)
        for step in range(1, int(limits.max()) + 1):
            log_probs, state = _step(model, tokens, state)
            tokens = choose(log_probs)  # (B,)
            written.append(tokens.cpu())
            done = done | (written[-1] == EOS) | (step >= limits)
            if done.all():
                break
    sentences = torch.stack(written, dim=1).tolist()
    return [
        list(takewhile(lambda token: token != EOS, sentence[:limit]))
        for sentence, limit in zip(sentences, limits.tolist(), strict=True)
    ]


def _step(model: Decodable, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
    """One step of the model; what must never be written gets probability 0."""
    log_probs, state = model.step(tokens, state)
    if log_probs.dim() != 2 or len(log_probs) != len(tokens):
        raise ValueError(
            f"step returned log-probabilities of shape {tuple(log_probs.shape)}, expected "
            f"({len(tokens)}, V): one row per token given."
        )
    if log_probs.isnan().any():
        raise ValueError(
            "step returned NaN. Has training diverged? Load an earlier checkpoint, and look at "
            "the losses."
        )
    never = torch.tensor([PAD, BOS], device=log_probs.device)
    return log_probs.index_fill(-1, never, -torch.inf), state


def _limits(source: Tensor, max_length: int | Tensor) -> Tensor:
    """The most steps of each row, (B,), on the CPU."""
    if len(source) == 0:
        raise ValueError("source has no rows; give at least one sentence.")
    limits = torch.as_tensor(max_length).cpu()
    if limits.is_floating_point() or tuple(limits.shape) not in {(), (len(source),)}:
        raise ValueError(
            f"max_length has shape {tuple(limits.shape)} and type {limits.dtype}, expected a "
            f"whole number or {len(source)} of them, one per row."
        )
    if limits.min() < 1:
        raise ValueError(f"max_length is {int(limits.min())}, expected at least 1.")
    return limits.expand(len(source))


def _first_tokens(source: Tensor, first: Tensor | None) -> Tensor:
    if first is None:
        return torch.full((len(source),), BOS, device=source.device)
    if tuple(first.shape) != (len(source),):
        raise ValueError(
            f"first has shape {tuple(first.shape)}, expected ({len(source)},): one per row."
        )
    return first


@contextmanager
def _inference(model: Decodable) -> Iterator[None]:
    """No gradients and no dropout inside; afterwards every module is as it was."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    training = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module, was in zip(modules, training, strict=True):
            module.training = was
