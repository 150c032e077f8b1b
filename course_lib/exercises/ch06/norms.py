"""Exercises 6.3 and 6.4: LayerNorm by hand, and a sub-layer on a side track."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

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


def _by(x: Tensor, gain: Tensor, shift: Tensor, dim, correction: int = 0, root: float = 1e-5):
    centered = x - x.mean(dim=dim, keepdim=True)
    variance = x.var(dim=dim, correction=correction, keepdim=True)
    return gain * centered / (variance + root).sqrt() + shift


@layer_norm.case
def same_shape(answer):
    expect_tensor(answer(torch.randn(2, 3, 4), *_plain(4)), (2, 3, 4))
    expect_tensor(answer(torch.randn(4), *_plain(4)), (4,), what="the result for a single vector")


@layer_norm.case
def each_vector_alone(answer):
    x = torch.randn(2, 3, 4)
    x[0, 0] *= 100
    alone = answer(x[1, 2], *_plain(4))
    together = answer(x, *_plain(4))[1, 2]
    expect_tensor(together, (4,))
    moved = (alone - together).abs().max().item()
    expect(
        moved < 1e-5,
        f"A vector comes out differently (by up to {moved:.2g}) when other vectors stand beside "
        "it. LayerNorm treats each position of each sentence by itself.",
        together,
    )


@layer_norm.case
def variance_one(answer):
    x = 3 * torch.randn(5, 4) + 7
    squares = answer(x, *_plain(4)).square().mean(dim=-1)
    expect_close(squares, torch.ones(5), "the mean square of each result", atol=1e-3)


@layer_norm.case
def equal_numbers(answer):
    result = answer(torch.full((2, 4), 5.0), *_plain(4))
    expect_close(result, torch.zeros(2, 4), "the result for vectors of equal numbers")


@layer_norm.case
def small_numbers(answer):
    x = 2e-3 * torch.randn(4, 8)
    expected = layer_norm.answer(x, *_plain(8))
    expect_close(answer(x, *_plain(8)), expected, "the result for very small numbers", rtol=1e-3)


@layer_norm.case
def gain_and_shift(answer):
    x, gain, shift = torch.randn(2, 3, 6), torch.randn(6), torch.randn(6)
    expect_close(answer(x, gain, shift), layer_norm.answer(x, gain, shift))


@layer_norm.mistake(
    "same_shape",
    says="You return the statistics, not the vectors.",
)
def mean_only(x, gain, shift, epsilon=1e-5):
    return x.mean(dim=-1)


@layer_norm.mistake("each_vector_alone")
def over_the_batch(x, gain, shift, epsilon=1e-5):
    return _by(x, gain, shift, dim=0) if x.dim() > 1 else _by(x, gain, shift, dim=-1)


@layer_norm.mistake("each_vector_alone")
def over_everything(x, gain, shift, epsilon=1e-5):
    return _by(x, gain, shift, dim=tuple(range(x.dim())))


@layer_norm.mistake(
    "variance_one",
    says="Your variance divides by D − 1, which is right for estimating the variance of a "
    "population from a sample. Here the D numbers are all there are.",
)
def divided_by_one_less(x, gain, shift, epsilon=1e-5):
    return _by(x, gain, shift, dim=-1, correction=1)


@layer_norm.mistake(
    "variance_one",
    says="You divide by the variance. Its square root, the standard deviation, has the unit of x.",
)
def without_the_root(x, gain, shift, epsilon=1e-5):
    centered = x - x.mean(dim=-1, keepdim=True)
    return gain * centered / (centered.square().mean(dim=-1, keepdim=True) + epsilon) + shift


@layer_norm.mistake(
    "variance_one", says="The mean is not taken away. (Without it the layer is called RMSNorm.)"
)
def not_centered(x, gain, shift, epsilon=1e-5):
    return gain * x / (x.var(dim=-1, correction=0, keepdim=True) + epsilon).sqrt() + shift


@layer_norm.mistake("equal_numbers")
def without_epsilon(x, gain, shift, epsilon=1e-5):
    return _by(x, gain, shift, dim=-1, root=0.0)


@layer_norm.mistake(
    "small_numbers",
    says="You add ε to the standard deviation. It belongs under the root, where it counts more: "
    "√ε is 300 times ε.",
)
def epsilon_outside_the_root(x, gain, shift, epsilon=1e-5):
    centered = x - x.mean(dim=-1, keepdim=True)
    deviation = x.std(dim=-1, correction=0, keepdim=True)
    return gain * centered / (deviation + epsilon) + shift


@layer_norm.mistake(
    "gain_and_shift", says="The shift comes before the gain, which then multiplies it as well."
)
def shifted_first(x, gain, shift, epsilon=1e-5):
    return gain * (_by(x, torch.ones_like(gain), torch.zeros_like(shift), dim=-1) + shift)


@layer_norm.mistake("gain_and_shift", says="Gain and shift are not used.")
def not_learned(x, gain, shift, epsilon=1e-5):
    return _by(x, torch.ones_like(gain), torch.zeros_like(shift), dim=-1)


@layer_norm.alternative
def by_torch(x, gain, shift, epsilon=1e-5):
    return nn.functional.layer_norm(x, gain.shape, gain, shift, epsilon)


@layer_norm.alternative
def by_moments(x, gain, shift, epsilon=1e-5):
    mean = x.double().mean(-1, keepdim=True)
    variance = x.double().square().mean(-1, keepdim=True) - mean**2
    return ((x - mean) * (variance + epsilon).rsqrt() * gain + shift).float()


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


@pre_norm.case
def keeps_the_shape(answer):
    expect_tensor(answer(torch.randn(2, 3, 4), torch.tanh, _norm), (2, 3, 4))


@pre_norm.case
def the_road_is_free(answer):
    x, out = 5 * torch.randn(2, 3, 4) + 2, torch.tensor([1.0, -1.0, 1.0, -1.0])
    what = "the result of a sub-layer that gives 1, −1, 1, −1 whatever it reads"
    expect_close(answer(x, out.expand_as, _norm), x + out, what, atol=1e-4)


@pre_norm.case
def the_sublayer_reads_normalized_numbers(answer):
    seen = []

    def sublayer(given):
        seen.append(given.detach().clone())
        return torch.ones_like(given)

    x = 5 * torch.randn(2, 3, 4) + 2
    answer(x, sublayer, _norm)
    expect(len(seen) == 1, f"The sub-layer was called {len(seen)} times, once is asked.", seen)
    expect_close(seen[0], _norm(x), "what the sub-layer was given")


@pre_norm.case
def the_result_is_added_as_it_is(answer):
    x = 5 * torch.randn(2, 3, 4) + 2
    sublayer = lambda given: 3 * given + 1  # noqa: E731
    expect_close(answer(x, sublayer, _norm), x + sublayer(_norm(x)))


@pre_norm.mistake(
    "keeps_the_shape", says="You put the two side by side. A residual connection adds."
)
def side_by_side(x, sublayer, norm):
    return torch.cat([x, sublayer(norm(x))], dim=-1)


@pre_norm.mistake(
    "the_road_is_free",
    says="What you add to has been through the norm. The side track may be normalized, the road "
    "may not: this is a widespread bug.",
)
def normalized_road(x, sublayer, norm):
    x = norm(x)
    return x + sublayer(x)


@pre_norm.mistake("the_road_is_free", says="That is post-norm: the norm stands on the road.")
def post_norm(x, sublayer, norm):
    return norm(x + sublayer(x))


@pre_norm.mistake("the_road_is_free", says="Nothing is added: the residual connection is missing.")
def no_road(x, sublayer, norm):
    return sublayer(norm(x))


@pre_norm.mistake(
    "the_sublayer_reads_normalized_numbers",
    says="The sub-layer reads x itself. The norm comes before it, at the start of the side track.",
)
def norm_behind_the_sublayer(x, sublayer, norm):
    return x + norm(sublayer(x))


@pre_norm.mistake(
    "the_result_is_added_as_it_is",
    says="Its result is normalized once more on the way back to the road.",
)
def norm_on_both_sides(x, sublayer, norm):
    return x + norm(sublayer(norm(x)))


@pre_norm.alternative
def in_two_steps(x, sublayer, norm):
    out = sublayer(norm(x))
    return out + x
