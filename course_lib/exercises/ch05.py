"""Exercises of chapter 05: self-attention, positions, and what a layer costs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_tensor,
    expect_type,
    expect_unchanged,
)

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


@self_attention.mistake("one_vector_a_position", says="You return the weights, not the means.")
def weights_only(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])).softmax(dim=-1)


@self_attention.mistake(
    "a_position_alone_keeps_its_value",
    says="You average the rows of x. What is averaged are the values, and they have weights of "
    "their own.",
)
def inputs_for_values(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])).softmax(dim=-1) @ x


@self_attention.mistake(
    "a_position_alone_keeps_its_value",
    says="You add x to the result. The residual connection comes in chapter 6, outside attention.",
)
def with_residual(x, Wq, Wk, Wv, mask=None):
    return x + self_attention.answer(x, Wq, Wk, Wv, mask)


@self_attention.mistake(
    "a_position_alone_keeps_its_value",
    says="You use the scores as weights. They need a softmax: a single position must get weight 1.",
)
def without_softmax(x, Wq, Wk, Wv, mask=None):
    queries, keys = x @ Wq, x @ Wk
    return (queries @ keys.T / math.sqrt(keys.shape[-1])) @ (x @ Wv)


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
    says="You scale by the number of positions. A score is a sum over the *width* of a key, so "
    "that width sets its size.",
)
def scaled_by_length(x, Wq, Wk, Wv, mask=None):
    return ((x @ Wq) @ (x @ Wk).T / math.sqrt(x.shape[0])).softmax(dim=-1) @ (x @ Wv)


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


@self_attention.mistake(
    "means_of_values",
    says="You project queries and keys with one matrix. Then what a position looks for is always "
    "what it offers.",
)
def one_matrix_for_both(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wq, Wq, Wv, mask)


@self_attention.mistake("masked", says="Your mask has no effect.")
def mask_ignored(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wq, Wk, Wv)


@self_attention.mistake("masked", says="Your mask is inverted: True means *may attend*.")
def mask_inverted(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wq, Wk, Wv, None if mask is None else ~mask)


@self_attention.mistake(
    "masked", says="A score of 0 is not a weight of 0: the softmax gives it a share."
)
def masked_scores_are_zero(x, Wq, Wk, Wv, mask=None):
    scores = (x @ Wq) @ (x @ Wk).T / math.sqrt(Wk.shape[1])
    if mask is not None:
        scores = scores * mask
    return scores.softmax(dim=-1) @ (x @ Wv)


@self_attention.mistake(
    "masked",
    says="You mask after the softmax. What is left of a row then sums to less than 1.",
)
def mask_after_softmax(x, Wq, Wk, Wv, mask=None):
    weights = ((x @ Wq) @ (x @ Wk).T / math.sqrt(Wk.shape[1])).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ (x @ Wv)


@self_attention.mistake("masked", says="Rows and columns of your mask changed places.")
def mask_transposed(x, Wq, Wk, Wv, mask=None):
    return self_attention.answer(x, Wq, Wk, Wv, None if mask is None else mask.T)


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
    says="You add the positions up. Each one keeps a vector of its own.",
)
def summed_over_positions(x, W1, b1, W2, b2):
    return feed_forward.answer(x, W1, b1, W2, b2).sum(dim=-2)


@feed_forward.mistake(
    "one_vector_in_one_vector_out",
    says="You return the inside of the network: the second layer is missing.",
)
def first_layer_only(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1)


@feed_forward.mistake("positions_stay_apart")
def from_the_mean_of_the_sentence(x, W1, b1, W2, b2):
    return feed_forward.answer(x.mean(dim=-2, keepdim=True).expand_as(x), W1, b1, W2, b2)


@feed_forward.mistake(
    "positions_stay_apart", says="A softmax over the positions lets each one see all others."
)
def softmax_over_positions(x, W1, b1, W2, b2):
    return (x @ W1 + b1).softmax(dim=-2) @ W2 + b2


@feed_forward.mistake("may_be_negative")
def relu_after_both(x, W1, b1, W2, b2):
    return torch.relu(feed_forward.answer(x, W1, b1, W2, b2))


@feed_forward.mistake("may_be_negative", says="The ReLU stands after the wrong layer.")
def relu_at_the_end(x, W1, b1, W2, b2):
    return torch.relu((x @ W1 + b1) @ W2 + b2)


@feed_forward.mistake("biases", says="The bias of the first layer is missing.")
def without_first_bias(x, W1, b1, W2, b2):
    return torch.relu(x @ W1) @ W2 + b2


@feed_forward.mistake("biases", says="The bias of the second layer is missing.")
def without_second_bias(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1) @ W2


@feed_forward.mistake("biases", says="Both biases are missing.")
def without_biases(x, W1, b1, W2, b2):
    return torch.relu(x @ W1) @ W2


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
    "biases",
    says="That bends like a GELU: small negative numbers come through. Later models use it. The "
    "ReLU of the paper cuts them off.",
)
def gelu_for_relu(x, W1, b1, W2, b2):
    return nn.functional.gelu(x @ W1 + b1) @ W2 + b2


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


@feed_forward.alternative
def with_linear(x, W1, b1, W2, b2):
    linear = nn.functional.linear
    return linear(nn.functional.relu(linear(x, W1.T, b1)), W2.T, b2)


# --- 5.3 sinusoidal_positions ---------------------------------------------------------------------


@exercise(
    hints=(
        "Each pair of columns is a hand of a clock: it turns by the same angle from one position "
        "to the next, and each pair turns more slowly than the pair before it.",
        "First the angles, (T, D/2): the column of positions times the row of frequencies, by "
        "broadcasting. The exponents 2i/D are 0, 2/D, 4/D, … and stay below 1.",
        "`table[:, 0::2]` are the columns 0, 2, 4, …, and `table[:, 1::2]` those after them.",
    )
)
def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The table of Vaswani et al. (2017), section 3.5: (T, D), float32; D is even.

    Row t is position t, from 0. Column 2i is sin(t / 10000^(2i/D)), column 2i + 1 is the
    cosine of the same angle, for i = 0, ..., D/2 - 1.
    """
    position = torch.arange(length).float()[:, None]  # (T, 1)
    exponent = torch.arange(0, width, 2).float() / width  # (D/2,)
    angle = position / 10000**exponent  # (T, D/2)
    table = torch.empty(length, width)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table


