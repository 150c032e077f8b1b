"""Write a sentence token by token: greedy search, beam search, sampling.

All of it is written once, over three methods that every model of this course has:

- `init_state(source)` reads the source (B, S) and returns a state of B rows;
- `step(tokens, state)` reads one token per row, (B,), and returns the log-probabilities (B, V)
  of the next token and the new state;
- `reorder(state, index)` returns the rows of the state that `index` names, in that order.

The padding and begin tokens are never written. Results hold no begin and no end token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.decoding.protocol import (
    Decodable,
    _first_tokens,
    _inference,
    _limits,
    _one_by_one,
    _step,
)
from course_lib.text.words import EOS


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
        model: a ``course_lib.transformer.model.Transformer``.
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
