"""Exercises 4.1 and 4.2: a score for every pair of a query and a key."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 4.1 dot_scores -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Row t, column s of the result is the dot product of query t and key s. Which operation "
        "multiplies the rows of one matrix by the rows of another?",
        "`queries @ …` needs the keys with their last two axes exchanged.",
        "With any number of leading axes, count from the end: `transpose(-2, -1)`. `.T` turns all "
        "axes round.",
    )
)
def dot_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k for every pair: (…, T, K), (…, S, K) -> (…, T, S)."""
    return queries @ keys.transpose(-2, -1)


@dot_scores.case
def one_score_for_each_pair(answer):
    scores = answer(torch.randn(2, 3, 4), torch.randn(2, 5, 4))
    expect_tensor(scores, (2, 3, 5), what="the tensor of scores")


@dot_scores.case
def scores_by_hand(answer):
    queries = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]])
    keys = torch.tensor([[[3.0, 1.0], [1.0, 0.0], [0.0, 4.0]]])
    expected = torch.tensor([[[5.0, 1.0, 8.0], [-1.0, 0.0, -4.0]]])
    expect_close(answer(queries, keys), expected, "the tensor of scores")


@dot_scores.case
def leading_axes_stay_apart(answer):
    queries, keys = torch.randn(2, 4, 3, 4), torch.randn(2, 4, 4, 4)  # (B, H, T, K), (B, H, S, K)
    apart = [[dot_scores.answer(queries[b, h], keys[b, h]) for h in range(4)] for b in range(2)]
    expected = torch.stack([torch.stack(heads) for heads in apart])
    expect_close(answer(queries, keys), expected, "the tensor of scores with four axes")
    expect_close(answer(queries[0, 0], keys[0, 0]), apart[0][0], "the tensor of scores, two axes")


@dot_scores.mistake("one_score_for_each_pair", says="Your rows are keys and your columns queries.")
def keys_first(queries, keys):
    return keys @ queries.transpose(-2, -1)


@dot_scores.mistake(
    "one_score_for_each_pair",
    says="You multiply number by number and do not add up: a score is one number a pair.",
)
def not_summed(queries, keys):
    return queries.unsqueeze(-2) * keys.unsqueeze(-3)


@dot_scores.mistake(
    "scores_by_hand", says="You divide by √K. That is the scaled dot product; here we want the dot."
)
def scaled(queries, keys):
    return queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])


@dot_scores.mistake(
    "scores_by_hand",
    says="You reshape the keys where they must be transposed. The shape comes out right, and the "
    "numbers of different keys are mixed.",
)
def reshaped(queries, keys):
    return queries @ keys.reshape(*keys.shape[:-2], keys.shape[-1], keys.shape[-2])


@dot_scores.mistake(
    "scores_by_hand", says="These are weights already. A score comes before the softmax."
)
def already_weights(queries, keys):
    return dot_scores.answer(queries, keys).softmax(dim=-1)


@dot_scores.mistake(
    "leading_axes_stay_apart",
    says="You exchange the second and third axis. With heads in front these are other axes, and "
    "where the sizes happen to fit, nothing complains. Count from the end.",
)
def axes_counted_from_the_front(queries, keys):
    if keys.dim() == 2:
        return queries @ keys.T
    return queries @ keys.transpose(1, 2)


@dot_scores.alternative
def by_broadcasting(queries, keys):
    return (queries.unsqueeze(-2) * keys.unsqueeze(-3)).sum(dim=-1)


# --- 4.2 additive_scores --------------------------------------------------------------------------


@exercise(
    hints=(
        "Write it for one query and one key first. `W @ q` and `U @ k` both have A numbers.",
        "For all queries at once, `queries @ W.T` is (T, A), and the keys give (S, A). Every row "
        "of the one meets every row of the other: give each an axis of length 1 at its place.",
        "`(T, 1, A) + (1, S, A)` broadcasts to (T, S, A). The tanh comes before `v` adds up.",
    )
)
def additive_scores(queries: Tensor, keys: Tensor, W: Tensor, U: Tensor, v: Tensor) -> Tensor:
    """v · tanh(W q + U k) for every pair: (T, Q), (S, K) -> (T, S).

    W: (A, Q), U: (A, K), v: (A,) (Bahdanau et al. 2015, appendix A.1.2).
    """
    asked = (queries @ W.T).unsqueeze(1)  # (T, 1, A)
    offered = (keys @ U.T).unsqueeze(0)  # (1, S, A)
    return torch.tanh(asked + offered) @ v  # (T, S)


