"""Exercises 8.3 and 8.4: one rate for each layer, and a plan to unfreeze them."""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.exercises.engine.core import exercise, expect, expect_equal, expect_type

# --- 8.3 discriminative_rates ---------------------------------------------------------------------


@exercise(
    hints=(
        "The last layer has the rate `top`. How often has it been divided by `factor` at the layer "
        "just below? At the first of `layers` layers?",
        "Going up through the layers, the exponent falls by one at each and ends at 0.",
    )
)
def discriminative_rates(layers: int, top: float, factor: float = 2.6) -> list[float]:
    """One learning rate for each layer, bottom first: the last has `top`, each other one the rate
    of the layer above it divided by `factor` (Howard & Ruder 2018, section 3.2).
    """
    return [top / factor ** (layers - 1 - layer) for layer in range(layers)]


def _expect_rates(found: list[float], layers: int, top: float, factor: float) -> None:
    expect_type(found, list, "the list of rates")
    expect(len(found) == layers, f"You have {len(found)} rates for {layers} layers.", found)
    for rate in found:
        expect_type(rate, (int, float), "a rate")
    right = discriminative_rates.answer(layers, top, factor)
    for place, (rate, wanted) in enumerate(zip(found, right, strict=True)):
        close = abs(rate - wanted) <= 1e-6 * abs(wanted)
        size = "large" if rate > wanted else "small"
        expect(close, f"The rate of layer {place} (0 is the bottom) is too {size}.", found)


@discriminative_rates.case
def one_for_each_layer(answer):
    found = answer(3, 0.5)
    expect_type(found, list, "the list of rates")
    expect(len(found) == 3, f"You have {len(found)} rates for 3 layers.", found)


@discriminative_rates.case
def last_layer_has_the_top_rate(answer):
    found = answer(3, 0.5, 2.0)
    last = f"The last layer should have the rate 0.5; yours has {found[-1]:.3g}."
    expect(abs(found[-1] - 0.5) < 1e-9, last, found)


@discriminative_rates.case
def each_is_the_next_divided(answer):
    for layers, top, factor in ((4, 0.01, 2.6), (1, 0.1, 2.6), (5, 1.0, 10.0)):
        _expect_rates(answer(layers, top, factor), layers, top, factor)


@discriminative_rates.mistake(
    "one_for_each_layer", says="You have one rate too few: the last layer itself is missing."
)
def without_the_last(layers, top, factor=2.6):
    return [top / factor**below for below in range(layers - 1, 0, -1)]


@discriminative_rates.mistake(
    "last_layer_has_the_top_rate",
    says="Your list begins with the last layer. Bottom first: the first rate is the smallest.",
)
def top_first(layers, top, factor=2.6):
    return [top / factor**layer for layer in range(layers)]


@discriminative_rates.mistake(
    "last_layer_has_the_top_rate",
    says="Your rates grow from `top` at the bottom. The bottom learns most gently; `top` is the "
    "largest rate.",
)
def growing_from_the_top_rate(layers, top, factor=2.6):
    return [top * factor**layer for layer in range(layers)]


@discriminative_rates.mistake(
    "each_is_the_next_divided",
    says="You divide by a multiple of the factor. Each layer divides the rate of the layer above.",
)
def linear(layers, top, factor=2.6):
    return [top / (factor * below or 1) for below in range(layers - 1, -1, -1)]


@discriminative_rates.mistake("each_is_the_next_divided")
def same_for_all(layers, top, factor=2.6):
    return [top] * layers


@discriminative_rates.alternative
def from_the_top_down(layers, top, factor=2.6):
    rates = []
    for _ in range(layers):
        rates.insert(0, top)
        top = top / factor
    return rates


# --- 8.4 trained_at -------------------------------------------------------------------------------


@exercise(
    hints=(
        "How many layers are trained at step 0? At step `every`? Count before you name them.",
        "The number of whole stages that have passed is `step // every`. In the end all layers are "
        "trained, and there are no more to add.",
        "The last n elements of a list: `names[len(names) - n:]`, for every n from 0 up.",
    )
)
def trained_at(names: Sequence[str], every: int, step: int) -> list[str]:
    """The layers that gradual unfreezing trains at a step, bottom first.

    names: all layers, bottom first. Only the last is trained from step 0 on; after each `every`
    steps one more is unfrozen, from the top down (Howard & Ruder 2018, section 3.3).
    """
    count = min(1 + step // every, len(names))
    return list(names[len(names) - count :])


_NAMES = ["stem", "block 1", "block 2", "head"]


@trained_at.case
def only_the_last_at_the_start(answer):
    for step in (0, 9):
        expect_equal(answer(_NAMES, 10, step), ["head"], f"what is trained at step {step} of 10")


@trained_at.case
def one_more_after_each_stage(answer):
    for step in (10, 19, 20, 25, 30):
        right = trained_at.answer(_NAMES, 10, step)
        expect_equal(answer(_NAMES, 10, step), right, f"what is trained at step {step}")


@trained_at.case
def all_of_them_in_the_end(answer):
    for step in (39, 40, 1000):
        expect_equal(answer(_NAMES, 10, step), list(_NAMES), f"what is trained at step {step}")


@trained_at.mistake(
    "only_the_last_at_the_start", says="You begin at the bottom. The head is new: it goes first."
)
def from_the_bottom(names, every, step):
    return list(names[: min(1 + step // every, len(names))])


@trained_at.mistake(
    "only_the_last_at_the_start", says="At the start nothing is trained in your plan."
)
def nothing_at_the_start(names, every, step):
    return list(names[max(0, len(names) - step // every) :])


@trained_at.mistake(
    "one_more_after_each_stage",
    says="You train one layer at a time. What has been unfrozen stays unfrozen.",
)
def one_at_a_time(names, every, step):
    return [names[max(0, len(names) - 1 - step // every)]]


@trained_at.mistake(
    "all_of_them_in_the_end",
    says="You count further than there are layers, and a negative index then starts from the "
    "other end.",
)
def index_below_zero(names, every, step):
    return list(names[len(names) - 1 - step // every :])


@trained_at.alternative
def by_asking_each(names, every, step):
    last = len(names) - 1
    return [name for place, name in enumerate(names) if step >= (last - place) * every]
