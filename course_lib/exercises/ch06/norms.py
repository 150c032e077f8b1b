"""Exercises 6.3 and 6.4: LayerNorm by hand, and a sub-layer on a side track."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_tensor

# --- 6.3 layer_norm -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Each vector is treated alone: which axis do mean and variance run over, and how do you "
        "keep it for the subtraction?",
        "The variance is the mean of the squared distances: divide by D. `torch.var` divides by "
        "D − 1 unless told otherwise.",
        "ε stands under the root, beside the variance, so that a vector of equal numbers divides "
        "0 by something.",
    )
)
def layer_norm(x: Tensor, gain: Tensor, shift: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Each vector with mean 0 and variance 1, then scaled and shifted: (..., D) -> (..., D).

    gain, shift: (D,). The variance is the mean of squared distances (1/D); epsilon is added to it
    before the root.
    """
    centered = x - x.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centered.square().mean(dim=-1, keepdim=True)  # (..., 1)
    return gain * centered / (variance + epsilon).sqrt() + shift


def _plain(width: int) -> tuple[Tensor, Tensor]:
    return torch.ones(width), torch.zeros(width)


@layer_norm.case
def each_vector_alone(answer):
    x = torch.randn(2, 3, 4)
    x[0, 0] *= 100
    together, alone = answer(x, *_plain(4)), answer(x[1, 2], *_plain(4))
    expect_tensor(together, (2, 3, 4))
    expect_tensor(alone, (4,), what="the result for a single vector")
    moved = (alone - together[1, 2]).abs().max().item()
    expect(
        moved < 1e-5,
        f"A vector comes out differently (by up to {moved:.2g}) when other vectors stand beside "
        "it. LayerNorm treats each position of each sentence by itself.",
        together,
    )


@layer_norm.same_as_answer(
    says="With gain 1 and shift 0, each vector comes out with mean 0 and mean square 1."
)
def mean_and_variance():
    yield 3 * torch.randn(5, 4) + 7, *_plain(4)
    yield 0.5 * torch.randn(2, 3, 6) - 2, *_plain(6)


@layer_norm.same_as_answer(says="This is about ε, where a variance is as small as that.")
def small_variances():
    yield torch.full((2, 4), 5.0), *_plain(4)
    yield 2e-3 * torch.randn(4, 8), *_plain(8)
    yield torch.randn(3, 5), *_plain(5), 0.5


@layer_norm.same_as_answer(says="Gain and shift: each number of a vector has its own.", grad=True)
def gain_and_shift():
    yield torch.randn(2, 3, 6), torch.randn(6), torch.randn(6)
    yield torch.randn(4), torch.randn(4), torch.randn(4), 0.1


layer_norm.mistake(
    "mean_and_variance",
    "Your variance divides by D − 1, which is right for estimating the variance of a population "
    "from a sample. Here the D numbers are all there are.",
    "centered.square().mean(dim=-1, keepdim=True) -> x.var(dim=-1, keepdim=True)",
)
layer_norm.mistake(
    "mean_and_variance",
    "You divide by the variance. Its square root, the standard deviation, has the unit of x.",
    "(variance + epsilon).sqrt() -> (variance + epsilon)",
)
layer_norm.mistake(
    "small_variances",
    "You add ε to the standard deviation. It belongs under the root, where it counts more: √ε is "
    "300 times ε.",
    "(variance + epsilon).sqrt() -> (variance.sqrt() + epsilon)",
)
layer_norm.mistake(
    "gain_and_shift",
    "The shift comes before the gain, which then multiplies it as well.",
    "centered / (variance + epsilon).sqrt() + shift "
    "-> (centered / (variance + epsilon).sqrt() + shift)",
)


# --- 6.4 pre_norm ---------------------------------------------------------------------------------


@exercise(
    hints=(
        "Figure 6.3, left: what does the road from x to the + pass through?",
        "There are two different things to name: what the sub-layer reads, and what its result is "
        "added to. Only one of them is normalized.",
    )
)
def pre_norm(
    x: Tensor, sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Tensor:
    """A sub-layer with residual connection, pre-norm: (B, T, D) -> (B, T, D).

    sublayer and norm are functions (B, T, D) -> (B, T, D); each is called once.
    """
    return x + sublayer(norm(x))


def _norm(x: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, x.shape[-1:])


def _half_length(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True) / 2


@pre_norm.same_as_answer(
    "the result of a sub-layer that gives the same numbers whatever it reads", atol=1e-4
)
def the_road_is_free():
    out = torch.tensor([1.0, -1.0, 1.0, -1.0])[torch.randperm(4)]  # normalized already
    yield 5 * torch.randn(2, 3, 4) + 2, out.expand_as, _norm


@pre_norm.case
def the_sublayer_reads_normalized_numbers(answer):
    calls = {"sub-layer": [], "norm": []}

    def sublayer(given):
        calls["sub-layer"].append(given)
        return torch.ones_like(given)

    def norm(given):
        calls["norm"].append(given)
        return _norm(given)

    x = 5 * torch.randn(2, 3, 4) + 2
    answer(x, sublayer, norm)
    for name, given in calls.items():
        expect(len(given) == 1, f"The {name} was called {len(given)} times, once is asked.", given)
    read = calls["sub-layer"][0]
    near = read.shape == x.shape and torch.allclose(read, _norm(x), atol=1e-4)
    expect(near, "The sub-layer was not given the normalized vectors.", read)


@pre_norm.same_as_answer(grad=True)
def any_sublayer_and_any_norm():
    yield 5 * torch.randn(2, 3, 4) + 2, lambda given: 3 * given + 1, _norm
    yield torch.randn(1, 2, 6), torch.tanh, _half_length
    yield torch.randn(3, 2, 5), lambda given: nn.functional.dropout(given, 0.5), _norm


pre_norm.mistake(
    "the_road_is_free",
    "What you add to has been through the norm. The side track may be normalized, the road may "
    "not: this is a widespread bug.",
    "x + -> norm(x) +",
)
pre_norm.mistake(
    "the_road_is_free",
    "That is post-norm: the norm stands on the road.",
    "x + sublayer(norm(x)) -> norm(x + sublayer(x))",
)
pre_norm.mistake(
    "the_road_is_free", "Nothing is added: the residual connection is missing.", "x + ->"
)
pre_norm.mistake(
    "the_sublayer_reads_normalized_numbers",
    "The norm stands behind the sub-layer. It comes before it, at the start of the side track.",
    "sublayer(norm(x)) -> norm(sublayer(x))",
)
