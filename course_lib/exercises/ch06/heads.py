"""Exercises 6.1 and 6.2: cutting vectors into heads, and attention with several of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise

# --- 6.1 split_heads ------------------------------------------------------------------------------


@exercise(
    hints=(
        "A vector of D numbers lies in memory number by number. Cutting its last axis into H rows "
        "of K is free: which four axes do you have then, and in which order?",
        "`x.view(B, T, heads, K)` cuts. The axes of positions and heads still have to change "
        "places.",
        "`transpose(1, 2)` swaps two axes and keeps what belongs together; `view` only counts "
        "through the memory.",
    )
)
def split_heads(x: Tensor, heads: int) -> Tensor:
    """Cut each vector into pieces, one a head: (B, T, D) -> (B, H, T, K), K = D / H.

    Head h gets the numbers K * h, ..., K * h + K - 1 of the vector at each position.
    """
    batch, length, width = x.shape
    pieces = x.view(batch, length, heads, width // heads)  # (B, T, H, K)
    return pieces.transpose(1, 2)


@split_heads.same_as_answer(grad=True)
def one_piece_a_head_and_position():
    yield torch.randn(2, 5, 12), 3
    yield torch.randn(3, 2, 8), 4
    yield torch.randn(1, 4, 6), 1


split_heads.mistake(
    "one_piece_a_head_and_position",
    "The numbers are cut, but the axes of heads and positions have not changed places. Each "
    "head must be a batch of its own, so that its scores are (T, T).",
    "pieces.transpose(1, 2) -> pieces",
)
split_heads.mistake(
    "one_piece_a_head_and_position",
    "You counted through the memory in another order: pieces of different positions ended up in "
    "one row. The shape is right, and every head sees a jumble of words.",
    "pieces.transpose(1, 2) -> pieces.reshape(batch, heads, length, -1)",
)
split_heads.mistake(
    "one_piece_a_head_and_position",
    "Your head h gets every H-th number. Asked is one stretch of neighbors for each head. (As a "
    "layer it would learn as well; with weights from elsewhere it would be wrong.)",
    "heads, width // heads) -> width // heads, heads) ;; .transpose(1, 2) -> .permute(0, 3, 1, 2)",
)


# --- 6.2 multi_head_attention ---------------------------------------------------------------------


@exercise(
    hints=(
        "First all queries, keys and values at full width; then cut them with what you wrote in "
        "6.1. Which of them come from `x`, which from `others`?",
        "Scores (B, H, T, S): `queries @ keys.mT`. Each score is a sum of K products, not of D.",
        "The mask fills scores with −∞ before the softmax over the last axis. After the weighted "
        "means, undo the cut: the axes change places back *before* the pieces are joined.",
        "The last step is one matrix for all heads together.",
    )
)
def multi_head_attention(
    x: Tensor,
    others: Tensor,
    Wq: Tensor,
    Wk: Tensor,
    Wv: Tensor,
    Wo: Tensor,
    heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """Each of T positions takes from S others: (B, T, D), (B, S, D) -> (B, T, D).

    Wq, Wk, Wv, Wo: (D, D), a row vector times W; head h owns columns K * h to K * h + K - 1 of
    the first three. mask: bool, broadcasts to (B, H, T, S), True = may attend, never a whole row
    False; None = all may.
    """

    def cut(vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, length, K)

    queries, keys, values = cut(x @ Wq), cut(others @ Wk), cut(others @ Wv)
    scores = queries @ keys.mT / math.sqrt(keys.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    found = scores.softmax(dim=-1) @ values  # (B, H, T, K)
    return found.transpose(1, 2).flatten(2) @ Wo


def _given(positions: int, others: int, width: int) -> tuple[Tensor, ...]:
    """Two sentences on each side, and four matrices that make the softmax uneven."""
    size = width**-0.5
    matrices = (factor * size * torch.randn(width, width) for factor in (2, 2, 1, 1))
    return torch.randn(2, positions, width), torch.randn(2, others, width), *matrices


@multi_head_attention.same_as_answer(
    says="All positions of `others` have equal values here, so that weights play no part.",
    atol=1e-4,
)
def equal_values_pass_through():
    x, others, Wq, Wk, Wv, Wo = _given(4, 5, 12)
    others[..., -1] = 1.0
    Wv[:-1] = 0.0  # the values are the last row of Wv at every position
    yield x, others, Wq, Wk, Wv, Wo, 3


@multi_head_attention.same_as_answer(
    says="With one head and without a mask, only maps, scale, softmax and means are at work.",
    atol=1e-4,
)
def one_head():
    yield *_given(4, 5, 12), 1
    yield *_given(6, 3, 8), 1


@multi_head_attention.same_as_answer(
    says="With one head your result is right.", grad=True, atol=1e-4
)
def several_heads():
    yield *_given(4, 5, 12), 3
    yield *_given(1, 3, 8), 4


@multi_head_attention.same_as_answer(
    says="Without a mask your result is right. (True means *may attend*.)", grad=True, atol=1e-4
)
def with_a_mask():
    padding = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    yield *_given(4, 5, 12), 3, padding
    yield *_given(5, 5, 8), 2, torch.ones(5, 5, dtype=torch.bool).tril()
    each_its_own = torch.rand(2, 2, 4, 6) < 0.5  # sentence, head and position
    each_its_own[..., 1] = True
    yield *_given(4, 6, 8), 2, each_its_own


multi_head_attention.mistake(
    "equal_values_pass_through",
    "The heads are joined without changing places back: numbers of different positions end up in "
    "one vector. The shape is right by accident.",
    "found.transpose(1, 2).flatten(2) -> found.reshape(x.shape)",
)
multi_head_attention.mistake(
    "equal_values_pass_through",
    "Keys and values have changed places: your weights come from what should be taken, and you "
    "take what should be compared.",
    "cut(others @ Wk), cut(others @ Wv) -> cut(others @ Wv), cut(others @ Wk)",
)
multi_head_attention.mistake(
    "several_heads",
    "You scale by the square root of the whole width. A head's score is a sum of K products. With "
    "one head the two are the same, with more your softmax is too flat.",
    "math.sqrt(keys.shape[-1]) -> math.sqrt(x.shape[-1])",
)
multi_head_attention.mistake(
    "with_a_mask",
    "Your mask comes after the softmax: what it leaves of the weights no longer sums to 1. Hidden "
    "positions must be out before the shares are made.",
    """if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    -> weights = scores.softmax(dim=-1) ;;
    found = scores.softmax(dim=-1) @ -> found = (weights if mask is None else weights * mask) @""",
)