def _interleaved(angle: Tensor) -> Tensor:
    """(T, D/2) angles -> (T, D), sine and cosine in turn."""
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def _angles(length: int, exponent: Tensor, base: float = 10000.0) -> Tensor:
    return torch.arange(length).float()[:, None] / base**exponent


@sinusoidal_positions.case
def one_row_a_position(answer):
    expect_tensor(answer(7, 16), (7, 16))
    expect_tensor(answer(3, 2), (3, 2), what="the table of width 2")


@sinusoidal_positions.case
def position_0(answer):
    row = answer(3, 8)[0]
    expect_close(row, torch.tensor([0.0, 1.0] * 4), "row 0, where every angle is 0,")


@sinusoidal_positions.case
def one_angle_a_pair(answer):
    table = answer(40, 16)
    squares = table.square()
    length = squares[:, 0::2] + squares[:, 1::2]  # sin² + cos² of the same angle
    error = (length - 1).abs().max().item()
    expect(
        error < 1e-4,
        f"sin² + cos² of a pair of columns is not 1 (largest error {error:.2g}): columns 2i and "
        "2i + 1 do not belong to the same angle.",
        table,
    )


@sinusoidal_positions.case
def the_first_pair_turns_by_one(answer):
    table = answer(3, 8)
    expect_close(table[1, 0], torch.tensor(math.sin(1.0)), "column 0 at position 1")


@sinusoidal_positions.case
def all_frequencies(answer):
    for length, width in ((60, 16), (20, 6), (5, 2)):
        expected = sinusoidal_positions.answer(length, width)
        # A frequency computed as exp(-log(10000)·…) differs in its last digit: atol allows it.
        expect_close(answer(length, width), expected, f"the table of width {width}", atol=1e-4)


@sinusoidal_positions.mistake(
    "one_row_a_position", says="You return sines only, or half of the columns: D of them are asked."
)
def half_the_columns(length, width):
    return _angles(length, torch.arange(0, width, 2) / width).sin()


@sinusoidal_positions.mistake("one_row_a_position")
def columns_are_positions(length, width):
    return sinusoidal_positions.answer(length, width).T


@sinusoidal_positions.mistake(
    "position_0",
    says="You put all sines first and all cosines after them. That layout is in use too, and "
    "holds the same numbers in another order. Asked here is the order of the paper: sine and "
    "cosine in turn.",
)
def sines_then_cosines(length, width):
    angle = _angles(length, torch.arange(0, width, 2) / width)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


@sinusoidal_positions.mistake(
    "position_0",
    says="You put all cosines first and all sines after them. Asked is sine and cosine in turn.",
)
def cosines_then_sines(length, width):
    angle = _angles(length, torch.arange(0, width, 2) / width)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


@sinusoidal_positions.mistake(
    "position_0", says="Sine and cosine changed places: the even columns are sines."
)
def cosine_first(length, width):
    angle = _angles(length, torch.arange(0, width, 2) / width)
    return torch.stack([angle.cos(), angle.sin()], dim=-1).flatten(-2)


@sinusoidal_positions.mistake(
    "position_0", says="All columns are sines. The odd ones should be cosines."
)
def sines_everywhere(length, width):
    angle = _angles(length, torch.arange(0, width, 2) / width)
    return angle.sin().repeat_interleave(2, dim=-1)


@sinusoidal_positions.mistake("position_0", says="Your positions start at 1; the first one is 0.")
def from_one(length, width):
    return sinusoidal_positions.answer(length + 1, width)[1:]


@sinusoidal_positions.mistake(
    "one_angle_a_pair",
    says="Each of your columns has a frequency of its own: you use the number of the column where "
    "the formula has 2i, so that the odd columns run on to 2i + 1.",
)
def every_column_its_own_frequency(length, width):
    angle = _angles(length, torch.arange(width) / width)
    table = angle.sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table


@sinusoidal_positions.mistake(
    "one_angle_a_pair",
    says="Each of your columns has a frequency of its own: you use twice the number of the "
    "*column* as exponent. In the formula i counts *pairs*.",
)
def twice_the_column(length, width):
    angle = _angles(length, 2 * torch.arange(width) / width)
    table = angle.sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table


@sinusoidal_positions.mistake(
    "the_first_pair_turns_by_one", says="That looks like degrees. `sin` reads radians."
)
def in_degrees(length, width):
    return _interleaved(_angles(length, torch.arange(0, width, 2) / width).deg2rad())


@sinusoidal_positions.mistake(
    "the_first_pair_turns_by_one",
    says="Your pairs count from 1, so that the fastest one is missing: the first exponent is 0.",
)
def pairs_from_one(length, width):
    return _interleaved(_angles(length, torch.arange(2, width + 2, 2) / width))


