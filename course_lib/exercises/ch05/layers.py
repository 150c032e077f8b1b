"""Exercises 5.1 and 5.2: self-attention and the position-wise network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 5.1 self_attention ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Three products with the same x: queries (T, K), keys (T, K), values (T, D). Every query "
        "is compared with every key. What shape do the scores have?",
        "`queries @ keys.T` is (T, T): row t holds what position t thinks of every position. Its "
        "size grows with the width K of the vectors in the product; a square root keeps it level.",
        "`scores.masked_fill(~mask, -torch.inf)` before the softmax. The softmax runs over the "
        "keys, the last axis. The result is a mean of *values*.",
    )
)
def self_attention(
    x: Tensor, Wq: Tensor, Wk: Tensor, Wv: Tensor, mask: Tensor | None = None
) -> Tensor:
    """One head of scaled dot-product self-attention: (T, D) -> (T, D).

    x: (T, D), one row a position; Wq, Wk: (D, K); Wv: (D, D); a row vector times W.
    mask: (T, T) bool, True = may attend, at least one True in each row; None = all may.
    """
    queries, keys, values = x @ Wq, x @ Wk, x @ Wv  # (T, K), (T, K), (T, D)
    scores = queries @ keys.T / math.sqrt(keys.shape[-1])  # (T, T)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1) @ values


def _projections(width: int, inside: int) -> tuple[Tensor, Tensor, Tensor]:
    """Wq, Wk (D, K) and Wv (D, D), large enough for weights that are far from uniform."""
    size = width**-0.5
    return (
        2 * size * torch.randn(width, inside),
        2 * size * torch.randn(width, inside),
        size * torch.randn(width, width),
    )


def _window(length: int) -> Tensor:
    """Each position sees itself and the two before it: (T, T)."""
    return torch.ones(length, length, dtype=torch.bool).tril().triu(-2)


@self_attention.case
def one_vector_a_position(answer):
    expect_tensor(answer(torch.randn(5, 6), *_projections(6, 4)), (5, 6))


@self_attention.case
def a_position_alone_keeps_its_value(answer):
    x, (Wq, Wk, Wv) = torch.randn(1, 6), _projections(6, 6)
    expect_close(answer(x, Wq, Wk, Wv), x @ Wv, "the result for a single position")


@self_attention.case
def equal_values_stay_as_they_are(answer):
    x = torch.randn(5, 6)
    x[:, -1] = 1.0
    Wq, Wk, Wv = _projections(6, 4)
    Wv[:-1] = 0.0  # the values are the last row of Wv at every position
    result = answer(x, Wq, Wk, Wv)
    what = "the result where all values are equal (a mean of equals changes nothing)"
    expect_close(result, Wv[-1].expand(5, 6), what)


@self_attention.case
def means_of_values(answer):
    x, weights = torch.randn(5, 6), _projections(6, 16)
    expect_close(answer(x, *weights), self_attention.answer(x, *weights))


@self_attention.case
def masked(answer):
    x, weights, mask = torch.randn(5, 6), _projections(6, 4), _window(5)
    found = answer(x, *weights, mask)
    expect_close(found, self_attention.answer(x, *weights, mask), "the result with a mask")


@self_attention.mistake(
    "one_vector_a_position",
    says="Your result is as wide as a key. Keys say *how much* to take, values *what* to take.",
)
def keys_for_values(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])).softmax(dim=-1) @ keys


@self_attention.mistake(
    "a_position_alone_keeps_its_value",
    says="You average the rows of x. What is averaged are the values, and they have weights of "
    "their own.",
)
def inputs_for_values(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])).softmax(dim=-1) @ x


@self_attention.mistake(
    "equal_values_stay_as_they_are",
    says="Your softmax runs over the *queries*. The positions that one query looks at must share "
    "a weight of 1.",
)
def over_the_queries(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])).softmax(dim=0) @ (x @ Wv)


@self_attention.mistake(
    "means_of_values",
    says="The scores are not scaled. With wide keys they are large, and the softmax picks almost "
    "one position.",
)
def no_scale(x, Wq, Wk, Wv, mask=None):
    return ((x @ Wq) @ (x @ Wk).T).softmax(dim=-1) @ (x @ Wv)


@self_attention.mistake(
    "means_of_values",
    says="You scale by the width of x. The product is taken between queries and keys, and those "
    "may be narrower or wider than x.",
)
def scaled_by_model_width(x, Wq, Wk, Wv, mask=None):
    return ((x @ Wq) @ (x @ Wk).T / math.sqrt(x.shape[1])).softmax(dim=-1) @ (x @ Wv)


@self_attention.mistake(
    "means_of_values",
    says="You divide by the width itself. The *variance* of a score grows with the width, its "
    "size with the square root.",
)
def without_the_root(x, Wq, Wk, Wv, mask=None):
    return ((x @ Wq) @ (x @ Wk).T / Wk.shape[1]).softmax(dim=-1) @ (x @ Wv)


@self_attention.mistake(
    "means_of_values",
    says="Queries and keys changed places: row t must hold the scores of *query* t.",
)
def keys_ask(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wk, Wq, Wv, mask)


@self_attention.mistake("masked", says="Your mask is inverted: True means *may attend*.")
def mask_inverted(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wq, Wk, Wv, None if mask is None else ~mask)


@self_attention.mistake(
    "masked",
    says="You mask after the softmax. What is left of a row then sums to less than 1.",
)
def mask_after_softmax(x, Wq, Wk, Wv, mask=None):
    weights = ((x @ Wq) @ (x @ Wk).T / math.sqrt(Wk.shape[1])).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ (x @ Wv)


@self_attention.alternative
def by_torch(x, Wq, Wk, Wv, mask=None):
    return nn.functional.scaled_dot_product_attention(x @ Wq, x @ Wk, x @ Wv, attn_mask=mask)


@self_attention.alternative
def query_by_query(x, Wq, Wk, Wv, mask=None):
    rows = []
    for t in range(len(x)):
        seen = x if mask is None else x[mask[t]]
        shares = torch.stack([(x[t] @ Wq) @ (other @ Wk) for other in seen]) / Wk.shape[1] ** 0.5
        shares = (shares - shares.max()).exp()
        rows.append((shares / shares.sum()) @ (seen @ Wv))
    return torch.stack(rows)


# --- 5.2 feed_forward -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Where in the formula would position 3 learn anything about position 2?",
        "`x @ W1` multiplies every row by the same matrix, however many axes stand before the "
        "last one. There is nothing to loop over.",
        "The ReLU, `torch.relu`, acts once: between the two linear maps.",
    )
)
def feed_forward(x: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> Tensor:
    """The same two-layer network at each position: (..., T, D) -> (..., T, D).

    W1: (D, F); b1: (F,); W2: (F, D); b2: (D,). F is the width inside; ReLU between the layers.
    """
    hidden = torch.relu(x @ W1 + b1)  # (..., T, F)
    return hidden @ W2 + b2


def _network() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.randn(4, 7), torch.randn(7), torch.randn(7, 4), torch.randn(4)


@feed_forward.case
def one_vector_in_one_vector_out(answer):
    network = _network()
    expect_tensor(answer(torch.randn(5, 4), *network), (5, 4))
    batch = answer(torch.randn(2, 5, 4), *network)
    expect_tensor(batch, (2, 5, 4), what="the result for a batch of two sentences")


@feed_forward.case
def positions_stay_apart(answer):
    x, network = torch.randn(5, 4), _network()
    changed = x.clone()
    changed[2] += 1.0
    before, after = answer(x, *network), answer(changed, *network)
    others = [0, 1, 3, 4]
    moved = (after - before)[others].abs().max().item()
    expect(
        moved < 1e-5,
        f"Position 2 of the input was changed, and the results of other positions moved by up to "
        f"{moved:.2g}. Mixing positions is the task of attention; this network sees one at a time.",
        after,
    )


@feed_forward.case
def may_be_negative(answer):
    result = answer(torch.randn(50, 4), *_network())
    expect(
        bool((result < 0).any()),
        "None of 200 numbers of your result is negative. The second layer ends without a ReLU.",
        result,
    )


@feed_forward.case
def bends(answer):
    a, b, network = torch.randn(20, 4), torch.randn(20, 4), _network()
    halfway = answer((a + b) / 2, *network)
    bend = (halfway - (answer(a, *network) + answer(b, *network)) / 2).abs().max().item()
    expect(
        bend > 1e-3,
        "Your network is linear: halfway between two inputs it gives the mean of their results.",
        halfway,
    )


@feed_forward.case
def biases(answer):
    W1, b1, W2, b2 = _network()
    expected = torch.relu(b1) @ W2 + b2
    result = answer(torch.zeros(1, 4), W1, b1, W2, b2)
    expect_close(result[0], expected, "the result for an input of zeros, which shows the biases,")


@feed_forward.case
def both_layers(answer):
    x, network = torch.randn(2, 5, 4), _network()
    expect_close(answer(x, *network), feed_forward.answer(x, *network))


@feed_forward.mistake(
    "one_vector_in_one_vector_out",
    says="You return the inside of the network: the second layer is missing.",
)
def first_layer_only(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1)


@feed_forward.mistake("positions_stay_apart")
def from_the_mean_of_the_sentence(x, W1, b1, W2, b2):
    return feed_forward.answer(x.mean(dim=-2, keepdim=True).expand_as(x), W1, b1, W2, b2)


@feed_forward.mistake("may_be_negative")
def relu_after_both(x, W1, b1, W2, b2):
    return torch.relu(feed_forward.answer(x, W1, b1, W2, b2))


@feed_forward.mistake("may_be_negative", says="The ReLU stands after the wrong layer.")
def relu_at_the_end(x, W1, b1, W2, b2):
    return torch.relu((x @ W1 + b1) @ W2 + b2)


@feed_forward.mistake("biases", says="The bias of the first layer is missing.")
def without_first_bias(x, W1, b1, W2, b2):
    return torch.relu(x @ W1) @ W2 + b2


@feed_forward.mistake(
    "biases",
    says="The first bias comes after the ReLU. Before it, it moves the point at which a unit "
    "switches on.",
)
def bias_after_relu(x, W1, b1, W2, b2):
    return (torch.relu(x @ W1) + b1) @ W2 + b2


@feed_forward.mistake(
    "bends", says="Without the ReLU between them, two linear layers are one linear layer."
)
def without_relu(x, W1, b1, W2, b2):
    return (x @ W1 + b1) @ W2 + b2


@feed_forward.mistake(
    "both_layers",
    says="The ReLU acts on x. That throws away every negative number of the input before the "
    "network has read it.",
)
def relu_on_the_input(x, W1, b1, W2, b2):
    return torch.relu(torch.relu(x) @ W1 + b1) @ W2 + b2


@feed_forward.alternative
def position_by_position(x, W1, b1, W2, b2):
    rows = [(row @ W1 + b1).clamp_min(0) @ W2 + b2 for row in x.reshape(-1, x.shape[-1])]
    return torch.stack(rows).reshape(x.shape)
