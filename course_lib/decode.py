"""Write a sentence token by token: greedy search, beam search, sampling.

All of it is written once, over three methods that every model of this course has:

- `init_state(source)` reads the source (B, S) and returns a state of B rows;
- `step(tokens, state)` reads one token per row, (B,), and returns the log-probabilities (B, V)
  of the next token and the new state;
- `reorder(state, index)` returns the rows of the state that `index` names, in that order.

The padding and begin tokens are never written. Results hold no begin and no end token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.text import BOS, EOS, PAD


class Decodable(Protocol):
    """What a model needs for decoding; see the top of this file."""

    def init_state(self, source: Tensor) -> Any: ...
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...
    def reorder(self, state: Any, index: Tensor) -> Any: ...


def greedy(
    model: Decodable, source: Tensor, max_length: int | Tensor, *, first: Tensor | None = None
) -> list[list[int]]:
    """Write the most probable token at every step.

    Args:
        model: has `init_state`, `step` and `reorder`.
        source: (B, S) ids for `model.init_state`.
        max_length: the most steps, one number or one per row (B,). A row stops at the end token
            or after so many tokens.
        first: (B,) the tokens read at the first step, by default begin tokens. To continue a
            prompt (B, T) with a language model, let it read all but the last token as source:
            `greedy(model, prompt[:, :-1], 50, first=prompt[:, -1])`.

    Returns:
        One list of ids per row.

    Raises:
        ValueError: a row of `max_length` is below 1, or the model returns NaN or another shape.
    """
    return _one_by_one(model, source, max_length, first, lambda log_probs: log_probs.argmax(-1))


def sample(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    *,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    first: Tensor | None = None,
) -> list[list[int]]:
    """Draw every token at random, with the model's probabilities (ancestral sampling).

    Args:
        model, source, max_length, first: as in `greedy`.
        generator: where the random numbers come from.
        temperature: log-probabilities are divided by it. Below 1 the likely becomes more likely,
            above 1 less.
        top_k: draw among the k most probable tokens only (Fan et al. 2018), or None.
        top_p: draw among the fewest tokens that together have at least this probability
            (nucleus sampling, Holtzman et al. 2020); 1.0 keeps all. Applied after `top_k`.

    Returns:
        One list of ids per row.

    Raises:
        ValueError: temperature <= 0, top_k < 1, top_p outside (0, 1], or as in `greedy`.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(
            f"temperature is {temperature}, expected a number above 0. For the most probable "
            "token at every step, use greedy."
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}, expected at least 1, or None for all tokens.")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}, expected 0 < top_p <= 1.")

    def draw(log_probs: Tensor) -> Tensor:
        probs = truncate((log_probs / temperature).softmax(dim=-1), top_k, top_p)
        drawn = torch.multinomial(probs.to(generator.device), 1, generator=generator)
        return drawn[:, 0].to(log_probs.device)

    return _one_by_one(model, source, max_length, first, draw)


def truncate(probs: Tensor, top_k: int | None = None, top_p: float = 1.0) -> Tensor:
    """Keep the most probable tokens and let their probabilities sum to one again.

    Args:
        probs: (B, V), rows sum to one.
        top_k: how many tokens to keep, or None.
        top_p: keep the fewest tokens that together have at least this probability.

    Returns:
        (B, V), 0 for tokens that are not kept. The most probable token is always kept.
    """
    ordered, order = probs.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[:, top_k:] = 0
        ordered = ordered / ordered.sum(dim=-1, keepdim=True)
    if top_p < 1:
        before = ordered.cumsum(dim=-1) - ordered  # probability of all that are more probable
        ordered = ordered.masked_fill(before >= top_p, 0)
        ordered = ordered / ordered.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, ordered)


