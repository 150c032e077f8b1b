"""Exercises 8.1 and 8.2: a residual block, and batch normalization in its two modes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 8.1 residual_block ---------------------------------------------------------------------------


@exercise(
    hints=(
        "Two ways lead from x to the end: one through both functions, one through nothing. Where "
        "do they meet?",
        "The last ReLU acts on the sum, not on the second function's result alone.",
    )
)
def residual_block(
    x: Tensor, first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor]
) -> Tensor:
    """ReLU(x + second(ReLU(first(x)))): (B, C, H, W) -> (B, C, H, W).

    first, second: a convolution with its normalization each; shapes stay as they are.
    """
    inside = torch.relu(first(x))
    return torch.relu(x + second(inside))


def _images() -> Tensor:
    return torch.randn(2, 3, 4, 4)


def _nothing(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _twice(x: Tensor) -> Tensor:
    return 2 * x - 0.5


def _minus(x: Tensor) -> Tensor:
    return 0.3 - x


@residual_block.case
def same_shape(answer):
    expect_tensor(answer(_images(), _twice, _minus), (2, 3, 4, 4))


@residual_block.case
def without_functions_the_image_stays(answer):
    x = _images().abs()
    what = "the result where both functions give zero (what is left is the shortcut)"
    expect_close(answer(x, _nothing, _nothing), x, what)


@residual_block.case
def never_negative(answer):
    result = answer(_images(), _twice, _minus)
    expect((result >= 0).all(), "Some numbers of your result are below zero.", result)


@residual_block.case
def values(answer):
    x = _images()
    expect_close(answer(x, _twice, _minus), residual_block.answer(x, _twice, _minus))


@residual_block.mistake(
    "same_shape", says="You put the two ways side by side. The block adds them, number by number."
)
def side_by_side(x, first, second):
    return torch.relu(torch.cat([x, second(torch.relu(first(x)))], dim=1))


@residual_block.mistake(
    "without_functions_the_image_stays",
    says="The shortcut is missing. It is what lets a gradient pass a deep stack unharmed.",
)
def no_shortcut(x, first, second):
    return torch.relu(second(torch.relu(first(x))))


@residual_block.mistake(
    "never_negative", says="The ReLU behind the sum is missing: the next block expects its result."
)
def no_relu_at_the_end(x, first, second):
    return x + second(torch.relu(first(x)))


@residual_block.mistake(
    "values", says="You apply a ReLU to the second function before the sum. It may also subtract."
)
def relu_before_the_sum(x, first, second):
    return torch.relu(x + torch.relu(second(torch.relu(first(x)))))


@residual_block.mistake(
    "values", says="Between the two functions a ReLU is missing: two maps in a row are one map."
)
def no_relu_inside(x, first, second):
    return torch.relu(x + second(first(x)))


@residual_block.alternative
def by_clamping(x, first, second):
    out = second(first(x).clamp(min=0)) + x
    return out.clamp(min=0)


# --- 8.2 normalize --------------------------------------------------------------------------------


@exercise(
    hints=(
        "Which axes of (B, C, H, W) does one channel's mean run over? Three of the four.",
        "In training mode the numbers come from this batch, in evaluation mode from the memory. "
        "The formula is the same. `view(1, -1, 1, 1)` makes a row of channels fit an image.",
        "`x.var(dim=…, correction=0)` divides by the count, not by the count less one.",
    )
)
def normalize(
    x: Tensor, running_mean: Tensor, running_var: Tensor, training: bool, eps: float = 1e-5
) -> Tensor:
    """Batch normalization without scale and shift: (B, C, H, W) -> (B, C, H, W).

    (x - mean) / sqrt(variance + eps), channel by channel. training=True: mean and variance of this
    batch (variance divided by the count). False: running_mean and running_var, both (C,). The
    memory is read only; a layer would update it, this function does not.
    """
    mean, variance = running_mean, running_var
    if training:
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
    centered = x - mean.view(1, -1, 1, 1)
    return centered / (variance + eps).sqrt().view(1, -1, 1, 1)


def _batch() -> tuple[Tensor, Tensor, Tensor]:
    """Images (4, 3, 2, 2) of three unlike channels, and a memory that is not theirs."""
    scale, shift = torch.tensor([1.0, 5.0, 0.2]), torch.tensor([0.0, -3.0, 2.0])
    x = torch.randn(4, 3, 2, 2) * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
    return x, torch.tensor([0.5, -1.0, 1.0]), torch.tensor([4.0, 1.0, 0.25])


@normalize.case
def keeps_the_shape(answer):
    expect_tensor(answer(*_batch(), True), (4, 3, 2, 2))
    expect_tensor(answer(*_batch(), False), (4, 3, 2, 2), what="the result in evaluation mode")


@normalize.case
def one_image_alone_is_the_same_as_in_company(answer):
    x, mean, variance = _batch()
    alone = answer(x[:1], mean, variance, False)
    together = answer(x, mean, variance, False)[:1]
    expect_close(
        alone, together, "in evaluation mode, an image alone (against the same in a batch)"
    )


@normalize.case
def each_channel_has_mean_zero_and_variance_one(answer):
    result = answer(*_batch(), True)
    means, spread = result.mean(dim=(0, 2, 3)), result.var(dim=(0, 2, 3), correction=0)
    found = torch.stack([means, spread])
    wanted = torch.tensor([[0.0] * 3, [1.0] * 3])
    expect_close(found, wanted, "mean and variance of each channel in training mode", atol=1e-3)


@normalize.case
def values_in_evaluation(answer):
    batch = _batch()
    expect_close(answer(*batch, False), normalize.answer(*batch, False))


@normalize.mistake(
    "keeps_the_shape", says="You give back one number for each channel. Each pixel is normalized."
)
def the_statistics_only(x, running_mean, running_var, training, eps=1e-5):
    return x.mean(dim=(0, 2, 3)) / (x.var(dim=(0, 2, 3)) + eps).sqrt()


@normalize.mistake(
    "one_image_alone_is_the_same_as_in_company",
    says="In evaluation mode you still use the batch. Then what a model says of one image depends "
    "on the others beside it.",
)
def always_the_batch(x, running_mean, running_var, training, eps=1e-5):
    return normalize.answer(x, running_mean, running_var, True, eps)


@normalize.mistake(
    "each_channel_has_mean_zero_and_variance_one",
    says="You use the memory in training mode as well.",
)
def always_the_memory(x, running_mean, running_var, training, eps=1e-5):
    return normalize.answer(x, running_mean, running_var, False, eps)


@normalize.mistake(
    "each_channel_has_mean_zero_and_variance_one",
    says="Your mean runs over the channels as well. Each channel has a mean of its own.",
)
def over_everything(x, running_mean, running_var, training, eps=1e-5):
    if training:
        return (x - x.mean()) / (x.var(correction=0) + eps).sqrt()
    return normalize.answer(x, running_mean, running_var, False, eps)


@normalize.mistake(
    "values_in_evaluation",
    says="You divide by the variance. Its square root has the unit of the pixels.",
)
def without_the_root(x, running_mean, running_var, training, eps=1e-5):
    if training:
        return normalize.answer(x, running_mean, running_var, True, eps)
    centered = x - running_mean.view(1, -1, 1, 1)
    return centered / (running_var + eps).view(1, -1, 1, 1)


@normalize.alternative
def by_torch(x, running_mean, running_var, training, eps=1e-5):
    memory = (None, None) if training else (running_mean, running_var)
    return torch.nn.functional.batch_norm(x, *memory, training=training, eps=eps)