@sinusoidal_positions.mistake(
    "the_first_pair_turns_by_one",
    says="Your first pair makes one full turn for each position. There is no 2π in the formula.",
)
def full_turns(length, width):
    return _interleaved(2 * math.pi * _angles(length, torch.arange(0, width, 2) / width))


@sinusoidal_positions.mistake(
    "all_frequencies",
    says="Your exponent is i/D where i counts the pairs. It should be twice that: then the "
    "slowest pair comes near a frequency of 1/10000, and not of 1/100.",
)
def half_the_exponent(length, width):
    return _interleaved(_angles(length, torch.arange(width // 2) / width))


@sinusoidal_positions.mistake(
    "all_frequencies",
    says="Your pairs turn faster and faster. The angle is *divided* by the power.",
)
def multiplied(length, width):
    return _interleaved(_angles(length, -torch.arange(0, width, 2) / width))


@sinusoidal_positions.mistake("all_frequencies", says="Your base is 1000. The paper has 10000.")
def base_1000(length, width):
    return _interleaved(_angles(length, torch.arange(0, width, 2) / width, base=1000.0))


@sinusoidal_positions.mistake(
    "all_frequencies",
    says="Your slowest pair has exactly the frequency 1/10000: you divide by D/2 − 1 steps, as "
    "the library tensor2tensor does. The formula of the paper stops one step before it.",
)
def to_the_very_end(length, width):
    return _interleaved(_angles(length, torch.arange(width // 2) / max(width // 2 - 1, 1)))


@sinusoidal_positions.mistake(
    "all_frequencies",
    says="Your frequencies fall along a straight line. They should fall by the same *factor* from "
    "pair to pair.",
)
def linear_frequencies(length, width):
    frequency = torch.linspace(1.0, 1e-4, width // 2)
    return _interleaved(torch.arange(length).float()[:, None] * frequency)


@sinusoidal_positions.alternative
def number_by_number(length, width):
    rows = []
    for t in range(length):
        row = []
        for i in range(width // 2):
            angle = t / 10000 ** (2 * i / width)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


@sinusoidal_positions.alternative
def by_exp_and_log(length, width):
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angle = torch.outer(torch.arange(length).float(), frequency)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(length, width)


@sinusoidal_positions.alternative
def with_numpy(length, width):
    column = np.arange(width)
    angle = np.arange(length)[:, None] / 10000 ** (column // 2 * 2 / width)
    return torch.tensor(np.where(column % 2, np.cos(angle), np.sin(angle))).float()


# --- 5.4 is_permutation_equivariant ---------------------------------------------------------------


@exercise(
    hints=(
        "There are two ways from x to a reordered result. On one you reorder before the layer, "
        "on the other after it.",
        "The axes are (B, T, D). Which of them do you reorder? `x[order]` takes the first one.",
        "Sums in another order differ in the last digits, so `==` finds a difference where there "
        "is none. `torch.allclose(…, atol=1e-5)` gives one truth value.",
    )
)
def is_permutation_equivariant(layer: Callable[[Tensor], Tensor], x: Tensor, order: Tensor) -> bool:
    """Whether reordering the positions before the layer does the same as after it: a bool.

    layer: a function (B, T, D) -> (B, T, D); x: (B, T, D); order: (T,), a permutation of
    0, ..., T - 1. Differences up to 1e-5 are rounding.
    """
    before = layer(x[:, order])  # (B, T, D)
    after = layer(x)[:, order]  # (B, T, D)
    return torch.allclose(before, after, atol=1e-5)


def _mix(x: Tensor) -> Tensor:
    """Self-attention without weights of its own: (B, T, D) -> (B, T, D)."""
    return (x @ x.transpose(1, 2) / math.sqrt(x.shape[-1])).softmax(dim=-1) @ x


def _verdict(value: object) -> object:
    """A truth value in a tensor or from NumPy is one as well; anything else stays what it is."""
    single = isinstance(value, Tensor) and value.dtype == torch.bool and value.dim() == 0
    return bool(value) if single or isinstance(value, np.bool_) else value


def _verdicts(answer: Callable) -> list:
    """What the answer says about each layer of EQUIVARIANT and then of POSITIONAL."""
    # Numbers near 1, so that rounding is small beside them. No axis is shorter than the one of
    # the positions, so that an order of the wrong axis is not an error but a wrong answer.
    x = 1 + torch.rand(12, 9, 9)
    order = torch.tensor([2, 0, 3, 1, 5, 6, 4, 8, 7])
    swap = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7, 8])
    positions = torch.randn(9, 9)
    weight = torch.randn(9, 9)
    sentence = 1.0 + torch.arange(12)[:, None, None]
    first = torch.ones(9, 1)
    first[0] = 2.0
    layers = [
        (_mix, order),
        (_mix, swap),
        (lambda x: torch.relu(x @ weight), order),
        (lambda x: x.amax(dim=1, keepdim=True).expand_as(x), order),
        (lambda x: sentence[: len(x)] * x, order),
        (lambda x: _mix(x + positions), order),
        (lambda x: x + positions, order),
        (lambda x: x.amax(dim=1, keepdim=True) + positions, order),
        (lambda x: x.cumsum(dim=1), order),
        (lambda x: first * x, order),
        (lambda x: x + 1e-3 * positions, order),
    ]
    return [_verdict(answer(layer, x.clone(), which.clone())) for layer, which in layers]


EQUIVARIANT = (
    "self-attention without positions",
    "self-attention without positions, two neighbors exchanged",
    "a position-wise network",
    "a layer that gives every position the maximum over the sentence",
    "a layer that multiplies each sentence of the batch by a number of its own",
)
POSITIONAL = (
    "self-attention on x plus positions",
    "a layer that adds positions",
    "a layer that returns the maximum over the sentence plus positions",
    "a running sum over the positions",
    "a layer that doubles position 0",
    "a layer that adds small positions (about 0.001)",
)


@is_permutation_equivariant.case
def a_truth_value(answer):
    order = torch.tensor([1, 2, 0])
    expect_type(_verdict(answer(lambda x: 2 * x, torch.rand(4, 3, 3), order)), bool)


@is_permutation_equivariant.case
def yes_for_layers_without_positions(answer):
    verdicts = _verdicts(answer)
    for name, verdict in zip(EQUIVARIANT, verdicts, strict=False):
        expect(verdict, f"You say no to {name}. It is equivariant.", verdicts)


@is_permutation_equivariant.case
def no_for_layers_with_positions(answer):
    verdicts = _verdicts(answer)
    for name, verdict in zip(POSITIONAL, verdicts[len(EQUIVARIANT) :], strict=True):
        expect(not verdict, f"You say yes to {name}. It is not equivariant.", verdicts)


@is_permutation_equivariant.mistake(
    "a_truth_value",
    says="You return one truth value for each number. Equivariance is a statement about all of "
    "them.",
)
def one_for_each_number(layer, x, order):
    return (layer(x[:, order]) - layer(x)[:, order]).abs() < 1e-5


@is_permutation_equivariant.mistake(
    "a_truth_value", says="You return the size of the difference, not the verdict."
)
def size_of_the_difference(layer, x, order):
    return (layer(x[:, order]) - layer(x)[:, order]).abs().max().item()


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You ask for exact equality. The same sum, added in another order, differs in its last "
    "digits.",
)
def without_tolerance(layer, x, order):
    return torch.equal(layer(x[:, order]), layer(x)[:, order])


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You reorder the input only. That asks whether the layer is *invariant*: whether the "
    "order leaves the result as it was.",
)
def input_only(layer, x, order):
    return torch.allclose(layer(x[:, order]), layer(x), atol=1e-5)


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You reorder the output only, and compare it with itself. The layer never sees a "
    "reordered input.",
)
def output_only(layer, x, order):
    return torch.allclose(layer(x)[:, order], layer(x), atol=1e-5)


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You reorder the input by the order and the output by its inverse. Both sides take the "
    "same step.",
)
def inverse_on_the_output(layer, x, order):
    return torch.allclose(layer(x[:, order]), layer(x)[:, order.argsort()], atol=1e-5)


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You reorder the first axis, the *sentences* of the batch, and not the positions.",
)
def reorders_the_batch(layer, x, order):
    return torch.allclose(layer(x[order]), layer(x)[order], atol=1e-5)


@is_permutation_equivariant.mistake(
    "yes_for_layers_without_positions",
    says="You reorder the last axis, the numbers *inside* each vector, and not the positions.",
)
def reorders_the_width(layer, x, order):
    return torch.allclose(layer(x[..., order]), layer(x)[..., order], atol=1e-5)


@is_permutation_equivariant.mistake(
    "no_for_layers_with_positions",
    says="You compare sums or means over the positions. They stay equal when vectors stand in the "
    "wrong places.",
)
def compares_the_means(layer, x, order):
    return torch.allclose(layer(x[:, order]).mean(1), layer(x)[:, order].mean(1), atol=1e-5)


@is_permutation_equivariant.mistake(
    "no_for_layers_with_positions",
    says="One number that agrees is not enough: all of them must.",
)
def any_number_agrees(layer, x, order):
    return bool(((layer(x[:, order]) - layer(x)[:, order]).abs() < 1e-5).any())


@is_permutation_equivariant.mistake(
    "no_for_layers_with_positions",
    says="Your tolerance is so wide that small positions pass for rounding.",
)
def wide_tolerance(layer, x, order):
    return torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=0.05)


@is_permutation_equivariant.mistake("no_for_layers_with_positions")
def always_yes(layer, x, order):
    return True


@is_permutation_equivariant.alternative
def undoes_the_order(layer, x, order):
    """Reorders, applies the layer, and puts the positions back."""
    back = layer(x.index_select(1, order)).index_select(1, order.argsort())
    return (back - layer(x)).abs().max().item() <= 1e-5


@is_permutation_equivariant.alternative
def as_a_tensor(layer, x, order):
    difference = layer(x[:, order]) - layer(x)[:, order]
    return torch.all(difference.abs() <= 1e-5)


@is_permutation_equivariant.alternative
def position_after_position(layer, x, order):
    moved, still = layer(x[:, order]), layer(x)
    return all(
        bool(torch.isclose(moved[:, new], still[:, old], atol=1e-5).all())
        for new, old in enumerate(order.tolist())
    )


# --- 5.5 fit_exponent -----------------------------------------------------------------------------


@exercise(
    hints=(
        "Take logarithms of both sides of times = c · sizesᵃ. What is the slope of that line?",
        "The least-squares slope of y over x is Σ (x − x̄)(y − ȳ) / Σ (x − x̄)². Here x and y are "
        "logarithms.",
        "c, the height of the line, is another number than the slope and must stay free: it "
        "depends on the unit of time.",
    )
)
def fit_exponent(sizes: Tensor, times: Tensor) -> float:
    """The exponent a of times = c * sizes**a, least squares in logarithms: (N,), (N,) -> float."""
    x, y = sizes.log(), times.log()  # (N,)
    x, y = x - x.mean(), y - y.mean()
    return ((x * y).sum() / x.square().sum()).item()


def _line_slope(x: Tensor, y: Tensor) -> float:
    x, y = x - x.mean(), y - y.mean()
    return ((x * y).sum() / x.square().sum()).item()


def _sizes() -> Tensor:
    return torch.tensor([32.0, 64.0, 128.0, 512.0, 1024.0, 4096.0])


@fit_exponent.case
def one_number_for_all(answer):
    expect_number(answer(_sizes(), _sizes()), 1.0, "the exponent where time equals size")


@fit_exponent.case
def a_power_law(answer):
    expect_number(answer(_sizes(), 3e-6 * _sizes() ** 2), 2.0, "the exponent of 3e-6 · n²")


@fit_exponent.case
def any_unit_of_time(answer):
    expect_number(answer(_sizes(), 40 * _sizes().sqrt()), 0.5, "the exponent of 40 · √n")


@fit_exponent.case
def noisy_times(answer):
    noise = torch.tensor([1.6, 1.0, 0.9, 0.95, 1.2, 1.05])
    times = 2e-5 * _sizes() ** 1.5 * noise
    found = answer(_sizes(), times)
    expect_number(found, fit_exponent.answer(_sizes(), times), "the exponent of noisy times")


@fit_exponent.mistake("one_number_for_all", says="You return the whole line. Its slope is asked.")
def slope_and_height(sizes, times):
    x, y = sizes.log(), times.log()
    slope = fit_exponent.answer(sizes, times)
    return slope, (y.mean() - slope * x.mean()).item()


@fit_exponent.mistake("one_number_for_all")
def slopes_of_the_steps(sizes, times):
    return times.log().diff() / sizes.log().diff()


@fit_exponent.mistake(
    "one_number_for_all",
    says="You take the logarithm of the times only. That fits an *exponential* growth.",
)
def log_of_times_only(sizes, times):
    return _line_slope(sizes, times.log())


@fit_exponent.mistake("one_number_for_all", says="You take the logarithm of the sizes only.")
def log_of_sizes_only(sizes, times):
    return _line_slope(sizes.log(), times)


@fit_exponent.mistake(
    "a_power_law",
    says="That is the slope of time against size: seconds for each further position. The exponent "
    "is the slope between *logarithms*.",
)
def without_logs(sizes, times):
    return _line_slope(sizes, times)


@fit_exponent.mistake(
    "a_power_law",
    says="You divide the growth of the time by the growth of the size. An exponent compares their "
    "logarithms.",
)
def ratio_of_ratios(sizes, times):
    return ((times[-1] / times[0]) / (sizes[-1] / sizes[0])).item()


@fit_exponent.mistake(
    "a_power_law",
    says="Your line goes through the origin: log time = a · log size. That fixes c = 1.",
)
def through_the_origin(sizes, times):
    x, y = sizes.log(), times.log()
    return ((x * y).sum() / x.square().sum()).item()


@fit_exponent.mistake(
    "a_power_law",
    says="You divide log time by log size. That is the exponent only if c = 1, and c depends on "
    "the unit of time.",
)
def quotient_of_logs(sizes, times):
    return (times.log() / sizes.log()).mean().item()


@fit_exponent.mistake(
    "a_power_law",
    says="Size and time changed places: how does the *time* grow with the size?",
)
def the_other_way_round(sizes, times):
    return fit_exponent.answer(times, sizes)


@fit_exponent.mistake(
    "a_power_law",
    says="That is a correlation. It says how straight the line is, not how steep.",
)
def correlation(sizes, times):
    return torch.corrcoef(torch.stack([sizes.log(), times.log()]))[0, 1].item()


@fit_exponent.mistake(
    "any_unit_of_time",
    says="You round to a whole number. Measured exponents need not be whole.",
)
def rounded(sizes, times):
    return float(round(fit_exponent.answer(sizes, times)))


@fit_exponent.mistake(
    "noisy_times",
    says="You use the two ends only. All your other measurements count for nothing.",
)
def two_ends(sizes, times):
    return ((times[-1] / times[0]).log() / (sizes[-1] / sizes[0]).log()).item()


@fit_exponent.mistake(
    "noisy_times",
    says="You average the slopes of the steps. A short step then counts as much as a long one, "
    "and its noise more.",
)
def mean_of_the_steps(sizes, times):
    return (times.log().diff() / sizes.log().diff()).mean().item()


@fit_exponent.mistake("noisy_times", says="You leave the smallest size out of the fit.")
def without_the_smallest(sizes, times):
    return fit_exponent.answer(sizes[1:], times[1:])


@fit_exponent.alternative
def by_lstsq(sizes, times):
    """Slope and height together, with logarithms to base 2."""
    line = torch.stack([sizes.double().log2(), torch.ones(len(sizes)).double()], dim=1)  # (N, 2)
    return torch.linalg.lstsq(line, times.double().log2()[:, None]).solution[0, 0].item()


@fit_exponent.alternative
def by_polyfit(sizes, times):
    return float(np.polyfit(np.log10(sizes.numpy()), np.log10(times.numpy()), 1)[0])


# --- 5.6 embed (find the bug) ---------------------------------------------------------------------


@exercise(
    hints=(
        "Give the function an embedding full of zeros. What should come out? What does come out? "
        "And what with a table of positions full of zeros?",
        "There are two mistakes. One is how *often* the positions are added, the other what the "
        "multiplication by √D is applied to.",
        "Only the words are multiplied by √D. The positions are added afterwards, once; row t of "
        "their table belongs to column t of the ids.",
    )
)
def embed(ids: Tensor, embedding: nn.Embedding, positions: Tensor) -> Tensor:
    """Input of the first layer: (B, T) ids -> (B, T, D), words times sqrt(D) plus positions, once.

    embedding: an nn.Embedding of width D; positions: (N, D), one row a position, N >= T.
    """
    words = embedding(ids) * embedding.embedding_dim**0.5  # (B, T, D)
    return words + positions[: ids.shape[1]]


# One sentence. No id is its own position, and the word at position 1 comes back at position 3.
SENTENCE = torch.tensor([[4, 2, 7, 2, 6]])


def _tables() -> tuple[nn.Embedding, Tensor]:
    """Nine words and nine positions, of width 16."""
    return nn.Embedding(9, 16), torch.randn(9, 16)


@embed.case
def one_vector_a_word(answer):
    expect_tensor(answer(SENTENCE, *_tables()), (1, 5, 16))


@embed.case
def tables_stay_as_they_are(answer):
    embedding, positions = _tables()
    words_before, positions_before = embedding.weight.detach().clone(), positions.clone()
    answer(SENTENCE, embedding, positions)
    expect_unchanged(positions, positions_before, "the table of positions")
    expect_unchanged(embedding.weight, words_before, "the table of word vectors")


@embed.case
def positions_once(answer):
    embedding, positions = _tables()
    nn.init.zeros_(embedding.weight)
    result = answer(SENTENCE, embedding, positions)
    ratio = result.norm().item() / positions[:5].norm().item()
    expect_tensor(result, (1, 5, 16))
    expect(
        torch.allclose(result[0], positions[:5], atol=1e-5),
        "With word vectors of zero, the rows of the table of positions should come out, each as "
        f"it is. Yours have {ratio:.2f} times their size.",
        result,
    )


@embed.case
def words_times_root_of_width(answer):
    embedding, positions = _tables()
    nn.init.ones_(embedding.weight)
    result = answer(SENTENCE, embedding, torch.zeros_like(positions))
    expect_close(result, torch.full((1, 5, 16), 4.0), "a sentence with positions of zero")


@embed.case
def whole_batches(answer):
    embedding, positions = _tables()
    ids = torch.tensor([[4, 2, 7, 2], [3, 3, 8, 1], [1, 5, 0, 0]])
    expected = embed.answer(ids, embedding, positions)
    expect_close(answer(ids, embedding, positions), expected, "a batch of three sentences")


@embed.mistake(
    "one_vector_a_word",
    says="You put the positions beside the words instead of adding them.",
)
def side_by_side(ids, embedding, positions):
    words = embedding(ids) * embedding.embedding_dim**0.5
    return torch.cat([words, positions[: ids.shape[1]].expand_as(words)], dim=-1)


@embed.mistake("one_vector_a_word", says="Your result is as long as the table, not the sentence.")
def whole_table(ids, embedding, positions):
    words = torch.zeros(len(ids), *positions.shape)
    words[:, : ids.shape[1]] = embedding(ids) * embedding.embedding_dim**0.5
    return words + positions


@embed.mistake(
    "tables_stay_as_they_are",
    says="You add the positions into the table of word vectors. With every call they pile up.",
)
def written_into_the_words(ids, embedding, positions):
    with torch.no_grad():
        for t, word in enumerate(ids[0].tolist()):
            embedding.weight[word] += positions[t]
    return embedding(ids) * embedding.embedding_dim**0.5


@embed.mistake(
    "tables_stay_as_they_are",
    says="You multiply the table of word vectors itself. With every call it grows by √D.",
)
def scaled_in_place(ids, embedding, positions):
    embedding.weight.data *= embedding.embedding_dim**0.5
    return embedding(ids) + positions[: ids.shape[1]]


@embed.mistake("tables_stay_as_they_are")
def words_added_into_the_positions(ids, embedding, positions):
    here = positions[: ids.shape[1]]
    here += (embedding(ids) * embedding.embedding_dim**0.5).detach()[0]
    return here[None].clone()


@embed.mistake(
    "positions_once",
    says="This is still the function as it was: the positions are in it twice, and once "
    "multiplied by √D.",
)
def as_it_was(ids, embedding, positions):
    x = embedding(ids) + positions[: ids.shape[1]]
    x = x * embedding.embedding_dim**0.5
    return x + positions[: ids.shape[1]]


@embed.mistake("positions_once", says="The positions are still added twice.")
def added_twice(ids, embedding, positions):
    return embed.answer(ids, embedding, positions) + positions[: ids.shape[1]]


@embed.mistake(
    "positions_once",
    says="The positions are added once, but before the multiplication, which makes them √D times "
    "as large. Only the words are multiplied.",
)
def added_before_scaling(ids, embedding, positions):
    return (embedding(ids) + positions[: ids.shape[1]]) * embedding.embedding_dim**0.5


@embed.mistake(
    "positions_once",
    says="Nothing is left of the positions. Either they are missing, or they are multiplied with "
    "the words; they are added.",
)
def times_positions(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 * positions[: ids.shape[1]]


@embed.mistake(
    "positions_once",
    says="Nothing is left of the positions. Either they are missing, or they are multiplied with "
    "the words; they are added.",
)
def no_positions(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 + 0 * positions[: ids.shape[1]]


@embed.mistake(
    "positions_once",
    says="You look the positions up by *word*. The row belongs to the place, whatever word "
    "stands there.",
)
def looked_up_by_word(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 + positions[ids]


@embed.mistake("positions_once", says="Your positions start at row 1. The first place is row 0.")
def from_row_one(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 + positions[1 : ids.shape[1] + 1]


@embed.mistake(
    "positions_once",
    says="You take as many rows as there are *sentences*. Here that is one, and every place gets "
    "row 0.",
)
def rows_for_sentences(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 + positions[: ids.shape[0]]


@embed.mistake(
    "positions_once",
    says="You take a single row, the one *at* the length, and not the rows *up to* it: a colon is "
    "missing.",
)
def row_at_the_length(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim**0.5 + positions[ids.shape[1]]


@embed.mistake("words_times_root_of_width", says="The words are in it twice.")
def words_twice(ids, embedding, positions):
    words = embedding(ids) * embedding.embedding_dim**0.5
    return words + (words + positions[: ids.shape[1]])


@embed.mistake("words_times_root_of_width", says="The words are not multiplied by √D.")
def words_not_scaled(ids, embedding, positions):
    return embedding(ids) + positions[: ids.shape[1]]


@embed.mistake("words_times_root_of_width", says="You multiply by D. It should be its root.")
def scaled_by_width(ids, embedding, positions):
    return embedding(ids) * embedding.embedding_dim + positions[: ids.shape[1]]


@embed.mistake(
    "words_times_root_of_width",
    says="You divide by √D, as scores do in attention. Here the words are made larger.",
)
def divided_by_the_root(ids, embedding, positions):
    return embedding(ids) / embedding.embedding_dim**0.5 + positions[: ids.shape[1]]


@embed.mistake(
    "words_times_root_of_width",
    says="You multiply by the root of the number of *words* in the sentence. D is the width of a "
    "vector.",
)
def root_of_the_length(ids, embedding, positions):
    return embedding(ids) * ids.shape[1] ** 0.5 + positions[: ids.shape[1]]


@embed.mistake(
    "whole_batches",
    says="You look at the first sentence only and give it to all.",
)
def first_sentence_for_all(ids, embedding, positions):
    return embed.answer(ids[:1], embedding, positions).expand(len(ids), -1, -1)


@embed.mistake(
    "whole_batches",
    says="Your positions run on from one sentence to the next. Each sentence starts at row 0.",
)
def positions_run_on(ids, embedding, positions):
    place = torch.arange(ids.numel()).view_as(ids) % len(positions)
    return embedding(ids) * embedding.embedding_dim**0.5 + positions[place]


@embed.alternative
def by_gather(ids, embedding, positions):
    place = torch.arange(ids.shape[1]).expand(ids.shape)  # (B, T)
    words = nn.functional.embedding(ids, embedding.weight)
    return math.sqrt(words.shape[-1]) * words + nn.functional.embedding(place, positions)


# --- 5.7 layers_to_connect ------------------------------------------------------------------------


@exercise(
    hints=(
        "Draw it for kernel 3: which positions does one output of the first layer read? And one "
        "of the second layer, through the first?",
        "With no layer the last position sees one position, itself. How many *more* does each "
        "layer add? Neighboring windows overlap, so it is not `kernel`.",
        "Dilated, layer l adds kernel − 1 steps of kernel^l positions: it sees 1, k, k², k³, … "
        "positions.",
        "A loop that adds until everything is seen needs no logarithm. `math.log(125, 5)` is a "
        "little more than 3.",
    )
)
def layers_to_connect(length: int, kernel: int, dilated: bool = False) -> int:
    """The smallest number of causal convolutions after which the last position sees the first.

    One output reads `kernel` positions: its own and those 1, ..., kernel - 1 steps before it;
    with dilated=True, in layer l = 0, 1, ..., steps of kernel**l positions. kernel >= 2.
    length 1 needs no layer: 0.
    """
    seen, layers = 1, 0
    while seen < length:
        step = kernel**layers if dilated else 1
        seen += (kernel - 1) * step
        layers += 1
    return layers


def _expect_layers(answer: Callable, sizes: list[tuple[int, int]], **how: bool) -> None:
    """The answer is right for each (length, kernel); the first that is not is named."""
    found = [answer(length, kernel, **how) for length, kernel in sizes]
    for (length, kernel), layers in zip(sizes, found, strict=True):
        expect_type(layers, int, f"the number of layers for {length} positions")
        right = layers_to_connect.answer(length, kernel, **how)
        if layers != right:
            error, few = abs(layers - right), "few" if layers < right else "many"
            problem = f"For {length} positions and a kernel of {kernel} you have {error} too {few}."
            expect(False, problem, found)


@layers_to_connect.case
def a_whole_number(answer):
    expect_type(answer(10, 3), int, "the number of layers")
    expect_type(answer(10, 3, dilated=True), int, "the number of dilated layers")


@layers_to_connect.case
def one_position_needs_no_layer(answer):
    found = [answer(1, 3), answer(1, 3, dilated=True), answer(3, 3)]
    expect_type(found[0], int, "the number of layers")
    expect(
        found[:2] == [0, 0],
        f"For a single position you have {found[0]} layers, and {found[1]} dilated ones.",
        found,
    )


@layers_to_connect.case
def stacked(answer):
    _expect_layers(answer, [(9, 3), (10, 3), (6, 2), (4, 5), (64, 3), (101, 5)])


@layers_to_connect.case
def stacked_and_dilated(answer):
    sizes = [(9, 3), (10, 3), (64, 2), (65, 2), (4, 5), (125, 5), (1000, 3)]
    _expect_layers(answer, sizes, dilated=True)


@layers_to_connect.mistake(
    "a_whole_number", says="There is no half layer: what is too few does not reach the first one."
)
def not_rounded(length, kernel, dilated=False):
    if dilated:
        return math.log(length, kernel)
    return (length - 1) / (kernel - 1)


@layers_to_connect.mistake(
    "one_position_needs_no_layer",
    says="You begin with one layer in any case. A single position sees itself without one.",
)
def at_least_one(length, kernel, dilated=False):
    return max(1, layers_to_connect.answer(length, kernel, dilated))


@layers_to_connect.mistake(
    "one_position_needs_no_layer",
    says="You count the input as a layer, so that all your numbers are one too large.",
)
def input_counted(length, kernel, dilated=False):
    return 1 + layers_to_connect.answer(length, kernel, dilated)


@layers_to_connect.mistake(
    "stacked",
    says="You round down. The last step may be shorter than a full one, and still needs a layer.",
)
def rounded_down(length, kernel, dilated=False):
    if not dilated:
        return (length - 1) // (kernel - 1)
    layers = 0
    while kernel ** (layers + 1) <= length:
        layers += 1
    return layers


@layers_to_connect.mistake(
    "stacked",
    says="Your layers add `kernel` positions each. Neighboring windows overlap in one position, "
    "so a layer adds one less.",
)
def adds_the_kernel(length, kernel, dilated=False):
    return -(-(length - 1) // kernel)


@layers_to_connect.mistake(
    "stacked",
    says="You divide the sentence into pieces of `kernel` positions. Windows overlap: after one "
    "layer, the last position sees `kernel` of them, and each further layer adds one less.",
)
def pieces_of_the_kernel(length, kernel, dilated=False):
    return 0 if length == 1 else -(-length // kernel)


@layers_to_connect.mistake(
    "stacked",
    says="You forget that the last position sees itself without a layer: one position less has "
    "to be reached.",
)
def itself_forgotten(length, kernel, dilated=False):
    return 0 if length == 1 else -(-length // (kernel - 1))


@layers_to_connect.mistake(
    "stacked",
    says="Your windows are centered: half of them looks at what comes after. Here all of the "
    "window lies at and before its own position.",
)
def centered(length, kernel, dilated=False):
    return math.ceil((length - 1) / ((kernel - 1) / 2))


@layers_to_connect.mistake(
    "stacked", says="You count dilated layers also where the layers are not dilated."
)
def always_dilated(length, kernel, dilated=False):
    return layers_to_connect.answer(length, kernel, dilated=True)


@layers_to_connect.mistake("stacked_and_dilated", says="`dilated=True` changes nothing.")
def never_dilated(length, kernel, dilated=False):
    return layers_to_connect.answer(length, kernel)


@layers_to_connect.mistake(
    "stacked_and_dilated",
    says="Your steps double from layer to layer, whatever the kernel. Networks built like that "
    "exist; their windows overlap for kernels above 2. Here the steps are 1, k, k², …",
)
def doubling(length, kernel, dilated=False):
    if not dilated:
        return layers_to_connect.answer(length, kernel)
    seen, layers = 1, 0
    while seen < length:
        seen += (kernel - 1) * 2**layers
        layers += 1
    return layers


@layers_to_connect.mistake(
    "stacked_and_dilated",
    says="Your steps grow by one from layer to layer: 1, 2, 3, …. They should grow by a factor.",
)
def steps_grow_by_one(length, kernel, dilated=False):
    if not dilated:
        return layers_to_connect.answer(length, kernel)
    seen, layers = 1, 0
    while seen < length:
        seen += (kernel - 1) * (layers + 1)
        layers += 1
    return layers


@layers_to_connect.mistake(
    "stacked_and_dilated",
    says="Your first layer is dilated already. Layer 0 takes steps of one position.",
)
def dilated_from_the_start(length, kernel, dilated=False):
    if not dilated:
        return layers_to_connect.answer(length, kernel)
    seen, layers = 1, 0
    while seen < length:
        layers += 1
        seen += (kernel - 1) * kernel**layers
    return layers


@layers_to_connect.mistake(
    "stacked_and_dilated",
    says="You round the logarithm down. If a layer is needed in part, it is needed.",
)
def logarithm_rounded_down(length, kernel, dilated=False):
    if not dilated:
        return layers_to_connect.answer(length, kernel)
    layers = 0
    while kernel ** (layers + 1) <= length:
        layers += 1
    return layers


@layers_to_connect.mistake(
    "stacked_and_dilated",
    says="The formula is right and the arithmetic is not: a logarithm of floating-point numbers "
    "may come out a hair above a whole number, and rounding up then adds a layer.",
)
def floating_point_logarithm(length, kernel, dilated=False):
    if not dilated:
        return layers_to_connect.answer(length, kernel)
    return math.ceil(math.log(length, kernel))


@layers_to_connect.alternative
def in_closed_form(length, kernel, dilated=False):
    if not dilated:
        return -(-(length - 1) // (kernel - 1))
    return next(layers for layers in range(length) if kernel**layers >= length)


@layers_to_connect.alternative
def by_walking_back(length, kernel, dilated=False):
    """Follow from the last position what it reads, layer by layer, until the first is among it."""
    reached, layers = {length - 1}, 0
    while 0 not in reached:
        step = kernel**layers if dilated else 1
        reached = {p - j * step for p in reached for j in range(kernel) if p >= j * step}
        layers += 1
    return layers
