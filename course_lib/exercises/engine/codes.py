"""A short code for a passed exercise: its id and three check digits, such as `ch03.latch-7K2`.

The pages of the book cannot see a notebook, so a learner carries the code over, and the page marks
the exercise as done. The digits find a mistyped code. They prove nothing: anybody can compute them,
and `book/_static/progress/codes.js` does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

# Crockford's 32 digits: without I, L, O and U, which look or sound like others.
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
START, FACTOR, BITS = 0x811C9DC5, 0x01000193, 0xFFFFFFFF  # of the hash FNV-1a with 32 bits


def check_digits(text: str) -> str:
    """Three digits from the hash of a text."""
    number = START
    for byte in text.encode():
        number = (number ^ byte) * FACTOR & BITS
    number ^= number >> 15
    return "".join(DIGITS[number >> shift & 31] for shift in (10, 5, 0))


def code_of(exercise: str) -> str:
    """The code of one exercise, from its id."""
    return f"{exercise}-{check_digits(exercise)}"


def code_of_several(passed: Collection[str], chapter: Sequence[str]) -> str:
    """One code for several exercises of a chapter: their numbers, and digits from their ids.

    chapter: the ids of all its exercises, in the order of the page; `ch03.1+4-AB7` stands for the
    first and the fourth.
    """
    numbers = [str(number) for number, one in enumerate(chapter, 1) if one in passed]
    digits = check_digits("+".join(one for one in chapter if one in passed))
    return f"{chapter[0].partition('.')[0]}.{'+'.join(numbers)}-{digits}"
