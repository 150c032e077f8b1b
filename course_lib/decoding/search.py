"""Write a sentence token by token: greedy search and beam search.

Both are written once, over the three methods of `course_lib.decoding.protocol` that every model
of this course has. Results hold no begin and no end token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.decoding.protocol import (
    Decodable,
    beginning,
    next_words,
    write,
)
from course_lib.support.modes import evaluating
from course_lib.text.words import OURS, Specials
from course_lib.transformer.model import Transformer


def greedy(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    *,
    first: Tensor | None = None,
    specials: Specials = OURS,
) -> list[list[int]]:
    """Write the most probable token at every step.

    Args:
        model: has `init_state`, `step` and `reorder`.
        source: (B, S) ids for `model.init_state`.
        max_length: the most steps, one number or one per row (B,). A row stops at the end token
            or after so many tokens.
        first: (B,) the tokens read at the first step, by default begin tokens. To continue prompts
            (B, T) of one length with a language model, let it read all but the last token as
            source: `greedy(model, prompt[:, :-1], 50, first=prompt[:, -1])`.
        specials: which tokens are never written, and which ends a sentence.

    Returns:
        One list of ids per row.
    """
    return write(model, source, max_length, lambda scores: scores.argmax(1), first, specials)


def beam(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    width: int = 4,
    length_penalty: float = 0.0,
    *,
    first: Tensor | None = None,
    specials: Specials = OURS,
) -> list[list[int]]:
    """Keep the `width` best beginnings of each row and return the best complete sentence.

    A hypothesis that writes the end token leaves the beam, which is one narrower from then on
    (Sutskever et al. 2014, section 3.2). So width 1 is greedy search. Complete hypotheses Y
    compare by log P(Y) / lp(Y) with lp(Y) = ((5 + |Y|) / 6) ** alpha (Wu et al. 2016, equation
    14, without its coverage term); the end token counts in P and in |Y|. A row whose steps run
    out with nothing complete returns its best beginning.

    Args:
        model, source, max_length, first, specials: as in `greedy`.
        width: hypotheses per row W.
        length_penalty: alpha. 0 compares plain log-probabilities, which favors short sentences,
            because every token lowers the sum; 0.6 to 1 is usual.

    Returns:
        One list of ids per row.
    """
    if width < 1 or not 0 <= length_penalty < float("inf"):
        raise ValueError(
            f"width is {width} and length_penalty {length_penalty}, expected width >= 1 and "
            "length_penalty >= 0."
        )
    alpha = length_penalty
    limits, tokens = beginning(source, max_length, first, specials)
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

    with evaluating(model):
        copies = torch.arange(rows).repeat_interleave(width).to(tokens.device)  # (B * W,)
        state = model.reorder(model.init_state(source), copies)
        tokens = tokens[copies]
        for step in range(1, int(limits.max()) + 1):
            log_probs, state = next_words(model, tokens, state, specials)  # (B * W, V)
            # The best W of a row are among the best W of each of its hypotheses.
            values, ids = log_probs.topk(min(width, log_probs.shape[1]), dim=1)  # (B * W, k)
            totals = scores.view(-1, 1) + values.cpu().double()
            scores, place = totals.view(rows, -1).topk(width, dim=1)  # (B, W), best first
            parents = first_slot + place // ids.shape[1]  # (B, W), counted over all rows
            chosen = ids.cpu().view(rows, -1).gather(1, place)  # (B, W)
            written = torch.cat([written.view(rows * width, -1)[parents], chosen[..., None]], -1)
            scores = scores.masked_fill(torch.arange(width) >= room, -torch.inf)

            ended = (chosen == specials.eos) & scores.isfinite()
            finals = scores.masked_fill(~ended, -torch.inf) / _length_penalty(step, alpha)
            value, slot = finals.max(dim=1)  # (B,)
            for row in (value > best).nonzero()[:, 0].tolist():
                answers[row] = written[row, slot[row], :-1].tolist()
            best = torch.maximum(best, value)
            room = room - ended.sum(dim=1, keepdim=True)
            scores = scores.masked_fill(ended, -torch.inf)

            for row in ((step >= limits) & best.isneginf() & ~done).nonzero()[:, 0].tolist():
                answers[row] = written[row, scores[row].argmax()].tolist()
            # A beginning can only lose probability, and no penalty exceeds that of the longest
            # sentence. Where even so it stays behind, the row is finished; an empty beam too.
            bound = scores.amax(dim=1) / _length_penalty(limits.double(), alpha)
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
    """

    def __init__(self, model: Transformer) -> None:
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
        """Rows `index` (B',) of the state."""
        return self.model.reorder(state[0], index), state[1][index]


def _length_penalty(length: int | Tensor, alpha: float) -> float | Tensor:
    return ((5 + length) / 6) ** alpha
