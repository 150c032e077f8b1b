"""Exercises 5.5 and 5.7: what a layer costs, and how far it sees."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_number, expect_type

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


@fit_exponent.mistake(
    "one_number_for_all",
    says="You take the logarithm of the times only. That fits an *exponential* growth.",
)
def log_of_times_only(sizes, times):
    return _line_slope(sizes, times.log())


@fit_exponent.mistake(
    "a_power_law",
    says="That is the slope of time against size: seconds for each further position. The exponent "
    "is the slope between *logarithms*.",
)
def without_logs(sizes, times):
    return _line_slope(sizes, times)


@fit_exponent.mistake(
    "a_power_law",
    says="Your line goes through the origin: log time = a · log size. That fixes c = 1.",
)
def through_the_origin(sizes, times):
    x, y = sizes.log(), times.log()
    return ((x * y).sum() / x.square().sum()).item()


@fit_exponent.mistake(
    "a_power_law",
    says="Size and time changed places: how does the *time* grow with the size?",
)
def the_other_way_round(sizes, times):
    return fit_exponent.answer(times, sizes)


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


@fit_exponent.alternative
def by_polyfit(sizes, times):
    return float(np.polyfit(np.log10(sizes.numpy()), np.log10(times.numpy()), 1)[0])


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
    says="You divide the sentence into pieces of `kernel` positions. Windows overlap: after one "
    "layer, the last position sees `kernel` of them, and each further layer adds one less.",
)
def pieces_of_the_kernel(length, kernel, dilated=False):
    return 0 if length == 1 else -(-length // kernel)


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