def beam(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    width: int = 4,
    length_penalty: float = 0.0,
    *,
    first: Tensor | None = None,
) -> list[list[int]]:
    """Keep the `width` best beginnings of each row and return the best complete sentence.

    A hypothesis that writes the end token leaves the beam, which is one narrower from then on
    (Sutskever et al. 2014, section 3.2). So width 1 is greedy search. Complete hypotheses Y
    compare by log P(Y) / lp(Y) with lp(Y) = ((5 + |Y|) / 6) ** alpha (Wu et al. 2016, equation
    14, without its coverage term); the end token counts in P and in |Y|. A row whose steps run
    out with nothing complete returns its best beginning.

    Args:
        model, source, max_length, first: as in `greedy`.
        width: hypotheses per row W.
        length_penalty: alpha. 0 compares plain log-probabilities, which favors short sentences,
            because every token lowers the sum; 0.6 to 1 is usual.

    Returns:
        One list of ids per row.

    Raises:
        ValueError: width < 1, length_penalty < 0, or as in `greedy`.
    """
    if width < 1:
        raise ValueError(f"width is {width}, expected at least 1.")
    if not 0 <= length_penalty < float("inf"):
        raise ValueError(f"length_penalty is {length_penalty}, expected 0 or more.")
    alpha = length_penalty
    limits, tokens = _limits(source, max_length), _first_tokens(source, first)
    rows = len(source)
    # The bookkeeping is small and lives on the CPU, in double precision: sums of many
    # log-probabilities must not tie by rounding.
    scores = torch.full((rows, width), -torch.inf, dtype=torch.double)  # (B, W)
    scores[:, 0] = 0.0  # all hypotheses of a row begin equal, so only the first one counts
    written = torch.empty(rows, width, 0, dtype=torch.long)  # (B, W, tokens so far)
    best = torch.full((rows,), -torch.inf, dtype=torch.double)  # of the complete hypotheses
    answers: list[list[int]] = [[] for _ in range(rows)]
    room = torch.full((rows, 1), width)  # how wide the beam of each row still is
    done = torch.zeros(rows, dtype=torch.bool)
    first_slot = torch.arange(rows)[:, None] * width  # (B, 1)

    with _inference(model):
        copies = torch.arange(rows).repeat_interleave(width).to(tokens.device)  # (B * W,)
        state = model.reorder(model.init_state(source), copies)
        tokens = tokens[copies]
        for step in range(1, int(limits.max()) + 1):
            log_probs, state = _step(model, tokens, state)  # (B * W, V)
            # The best W of a row are among the best W of each of its hypotheses.
            values, ids = log_probs.topk(min(width, log_probs.shape[1]), dim=-1)  # (B * W, k)
            totals = scores.view(-1, 1) + values.double().cpu()
            scores, place = totals.view(rows, -1).topk(width, dim=-1)  # (B, W), best first
            parents = first_slot + place // ids.shape[1]  # (B, W), counted over all rows
            chosen = ids.cpu().view(rows, -1).gather(1, place)  # (B, W)
            written = torch.cat([written.view(rows * width, -1)[parents], chosen[..., None]], -1)
            scores = scores.masked_fill(torch.arange(width) >= room, -torch.inf)

            ended = (chosen == EOS) & scores.isfinite()
            finals = scores.masked_fill(~ended, -torch.inf) / _length_penalty(step, alpha)
            value, slot = finals.max(dim=-1)  # (B,)
            for row in (value > best).nonzero()[:, 0].tolist():
                answers[row] = written[row, slot[row], :-1].tolist()
            best = torch.maximum(best, value)
            room = room - ended.sum(dim=-1, keepdim=True)
            scores = scores.masked_fill(ended, -torch.inf)

            for row in ((step >= limits) & best.isneginf() & ~done).nonzero()[:, 0].tolist():
                answers[row] = written[row, scores[row].argmax()].tolist()
            # A beginning can only lose probability, and no penalty exceeds that of the longest
            # sentence. Where even so it stays behind, the row is finished; an empty beam too.
            bound = scores.amax(dim=-1) / _length_penalty(limits.double(), alpha)
            done = done | (step >= limits) | (bound <= best)
            if done.all():
                break
            scores = scores.masked_fill(done[:, None], -torch.inf)
            state = model.reorder(state, parents.view(-1).to(tokens.device))
            tokens = chosen.view(-1).to(tokens.device)
    return answers


class WithoutCache(nn.Module):
    """A Transformer that keeps nothing of what it wrote and reads it all again for each word.

    It writes what the model itself writes, and shows what the cache of keys and values saves:
    without it, word t costs a pass over t words. Like the model, it reads the source once.

    Args:
        model: a ``course_lib.transformer_model.Transformer``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def init_state(self, source: Tensor) -> tuple[Any, Tensor]:
        """(B, S) ids -> the model's first state, which stays, and no words yet (B, 0)."""
        return self.model.init_state(source), source.new_empty(len(source), 0)

    def step(self, tokens: Tensor, state: tuple[Any, Tensor]) -> tuple[Tensor, tuple[Any, Tensor]]:
        """Previous ids (B,), state -> log-probabilities (B, V), state with one word more."""
        first, read = state
        read = torch.cat([read, tokens[:, None]], dim=1)  # (B, T)
        x, _, _ = self.model.decoder(self.model.target_embedding(read), first)  # (B, T, D)
        return self.model.output(x[:, -1]).log_softmax(-1), (first, read)

    def reorder(self, state: tuple[Any, Tensor], index: Tensor) -> tuple[Any, Tensor]:
        """Rows ``index`` (B',) of the state."""
        return self.model.reorder(state[0], index), state[1][index]


def _length_penalty(length: int | Tensor, alpha: float) -> float | Tensor:
    return ((5 + length) / 6) ** alpha


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
