"""What every model of this course offers for decoding, and the loop that uses it.

- `init_state(source)` reads the source (B, S) and returns a state of B rows;
- `step(tokens, state)` reads one token per row, (B,), and returns the log-probabilities (B, V)
  of the next token and the new state;
- `reorder(state, index)` returns the rows of the state that `index` names, in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor

from course_lib.support.modes import evaluating
from course_lib.text.words import Specials


class Decodable(Protocol):
    """What a model needs for decoding; see the top of this file."""

    def init_state(self, source: Tensor) -> Any: ...
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def reorder(self, state: Any, index: Tensor) -> Any: ...


def write(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    choose: Callable[[Tensor], Tensor],
    first: Tensor | None,
    specials: Specials,
) -> list[list[int]]:
    """Token by token, as `choose` takes them from the log-probabilities: (B, V) -> (B,)."""
    limits, tokens = beginning(source, max_length, first, specials)
    written = []
    done = torch.zeros(len(source), dtype=torch.bool)
    with evaluating(model):
        state = model.init_state(source)
        for length in range(1, int(limits.max()) + 1):
            log_probs, state = next_words(model, tokens, state, specials)
            tokens = choose(log_probs)  # (B,)
            written.append(tokens.cpu())
            done = done | (written[-1] == specials.eos) | (length >= limits)
            if done.all():
                break
    sentences = torch.stack(written, dim=1).tolist()
    return [
        list(takewhile(lambda token: token != specials.eos, sentence[:limit]))
        for sentence, limit in zip(sentences, limits.tolist(), strict=True)
    ]


def beginning(
    source: Tensor, max_length: int | Tensor, first: Tensor | None, specials: Specials
) -> tuple[Tensor, Tensor]:
    """The most steps of each row (B,), on the CPU, and the tokens (B,) to read first."""
    rows = len(source)
    limits = torch.as_tensor(max_length).cpu()
    wrong = None
    if first is None:
        if specials.bos is None:
            raise ValueError("This vocabulary has no begin token: give the first tokens, first=….")
        first = torch.full((rows,), specials.bos, device=source.device)
    if rows == 0 or tuple(first.shape) != (rows,):
        wrong = f"source has {rows} rows and first the shape {tuple(first.shape)}"
    elif specials.pad is not None and (first == specials.pad).any():
        wrong = (
            f"first holds {specials.pad}, padding: prompts of different lengths are continued one "
            "length at a time. If that id is a word of your vocabulary, say so: specials=…"
        )
    elif limits.is_floating_point() or tuple(limits.shape) not in {(), (rows,)} or limits.min() < 1:
        wrong = f"max_length is {max_length}, expected whole numbers from 1, one or {rows} of them"
    if wrong is not None:
        raise ValueError(f"{wrong}.")
    return limits.expand(rows), first


def next_words(
    model: Decodable, tokens: Tensor, state: Any, specials: Specials
) -> tuple[Tensor, Any]:
    """One step of the model; what must never be written gets probability 0."""
    log_probs, state = model.step(tokens, state)
    if log_probs.dim() != 2 or len(log_probs) != len(tokens):
        raise ValueError(
            f"step returned log-probabilities of shape {tuple(log_probs.shape)}, expected "
            f"({len(tokens)}, V): one row per token given."
        )
    never = [mark for mark in (specials.pad, specials.bos) if mark is not None]
    index = torch.tensor(never, dtype=torch.long, device=log_probs.device)
    log_probs = log_probs.index_fill(1, index, -torch.inf)
    best = log_probs.amax(1)  # (B,), NaN where a row holds one
    if not best.isfinite().all():
        sure_of_padding = best.isneginf()
        if specials.eos is None or not (best.isfinite() | sure_of_padding).all():
            raise ValueError(
                "step returned NaN, or gave no token a probability. Has training diverged? Load "
                "an earlier checkpoint, and look at the losses."
            )
        log_probs[sure_of_padding, specials.eos] = 0.0  # nothing more comes
    return log_probs, state
