"""Exercise 12.4: from an interval to a verdict."""

from __future__ import annotations

from course_lib.exercises.engine.core import exercise, expect, expect_equal, expect_type


@exercise(
    hints=(
        "Draw the interval and zero on paper. On which side is the claim?",
        "The strongest verdict needs the *whole* interval on the side of the claim.",
        "About equal: the interval of the difference must fit between −margin and margin. That it "
        "holds zero says only that you do not know the sign.",
    )
)
def verdict(mean: float, low: float, high: float, margin: float | None = None) -> str:
    """ "reproduced", "direction only" or "not reproduced", by the rule of the ledger.

    mean, low, high: of a difference, with its interval; positive means as claimed. With a margin,
    the claim is that two quantities are about equal: they differ by less than the margin.
    """
    if margin is None:
        shown, leaning = low > 0, mean > 0
    else:
        shown, leaning = -margin < low and high < margin, -margin < mean < margin
    return "reproduced" if shown else "direction only" if leaning else "not reproduced"


_WORDS = ("reproduced", "direction only", "not reproduced")


def _ask(answer, mean: float, low: float, high: float, margin: float | None = None) -> None:
    found = answer(mean, low, high, margin)
    shown = f"the verdict on {mean:+g} [{low:+g}, {high:+g}]"
    if margin is not None:
        shown += f" with a margin of {margin:g}"
    expect_equal(found, verdict.answer(mean, low, high, margin), shown)


@verdict.case
def one_of_three_words(answer):
    found = answer(1.0, 0.5, 1.5)
    expect_type(found, str, "your verdict")
    expect(found in _WORDS, f"Your verdict is {found!r}; the ledger knows three.", found)


@verdict.case
def interval_on_the_side_of_the_claim(answer):
    _ask(answer, 1.0, 0.5, 1.5)
    _ask(answer, 40.0, 38.0, 42.0)


@verdict.case
def interval_that_holds_zero(answer):
    _ask(answer, 1.0, -0.5, 2.5)
    _ask(answer, 0.2, -3.0, 3.4)


@verdict.case
def against_the_claim(answer):
    _ask(answer, -1.0, -1.5, -0.5)
    _ask(answer, -0.2, -2.0, 1.6)


@verdict.case
def about_equal(answer):
    _ask(answer, 0.1, -0.4, 0.6, 1.0)
    _ask(answer, -0.3, -0.8, 0.2, 1.0)
    _ask(answer, 0.4, 0.2, 0.6, 1.0)  # differs clearly, by less than matters


@verdict.case
def not_known_to_be_equal(answer):
    _ask(answer, 0.1, -4.0, 4.2, 1.0)
    _ask(answer, 0.8, -0.2, 1.8, 1.0)
    _ask(answer, 3.4, 2.0, 4.8, 1.0)


@verdict.mistake("one_of_three_words")
def yes_or_no(mean, low, high, margin=None):
    return "yes" if low > 0 else "no"


@verdict.mistake(
    "interval_on_the_side_of_the_claim",
    says="You ask for the whole interval of the *opposite* sign. Positive means as claimed.",
)
def wrong_side(mean, low, high, margin=None):
    return verdict.answer(-mean, -high, -low, margin)


@verdict.mistake(
    "interval_that_holds_zero",
    says="You look at the mean alone. The interval says that it could as well be below zero.",
)
def by_the_mean(mean, low, high, margin=None):
    return "reproduced" if mean > 0 else "not reproduced"


@verdict.mistake(
    "against_the_claim",
    says="The interval is clear of zero, but on the other side: a clear result against the claim.",
)
def either_side(mean, low, high, margin=None):
    if margin is None:
        return "reproduced" if low > 0 or high < 0 else "direction only"
    return verdict.answer(mean, low, high, margin)


@verdict.mistake(
    "about_equal",
    says="Two quantities may differ clearly and by less than anybody minds. The margin says how "
    "much matters; zero has no part in it.",
)
def equal_if_zero_is_inside(mean, low, high, margin=None):
    if margin is None:
        return verdict.answer(mean, low, high)
    return "reproduced" if low < 0 < high else "not reproduced"


@verdict.mistake(
    "not_known_to_be_equal",
    says="The mean lies within the margin, the interval does not: a difference that matters may "
    "still be there. A wide interval around zero is ignorance, not equality.",
)
def equal_by_the_mean(mean, low, high, margin=None):
    if margin is None:
        return verdict.answer(mean, low, high)
    return "reproduced" if abs(mean) < margin else "not reproduced"


@verdict.alternative
def by_distances(mean, low, high, margin=None):
    inside = (lambda x: x > 0) if margin is None else (lambda x: abs(x) < margin)
    if inside(low) and inside(high):
        return "reproduced"
    return "direction only" if inside(mean) else "not reproduced"
