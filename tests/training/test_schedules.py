"""Schedules: the peak, the ends, the shape, and the formulas of the papers."""

import math

import pytest

from course_lib.training import schedules

WITH_END = {
    "warmup_linear": lambda: schedules.warmup_linear(10, 100),
    "cosine": lambda: schedules.cosine(100, warmup=10, floor=0.1),
    "slanted_triangular": lambda: schedules.slanted_triangular(100),
}


@pytest.mark.parametrize("name", WITH_END)
def test_rises_to_one_then_falls_and_stays(name):
    schedule = WITH_END[name]()
    values = [schedule(step) for step in range(101)]
    peak = values.index(max(values))
    assert values[peak] == pytest.approx(1.0)
    assert peak in (9, 10)
    assert all(a < b for a, b in zip(values[:peak], values[1 : peak + 1], strict=True))
    assert all(a >= b for a, b in zip(values[peak:], values[peak + 1 :], strict=False))
    assert schedule(100) == schedule(1000) == min(values)


def test_first_step_is_never_wasted():
    for schedule in [*(make() for make in WITH_END.values()), schedules.warmup_inverse_sqrt(50)]:
        assert schedule(0) > 0


def test_constant():
    assert {schedules.constant()(step) for step in (0, 7, 10**6)} == {1.0}


def test_warmup_linear_is_linear_and_reaches_zero():
    schedule = schedules.warmup_linear(4, 12)
    assert [schedule(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [schedule(step) for step in (4, 8, 12)] == [1.0, 0.5, 0.0]


def test_no_warmup_starts_at_the_peak():
    assert schedules.warmup_linear(0, 10)(0) == 1.0
    assert schedules.cosine(10)(0) == 1.0


def test_inverse_sqrt_is_vaswani_equation_3_over_its_peak():
    warmup, width = 4000, 512

    def paper(step_number: int) -> float:
        return width**-0.5 * min(step_number**-0.5, step_number * warmup**-1.5)

    schedule = schedules.warmup_inverse_sqrt(warmup)
    for step in (0, 100, 3999, 4000, 50_000):
        assert schedule(step) == pytest.approx(paper(step + 1) / paper(warmup))


def test_cosine_is_loshchilov_hutter_equation_5():
    schedule = schedules.cosine(80, floor=0.2)
    for step in (0, 20, 40, 80):
        expected = 0.2 + 0.5 * 0.8 * (1 + math.cos(math.pi * step / 80))
        assert schedule(step) == pytest.approx(expected)
    late = schedules.cosine(100, warmup=20, floor=0.2)
    assert [late(20 + step) for step in (0, 20, 40, 80)] == [
        pytest.approx(schedule(step)) for step in (0, 20, 40, 80)
    ]


def test_slanted_triangular_is_howard_ruder_equation_3():
    total, cut_frac, ratio = 1000, 0.1, 32
    schedule = schedules.slanted_triangular(total, cut_frac=cut_frac, ratio=ratio)
    cut = math.floor(total * cut_frac)
    for step in (0, 1, 50, 99, 100, 101, 500, 999):
        p = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / cut_frac - 1))
        assert schedule(step) == pytest.approx((1 + p * (ratio - 1)) / ratio)


@pytest.mark.parametrize("total", [11, 15, 19, 137])
def test_slanted_triangular_never_leaves_its_range(total):
    # With a cut that is not whole, the paper's own divisor gives negative rates.
    schedule = schedules.slanted_triangular(total)
    values = [schedule(step) for step in range(total + 1)]
    assert min(values) == pytest.approx(1 / 32)
    assert max(values) == 1.0


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_phases_that_do_not_fit_are_refused(warmup):
    for make in (schedules.warmup_linear, lambda w, t: schedules.cosine(t, warmup=w)):
        with pytest.raises(ValueError, match=f"warmup={warmup} and total=10; expected 0 <= warmup"):
            make(warmup, 10)
        with pytest.raises(ValueError, match="total=10"):
            schedules.slanted_triangular(10, cut_frac=warmup / 10)
