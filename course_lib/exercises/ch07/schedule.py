"""Exercise 7.4: the learning rate of the paper."""

from __future__ import annotations

from course_lib.exercises.engine.core import exercise, expect_number, expect_type

# --- 7.4 noam_rate --------------------------------------------------------------------------------


@exercise(
    hints=(
        "Two curves, one that rises with the step and one that falls. The smaller of the two is "
        "the rate. Where do they meet?",
        "Rising: step · warmup^(−1.5). Falling: step^(−0.5). Both times width^(−0.5).",
        "The paper counts steps from 1, a program from 0. At step 0 the paper's formula would "
        "divide by zero in one curve and waste a step in the other.",
    )
)
def noam_rate(step: int, width: int, warmup: int) -> float:
    """The learning rate of Vaswani et al. (2017), equation 3, at step 0, 1, 2, ... of a program.

    width: D; warmup: the number of steps of the rise. The paper's first step is 1, ours is 0.
    """
    count = step + 1
    return width**-0.5 * min(count**-0.5, count * warmup**-1.5)


@noam_rate.case
def a_number(answer):
    expect_type(answer(10, 512, 4000), (int, float), "the learning rate")


@noam_rate.case
def the_first_step_learns(answer):
    expect_number(answer(0, 64, 100), 64**-0.5 * 100**-1.5, "the rate of the first step")


@noam_rate.case
def the_rise_is_straight(answer):
    found = answer(49, 64, 100) / answer(9, 64, 100)
    expect_number(found, 5.0, "the rate of the 50th step over that of the 10th, warm-up 100,")


@noam_rate.case
def the_fall_is_a_root(answer):
    found = answer(399, 64, 100) / answer(1599, 64, 100)
    expect_number(found, 2.0, "the rate of the 400th step over that of the 1,600th")


@noam_rate.case
def wider_models_step_less(answer):
    found = answer(999, 64, 100) / answer(999, 256, 100)
    expect_number(found, 2.0, "the rate at width 64 over that at width 256")


@noam_rate.case
def the_whole_curve(answer):
    for step in (0, 98, 99, 100, 5000):
        expected = noam_rate.answer(step, 512, 100)
        expect_number(answer(step, 512, 100), expected, f"the rate at step {step}")


@noam_rate.mistake("a_number")
def a_function(step, width, warmup):
    return lambda: noam_rate.answer(step, width, warmup)


@noam_rate.mistake(
    "the_first_step_learns",
    says="At step 0 your rate is 0: the first step changes nothing. The paper counts from 1.",
)
def counted_from_zero(step, width, warmup):
    return width**-0.5 * min(max(step, 1e-9) ** -0.5, step * warmup**-1.5)


@noam_rate.mistake(
    "the_first_step_learns",
    says="You take the *larger* of the two curves. The first steps are then the largest of all, "
    "which is what warm-up is there to prevent.",
)
def the_larger_one(step, width, warmup):
    count = step + 1
    return width**-0.5 * max(count**-0.5, count * warmup**-1.5)


@noam_rate.mistake(
    "the_first_step_learns",
    says="The rate is already at its peak in the first step: there is no rise.",
)
def no_rise(step, width, warmup):
    return width**-0.5 * min(warmup**-0.5, (step + 1) ** -0.5)


@noam_rate.mistake("the_rise_is_straight", says="Your rise is bent.")
def bent_rise(step, width, warmup):
    count = step + 1
    return width**-0.5 * min(count**-0.5, count**0.5 / warmup * warmup**-0.5)


@noam_rate.mistake(
    "the_fall_is_a_root",
    says="Your rate stays at the peak. After the warm-up it falls.",
)
def no_fall(step, width, warmup):
    return width**-0.5 * min(warmup**-0.5, (step + 1) * warmup**-1.5)


@noam_rate.mistake("the_fall_is_a_root", says="Your rate falls with the step, not with its root.")
def falls_with_the_step(step, width, warmup):
    count = step + 1
    return width**-0.5 * min(warmup**0.5 / count, count * warmup**-1.5)


@noam_rate.mistake(
    "wider_models_step_less",
    says="You divide by the width; the formula has its square root.",
)
def by_the_width(step, width, warmup):
    return 64**0.5 / width * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)


@noam_rate.mistake(
    "the_whole_curve",
    says="The two curves meet one step late: the fall counts the step from 0.",
)
def fall_counted_from_zero(step, width, warmup):
    return width**-0.5 * min(max(step, 1) ** -0.5, (step + 1) * warmup**-1.5)


@noam_rate.alternative
def in_two_pieces(step, width, warmup):
    peak = 1 / (width * warmup) ** 0.5
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (warmup / (step + 1)) ** 0.5
