"""Exercises 9.4 and 9.5: a text as one vector, and a rate that rises fast and falls slowly."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    exercise,
    expect_close,
    expect_number,
    expect_tensor,
    expect_type,
)

# --- 9.4 pool_three_ways --------------------------------------------------------------------------


@exercise(
    hints=(
        "What stands in the padded places is no state of the text. None of the three may see it.",
        "For the maximum, a padded place must never win, also when all real numbers are negative. "
        "Which number is below all numbers?",
        "The last state of row b is at place `lengths[b] - 1`, and the mean divides by "
        "`lengths[b]`.",
    )
)
def pool_three_ways(states: Tensor, lengths: Tensor) -> Tensor:
    """Concat pooling: states (B, T, E) and lengths (B,) -> (B, 3E): last, maximum, mean.

    Row b has lengths[b] real states, which come first; the rest is padding and counts in none.
    """
    rows = torch.arange(len(states))
    last = states[rows, lengths - 1]  # (B, E)
    outside = (torch.arange(states.shape[1]) >= lengths.unsqueeze(1)).unsqueeze(-1)  # (B, T, 1)
    highest = states.masked_fill(outside, -torch.inf).amax(dim=1)  # (B, E)
    mean = states.masked_fill(outside, 0.0).sum(dim=1) / lengths.unsqueeze(1)  # (B, E)
    return torch.cat([last, highest, mean], dim=1)  # (B, 3E)


def _texts() -> tuple[Tensor, Tensor]:
    """Four texts whose states are all negative, padded with zeros."""
    lengths = torch.tensor([5, 2, 3, 1])
    states = -0.5 - torch.rand(4, 5, 2)
    states[torch.arange(5) >= lengths.unsqueeze(1)] = 0.0
    return states, lengths


def _third(found: Tensor, part: int) -> Tensor:
    expect_tensor(found, (4, 6))
    return found[:, 2 * part : 2 * part + 2]


@pool_three_ways.case
def three_vectors_side_by_side(answer):
    expect_tensor(answer(*_texts()), (4, 6))


@pool_three_ways.case
def last_real_state(answer):
    states, lengths = _texts()
    last = torch.stack([row[n - 1] for row, n in zip(states, lengths.tolist(), strict=True)])
    expect_close(_third(answer(states, lengths), 0), last, "the first third, the last state,")


@pool_three_ways.case
def maximum_of_real_states(answer):
    states, lengths = _texts()
    highest = torch.stack(
        [row[:n].amax(0) for row, n in zip(states, lengths.tolist(), strict=True)]
    )
    expect_close(_third(answer(states, lengths), 1), highest, "the second third, the maximum,")


@pool_three_ways.case
def mean_of_real_states(answer):
    states, lengths = _texts()
    mean = torch.stack([row[:n].mean(0) for row, n in zip(states, lengths.tolist(), strict=True)])
    expect_close(_third(answer(states, lengths), 2), mean, "the last third, the mean,")


@pool_three_ways.case
def padding_does_not_matter(answer):
    states, lengths = _texts()
    longer = torch.cat([states, torch.full((4, 3, 2), 9.0)], dim=1)
    what = "the result with more padding (against the result with less)"
    expect_close(answer(longer, lengths), answer(states, lengths), what)


@pool_three_ways.mistake(
    "three_vectors_side_by_side", says="You add the three up. Put them side by side."
)
def added_up(states, lengths):
    return pool_three_ways.answer(states, lengths).view(len(states), 3, -1).sum(1)


@pool_three_ways.mistake(
    "last_real_state",
    says="You take the state at the last place of the batch. In a short text that is padding.",
)
def last_place(states, lengths):
    found = pool_three_ways.answer(states, lengths)
    return torch.cat([states[:, -1], found[:, states.shape[2] :]], dim=1)


@pool_three_ways.mistake(
    "last_real_state", says="The order is another one: last state, maximum, mean."
)
def other_order(states, lengths):
    last, highest, mean = pool_three_ways.answer(states, lengths).chunk(3, dim=1)
    return torch.cat([highest, mean, last], dim=1)


@pool_three_ways.mistake(
    "maximum_of_real_states",
    says="Your maximum sees the zeros of the padding, and they are larger than the states.",
)
def maximum_sees_padding(states, lengths):
    last, _, mean = pool_three_ways.answer(states, lengths).chunk(3, dim=1)
    return torch.cat([last, states.amax(1), mean], dim=1)


@pool_three_ways.mistake(
    "mean_of_real_states",
    says="You divide by the length of the longest text. Short texts then get small means.",
)
def divided_by_the_longest(states, lengths):
    last, highest, _ = pool_three_ways.answer(states, lengths).chunk(3, dim=1)
    return torch.cat([last, highest, states.mean(1)], dim=1)


@pool_three_ways.mistake(
    "padding_does_not_matter",
    says="Your result is right only as long as the padding holds zeros: your sum adds the padded "
    "states up. An LSTM goes on after the end, and its states are not zero.",
)
def trusts_the_zeros(states, lengths):
    last, highest, _ = pool_three_ways.answer(states, lengths).chunk(3, dim=1)
    return torch.cat([last, highest, states.sum(1) / lengths.unsqueeze(1)], dim=1)


@pool_three_ways.alternative
def text_by_text(states, lengths):
    rows = []
    for row, length in zip(states, lengths.tolist(), strict=True):
        real = row[:length]
        rows.append(torch.cat([real[-1], real.max(0).values, real.mean(0)]))
    return torch.stack(rows)


# --- 9.5 slanted_triangle -------------------------------------------------------------------------


@exercise(
    hints=(
        "Work out first how far up the triangle a step is, from 0 at both ends to 1 at the peak. "
        "Where is the peak?",
        "Rising: step / peak. Falling: 1 minus the share of the way from the peak to `steps` that "
        "is done.",
        "A height of 0 should give 1 / ratio, and a height of 1 should give 1.",
    )
)
def slanted_triangle(step: int, steps: int, cut: float = 0.1, ratio: float = 32.0) -> float:
    """The multiplier of the rate at a step from 0 to steps (Howard & Ruder 2018, section 3.2).

    It rises straight from 1/ratio at step 0 to 1 at the peak, step cut * steps (a whole number
    here), then falls straight to 1/ratio at the end, at step `steps`.
    """
    peak = cut * steps
    height = step / peak if step < peak else 1 - (step - peak) / (steps - peak)
    return (1 + height * (ratio - 1)) / ratio


@slanted_triangle.case
def a_number(answer):
    expect_type(answer(30, 100), (int, float), "the multiplier")


@slanted_triangle.case
def one_at_the_peak(answer):
    for steps, cut in ((100, 0.1), (200, 0.25)):
        peak = int(steps * cut)
        what = f"the multiplier at step {peak} of {steps}, with cut = {cut},"
        expect_number(answer(peak, steps, cut), 1.0, what)


@slanted_triangle.case
def small_at_both_ends(answer):
    for step in (0, 100):
        found = answer(step, 100, 0.1, 8.0)
        expect_number(found, 1 / 8, f"the multiplier at step {step} of 100, with ratio = 8,")


@slanted_triangle.case
def straight_in_between(answer):
    for step in (5, 10, 20, 55, 90):
        right = slanted_triangle.answer(step, 100, 0.1, 8.0)
        found = answer(step, 100, 0.1, 8.0)
        expect_number(found, right, f"the multiplier at step {step} of 100, with ratio = 8,")


@slanted_triangle.mistake("a_number", says="Your multiplier has the type `str`")
def as_text(step, steps, cut=0.1, ratio=32.0):
    return f"{slanted_triangle.answer(step, steps, cut, ratio):.3f}"


@slanted_triangle.mistake(
    "one_at_the_peak", says="Your triangle is not slanted: it has its peak in the middle."
)
def peak_in_the_middle(step, steps, cut=0.1, ratio=32.0):
    return slanted_triangle.answer(step, steps, 0.5, ratio)


@slanted_triangle.mistake(
    "one_at_the_peak", says="Your triangle leans the other way: a long rise and a short fall."
)
def leans_back(step, steps, cut=0.1, ratio=32.0):
    return slanted_triangle.answer(steps - step, steps, cut, ratio)


@slanted_triangle.mistake(
    "one_at_the_peak", says="Your peak is always after a tenth of the steps, whatever `cut` says."
)
def always_a_tenth(step, steps, cut=0.1, ratio=32.0):
    return slanted_triangle.answer(step, steps, 0.1, ratio)


@slanted_triangle.mistake(
    "small_at_both_ends",
    says="Your rate starts and ends at zero. The smallest rate is the peak divided by `ratio`.",
)
def down_to_zero(step, steps, cut=0.1, ratio=32.0):
    peak = cut * steps
    return step / peak if step < peak else (steps - step) / (steps - peak)


@slanted_triangle.mistake(
    "small_at_both_ends", says="You begin at the peak: the short rise is missing."
)
def without_the_rise(step, steps, cut=0.1, ratio=32.0):
    return slanted_triangle.answer(max(step, int(cut * steps)), steps, cut, ratio)


@slanted_triangle.mistake(
    "straight_in_between",
    says="Your rate rises and falls by a constant *factor* from step to step. The triangle is "
    "straight: by a constant amount.",
)
def by_a_factor(step, steps, cut=0.1, ratio=32.0):
    peak = cut * steps
    height = step / peak if step < peak else 1 - (step - peak) / (steps - peak)
    return ratio ** (height - 1)


@slanted_triangle.alternative
def between_two_ends(step, steps, cut=0.1, ratio=32.0):
    peak, low = round(cut * steps), 1 / ratio
    share = min(step / peak, (steps - step) / (steps - peak))
    return low + share * (1 - low)