def _additive(query=4, key=4, width=4):
    """Queries, keys, W, U, v. Equal widths by default, so that a wrong axis raises nothing."""
    return (
        torch.randn(3, query),
        torch.randn(5, key),
        torch.randn(width, query),
        torch.randn(width, key),
        torch.randn(width),
    )


@additive_scores.case
def a_score_for_each_pair(answer):
    expect_tensor(answer(*_additive()), (3, 5), what="the tensor of scores")


@additive_scores.case
def queries_prefer_different_keys(answer):
    scores = answer(*_additive())
    weights = scores.softmax(dim=-1)
    change = (weights - weights[:1]).abs().max().item()
    expect(
        change > 1e-3,
        "After a softmax over the keys, all queries have the same weights (largest difference "
        f"{change:.1g}): your score does not compare.",
        scores,
    )


@additive_scores.case
def v_weighs_the_units(answer):
    queries, keys, W, U, v = _additive()
    once, twice = answer(queries, keys, W, U, v), answer(queries, keys, W, U, 2 * v)
    off = (twice - 2 * once).abs().max().item()
    message = f"Twice the `v` must give twice the scores; yours are off by up to {off:.2g}."
    expect(off < 1e-4, message, once)


@additive_scores.case
def equal_widths(answer):
    given = _additive()
    expect_close(answer(*given), additive_scores.answer(*given), "the tensor of scores")


@additive_scores.case
def different_widths(answer):
    given = _additive(6, 2, 7)
    expected = additive_scores.answer(*given)
    expect_close(answer(*given), expected, "the tensor of scores where Q, K and A differ")


@additive_scores.mistake("a_score_for_each_pair", says="Your rows are keys: (S, T), not (T, S).")
def keys_as_rows(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, W, U, v).T


@additive_scores.mistake(
    "queries_prefer_different_keys",
    says="The tanh is missing. Without it the score is a part of the query plus a part of the "
    "key, and the softmax over the keys cancels the first.",
)
def no_tanh(queries, keys, W, U, v):
    return ((queries @ W.T).unsqueeze(1) + keys @ U.T) @ v


@additive_scores.mistake(
    "v_weighs_the_units",
    says="The tanh stands after `v`. Then it squeezes the finished score, which can no longer "
    "exceed 1, and what is inside is linear.",
)
def tanh_after_v(queries, keys, W, U, v):
    return torch.tanh(((queries @ W.T).unsqueeze(1) + keys @ U.T) @ v)


@additive_scores.mistake(
    "equal_widths",
    says="You use the matrices transposed. In W of shape (A, Q) a *row* belongs to a unit. With "
    "equal widths both ways fit, and only the numbers tell.",
)
def transposed_matrices(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, W.T, U.T, v)


@additive_scores.mistake(
    "equal_widths", says="W and U are exchanged: W reads the query, U reads the key."
)
def matrices_exchanged(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, U, W, v)


@additive_scores.mistake(
    "different_widths",
    says="You build the units with the width of the *keys*. Q, K and A are three sizes.",
)
def width_of_the_keys(queries, keys, W, U, v):
    width = keys.shape[1]
    return additive_scores.answer(queries, keys, W[:width], U[:width], v[:width])


@additive_scores.alternative
def one_layer_on_both_together(queries, keys, W, U, v):
    both = torch.cat(
        [
            queries.unsqueeze(1).expand(-1, len(keys), -1),
            keys.unsqueeze(0).expand(len(queries), -1, -1),
        ],
        dim=-1,
    )  # (T, S, Q + K)
    return torch.einsum("tsa,a->ts", (both @ torch.cat([W, U], dim=1).T).tanh(), v)


@additive_scores.alternative
def pair_by_pair(queries, keys, W, U, v):
    rows = [[v @ torch.tanh(W @ q + U @ k) for k in keys] for q in queries]
    return torch.stack([torch.stack(row) for row in rows])
