"""Exercises 6.1 and 6.2: cutting vectors into heads, and attention with several of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

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


@split_heads.case
def one_piece_a_head_and_position(answer):
    expect_tensor(answer(torch.randn(2, 5, 12), 3), (2, 3, 5, 4))


@split_heads.case
def a_position_stays_a_position(answer):
    x = torch.arange(5.0)[None, :, None].expand(2, 5, 12).contiguous()  # all of row t is t
    pieces = answer(x, 3)
    expect_close(
        pieces,
        torch.arange(5.0)[:, None].expand(2, 3, 5, 4),
        "the result where all numbers of position t are t",
    )


@split_heads.case
def neighbors_stay_together(answer):
    x = torch.arange(12.0).expand(2, 5, 12).contiguous()  # number d of each vector is d
    pieces = answer(x, 3)
    expect_close(
        pieces,
        torch.arange(12.0).view(1, 3, 1, 4).expand(2, 3, 5, 4),
        "the result where number d of each vector is d",
    )


@split_heads.case
def every_sentence(answer):
    x = torch.randn(3, 4, 6)
    expect_close(answer(x, 2), split_heads.answer(x, 2))


@split_heads.mistake(
    "one_piece_a_head_and_position",
    says="The numbers are cut, but the axes of heads and positions have not changed places. Each "
    "head must be a batch of its own, so that its scores are (T, T).",
)
def not_swapped(x, heads):
    return x.view(*x.shape[:2], heads, -1)


@split_heads.mistake(
    "a_position_stays_a_position",
    says="You counted through the memory in another order: pieces of different positions ended up "
    "in one row. The shape is right, and every head sees a jumble of words.",
)
def counted_through_the_memory(x, heads):
    return x.reshape(len(x), heads, x.shape[1], -1)


@split_heads.mistake(
    "neighbors_stay_together",
    says="Your head h gets every H-th number. Asked is one stretch of neighbors for each head. (As "
    "a layer it would learn as well; with weights from elsewhere it would be wrong.)",
)
def every_other_number(x, heads):
    return x.view(*x.shape[:2], -1, heads).permute(0, 3, 1, 2)


@split_heads.mistake(
    "every_sentence", says="All your sentences are the first one: the batch has an axis, too."
)
def first_sentence_only(x, heads):
    return split_heads.answer(x[:1], heads).expand(len(x), -1, -1, -1)


@split_heads.alternative
def by_chunks(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


@split_heads.alternative
def by_unflatten(x, heads):
    return x.unflatten(-1, (heads, -1)).movedim(2, 1)


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


def _attention(
    x: Tensor, others: Tensor, matrices: tuple, heads: int, mask: Tensor | None = None, **how
) -> Tensor:
    """The same with one thing done otherwise, for the mistakes below."""
    Wq, Wk, Wv, Wo = matrices
    cut = how.get("cut", split_heads.answer)
    queries, keys, values = cut(x @ Wq, heads), cut(others @ Wk, heads), cut(others @ Wv, heads)
    scores = queries @ keys.mT / how.get("scale", keys.shape[-1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    found = scores.softmax(dim=how.get("dim", -1)) @ values
    joined = found.transpose(1, 2).flatten(2) if how.get("swap", True) else found.reshape(x.shape)
    return joined @ Wo


def _matrices(width: int = 12) -> tuple[Tensor, ...]:
    size = width**-0.5
    return tuple(factor * size * torch.randn(width, width) for factor in (2, 2, 1, 1))


def _two_sides() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 4, 12), torch.randn(2, 5, 12)


@multi_head_attention.case
def one_vector_a_position(answer):
    x, others = _two_sides()
    expect_tensor(answer(x, others, *_matrices(), 3), (2, 4, 12))


@multi_head_attention.case
def one_position_at_a_time(answer):
    x, others = _two_sides()
    matrices = _matrices()
    changed = x.clone()
    changed[:, 2] += 1.0
    before, after = answer(x, others, *matrices, 3), answer(changed, others, *matrices, 3)
    moved = (after - before)[:, [0, 1, 3]].abs().max().item()
    expect(
        moved < 1e-5,
        "Position 2 of `x` asks something else, and the answers of other positions moved by up to "
        f"{moved:.2g}. Every position gets its own answer, whatever the others ask.",
        after,
    )


@multi_head_attention.case
def equal_values_pass_through(answer):
    x, others = _two_sides()
    Wq, Wk, Wv, Wo = _matrices()
    others[..., -1] = 1.0
    Wv[:-1] = 0.0  # the values are the last row of Wv at every position
    result = answer(x, others, Wq, Wk, Wv, Wo, 3)
    what = "the result where all positions have the same values (a mean of equals is the same)"
    expect_close(result, (Wv[-1] @ Wo).expand(2, 4, 12), what, atol=1e-4)


@multi_head_attention.case
def one_head(answer):
    x, others = _two_sides()
    matrices = _matrices()
    expected = multi_head_attention.answer(x, others, *matrices, 1)
    expect_close(answer(x, others, *matrices, 1), expected, "the result with one head", atol=1e-4)


@multi_head_attention.case
def several_heads(answer):
    x, others = _two_sides()
    matrices = _matrices()
    for heads in (3, 4):
        expected = multi_head_attention.answer(x, others, *matrices, heads)
        found = answer(x, others, *matrices, heads)
        expect_close(found, expected, f"the result with {heads} heads", atol=1e-4)


@multi_head_attention.case
def with_a_mask(answer):
    x, others = _two_sides()
    matrices = _matrices()
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    expected = multi_head_attention.answer(x, others, *matrices, 3, mask)
    found = answer(x, others, *matrices, 3, mask)
    expect_close(found, expected, "the result with a padding mask", atol=1e-4)


@multi_head_attention.mistake(
    "one_vector_a_position",
    says="You add the heads instead of joining them: K numbers are left of D.",
)
def heads_added(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    cut = split_heads.answer
    queries, keys, values = cut(x @ Wq, heads), cut(others @ Wk, heads), cut(others @ Wv, heads)
    scores = queries @ keys.mT / keys.shape[-1] ** 0.5
    return (scores.softmax(dim=-1) @ values).sum(dim=1)


@multi_head_attention.mistake(
    "one_position_at_a_time",
    says="Your softmax does not run over the positions that are asked. What one position takes "
    "must be shares of 1.",
)
def over_the_queries(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask, dim=-2)


@multi_head_attention.mistake(
    "equal_values_pass_through", says="The last matrix is missing: nothing mixes the heads."
)
def without_the_output_matrix(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, torch.eye(len(Wo))), heads, mask)


@multi_head_attention.mistake("one_position_at_a_time")
def joined_without_swapping(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask, swap=False)


@multi_head_attention.mistake("one_position_at_a_time")
def cut_by_counting(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask, cut=counted_through_the_memory)


@multi_head_attention.mistake(
    "one_head",
    says="The scores are not scaled. Each is a sum of K products, and its variance grows with K.",
)
def no_scale(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask, scale=1.0)


@multi_head_attention.mistake(
    "several_heads",
    says="You scale by the square root of the whole width. A head's score is a sum of K products. "
    "With one head the two are the same, with more your softmax is too flat.",
)
def scaled_by_the_whole_width(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask, scale=x.shape[-1] ** 0.5)


@multi_head_attention.mistake(
    "several_heads",
    says="Whatever `heads` is, you compute one head of full width.",
)
def one_head_always(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), 1, mask)


@multi_head_attention.mistake("with_a_mask", says="Your mask is inverted: True means *may attend*.")
def mask_inverted(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    mask = None if mask is None else ~mask
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads, mask)


@multi_head_attention.mistake("with_a_mask", says="The mask has no effect.")
def mask_forgotten(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    return _attention(x, others, (Wq, Wk, Wv, Wo), heads)


@multi_head_attention.alternative
def by_torch(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    cut = split_heads.answer
    found = nn.functional.scaled_dot_product_attention(
        cut(x @ Wq, heads), cut(others @ Wk, heads), cut(others @ Wv, heads), attn_mask=mask
    )
    return found.movedim(1, 2).reshape(x.shape) @ Wo


@multi_head_attention.alternative
def head_by_head(x, others, Wq, Wk, Wv, Wo, heads, mask=None):
    size = x.shape[-1] // heads
    total = 0
    for h in range(heads):
        own = slice(size * h, size * h + size)
        scores = (x @ Wq[:, own]) @ (others @ Wk[:, own]).mT / size**0.5  # (B, T, S)
        if mask is not None:
            allowed = mask.expand(len(x), heads, *scores.shape[1:])[:, h]
            scores = scores.masked_fill(~allowed, -1e30)
        total = total + scores.softmax(-1) @ (others @ Wv[:, own]) @ Wo[own]
    return total
