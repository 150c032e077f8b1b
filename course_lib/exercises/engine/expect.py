"""The statements a case is made of: each holds, or says what is wrong and how far off it is.

None of them shows the expected values, only types, shapes and the size of the error. What they say
is a sentence or several, each a literal or made by `wrong` or `say`, so that it can be translated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.figures.words import fill, remember, say


class Incorrect(Exception):
    """An expectation failed.

    `got` is what the answer gave, kept to recognize a known mistake; then `finding`, the message
    without the explanation of the case, stands behind the explanation of the mistake.
    """

    def __init__(
        self, message: str | tuple[str, ...], got: Any = None, finding: tuple[str, ...] = ()
    ) -> None:
        self.sentences = sentences(message)
        super().__init__(" ".join(self.sentences))
        self.got, self.finding = snapshot(got), finding or self.sentences


def sentences(message: str | tuple[str, ...]) -> tuple[str, ...]:
    """The sentences of a message, without the empty ones."""
    return tuple(filter(None, (message,) if isinstance(message, str) else message))


def wrong(template: str, what: str, got: Any, *remarks: str, **values: object) -> Incorrect:
    """The error that says something of `what`, such as "your result", with remarks behind it.

    >>> str(wrong("{what} is|are wrong.", "the weights", None))
    'The weights are wrong.'

    The template is the key of the translation, which has no need of the two forms; of these,
    English takes the second where the noun is a plural.
    """
    form, values = r"\2" if _plural(what) else r"\1", {"what": what, **values}
    text = fill(re.sub(r"(\w+)\|(\w+)", form, template), **values)
    return Incorrect((remember(text[:1].upper() + text[1:], template, values), *remarks), got)


def expect(condition: Any, message: str | tuple[str, ...], got: Any = None) -> None:
    """Raise Incorrect with `message` (a sentence or several) unless `condition` is true."""
    if not bool(condition):
        raise Incorrect(message, got)


def expect_type(value: Any, kind: type | tuple[type, ...], what: str = "your result") -> None:
    """The value has the type."""
    if isinstance(value, kind):
        return
    if value is None:
        raise wrong("{what} is|are `None`. Is a `return` missing?", what, None)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names, found = [one.__name__ for one in kinds], type(value).__name__
    if found in names:  # two classes of one name
        names = [f"{one.__module__}.{one.__name__}" for one in kinds]
        found = f"{type(value).__module__}.{found}"
    wanted = f"`{names[0]}`"
    for name in names[1:]:
        wanted = say("{one} or `{other}`", one=wanted, other=name)
    problem = "{what} has|have the type `{found}`, expected {wanted}."
    raise wrong(problem, what, value, found=found, wanted=wanted)


def as_list(value: Any, what: str = "your result") -> list:
    """A list, tuple or tensor as a list, for `see`: where a task does not say which."""
    expect_type(value, (list, tuple, Tensor), what)
    if isinstance(value, Tensor) and not value.dim():
        raise wrong("{what} is|are a single number.", what, value)
    return list(value)


def expect_tensor(
    value: Any,
    shape: Sequence[int] | None = None,
    dtype: torch.dtype | None = torch.float32,
    what: str = "your result",
) -> None:
    """The value is a tensor of this dtype and shape (either is free where None)."""
    expect_type(value, Tensor, what)
    if shape is not None and tuple(value.shape) != tuple(shape):
        found, wanted = tuple(value.shape), tuple(shape)
        remark = _shape_remark(found, wanted)
        problem = "{what} has|have shape `{found}`, expected `{wanted}`."
        raise wrong(problem, what, value, remark, found=found, wanted=wanted)
    if dtype is not None and value.dtype != dtype:
        double, problem = "", "{what} has|have dtype `{found}`, expected `{wanted}`."
        if value.dtype == torch.float64 and dtype == torch.float32:
            double = "A NumPy array or a `.double()` brings `float64` in."
        names = {"found": _name(value.dtype), "wanted": _name(dtype)}
        raise wrong(problem, what, value, double, **names)


def expect_close(
    value: Any,
    expected: Tensor,
    what: str = "your result",
    *,
    atol: float = 1e-5,
    rtol: float = 1e-4,
) -> None:
    """The value equals the expected tensor in shape and dtype and, within tolerance, in value."""
    expect_tensor(value, expected.shape, expected.dtype, what)
    got, value, expected = value, value.detach().double(), expected.detach().double()
    if not got.is_floating_point():
        atol = rtol = 0.0  # integers and truth values are right or wrong
    if torch.allclose(value, expected, atol=atol, rtol=rtol, equal_nan=True):
        return
    if (value.isnan() & ~expected.isnan()).any():
        raise wrong("{what} contains|contain NaN (0/0, or infinity minus infinity).", what, got)
    off = ~torch.isclose(value, expected, atol=atol, rtol=rtol, equal_nan=True)
    differences = (value - expected).abs()[off]
    error = differences.nan_to_num(nan=math.inf, posinf=math.inf).max().item()
    remark, count = "", int(off.sum())
    if torch.allclose(-value, expected, atol=atol, rtol=rtol):
        remark = "Every sign is flipped."
    elif 0 < count < off.numel() / 2:
        remark = say("{count} of {all:,} are wrong.", count=count, all=off.numel())
    problem = "{what} has|have wrong values (largest error {error:.2g})."
    raise wrong(problem, what, got, remark, error=error)


def expect_number(
    value: Any, expected: float, what: str = "your result", *, rtol: float = 1e-3
) -> None:
    """The value is a number (or a tensor with one element) within a relative tolerance."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            problem = "{what} has|have {count:,} numbers, expected one."
            raise wrong(problem, what, value, count=value.numel())
        value = value.item()
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool):
        raise wrong("{what} is|are a truth value, expected a number.", what, value)
    expect_type(value, (int, float), what)
    if value != value or expected != expected:
        if value != value and expected != expected:
            return
        if value != value:
            raise wrong("{what} is|are NaN (0/0, or infinity minus infinity).", what, value)
        raise wrong("{what} is|are not NaN.", what, value)
    try:
        near = bool(rtol) and math.isclose(value, expected, rel_tol=rtol, abs_tol=1e-9)
    except OverflowError:  # an integer may be too large for any float
        near = False
    if near or value == expected:
        return
    # Rounding hard: the size of the error helps, the exact difference would be the answer.
    size = _size_of_error(value, expected)
    if value > expected:
        raise wrong("{what} is|are too large, by {size}.", what, value, size=size)
    raise wrong("{what} is|are too small, by {size}.", what, value, size=size)


def expect_equal(value: Any, expected: Any, what: str = "your result") -> None:
    """The value equals the expected list, tuple, integer, string or truth value exactly."""
    if expected is None:
        if value is not None:
            raise wrong("{what} is|are `{value!r}`, expected `None`.", what, value, value=value)
        return
    expect_type(value, type(expected), what)
    if value == expected:
        return
    remark = ""
    if isinstance(expected, (list, tuple, str)):
        if len(value) != len(expected):
            length = "The length is {found:,}, expected {wanted:,}."
            remark = say(length, found=len(value), wanted=len(expected))
        else:
            first = next(i for i in range(len(expected)) if value[i] != expected[i])
            remark = say("The first difference is at position {place}.", place=first)
    raise wrong("{what} is|are wrong.", what, value, remark)


def expect_same(
    value: Any, expected: Any, what: str = "your result", *, atol: float = 1e-5, rtol: float = 1e-4
) -> None:
    """The value is of the same kind as the expected one, and equal to it, part by part.

    Tensors are compared by type, shape, dtype and values, floats within the relative tolerance,
    tuples, lists and dictionaries by their parts, everything else exactly.
    """
    value = value.item() if isinstance(value, np.generic) else value  # one number of NumPy's
    if isinstance(expected, Tensor):
        expect_close(value, expected, what, atol=atol, rtol=rtol)
    elif isinstance(expected, float):
        expect_number(value, expected, what, rtol=max(rtol, 1e-9))
    elif isinstance(expected, int) and not isinstance(expected, bool):
        if isinstance(value, bool):
            raise wrong("{what} is|are a truth value, expected `int`.", what, value)
        expect_type(value, int, what)
        expect_number(value, expected, what, rtol=0.0)
    elif isinstance(expected, dict):
        expect_type(value, dict, what)
        extra = ", ".join(f"`{key}`" for key in value if key not in expected)
        missing = sum(key not in value for key in expected)
        if extra or missing:
            raise wrong(
                "{what} has|have other keys than expected.",
                what,
                list(value),
                say("Missing: {missing} of {all}.", missing=missing, all=len(expected)),
                say("Not asked for: {keys}.", keys=extra) if extra else "",
            )
        for key, part in expected.items():
            under = say("{what} under `{key}`", what=what, key=key)
            expect_same(value[key], part, under, atol=atol, rtol=rtol)
    elif isinstance(expected, (list, tuple)) and not _simple(expected):
        expect_type(value, type(expected), what)
        if len(value) != len(expected):
            problem = "{what} has|have the length {found:,}, expected {wanted:,}."
            raise wrong(problem, what, value, found=len(value), wanted=len(expected))
        for place, part in enumerate(expected):
            element = say("element {place} of {what}", place=place, what=what)
            expect_same(value[place], part, element, atol=atol, rtol=rtol)
    else:
        expect_equal(value, expected, what)


def snapshot(value: Any) -> Any:
    """A copy to compare later: tensors detached and cloned, containers copied."""
    if isinstance(value, Tensor):
        return value.detach().clone() if value.numel() < 1_000_000 else None
    if isinstance(value, (list, tuple)):
        return [snapshot(item) for item in value]
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    return value if isinstance(value, (bool, int, float, str)) else None


def same(one: Any, other: Any) -> bool:
    """Whether two snapshots agree; unknown kinds (kept as None) never do."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        return torch.allclose(one, other, atol=1e-5, rtol=1e-4, equal_nan=True)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4) or (math.isnan(one) and math.isnan(other))
    return one is not None and type(one) is type(other) and one == other


def _shape_remark(shape: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if sorted(shape) == sorted(expected):
        return "The axes are there, in another order."
    if [n for n in shape if n != 1] == [n for n in expected if n != 1]:
        if len(shape) > len(expected):
            return "There is an axis of length 1 too many."
        return "An axis of length 1 is missing (`keepdim=True` keeps it)."
    return ""


def _size_of_error(value: float, expected: float) -> str:
    try:
        error = abs(value - expected)
        share = error / abs(expected) if expected else math.inf
    except OverflowError:
        return say("a factor of more than 1e300")
    if not math.isfinite(error):
        return say("an infinite amount")
    if share < 0.005:
        return say("less than 1%")
    if share <= 10 or value < expected != 0:
        return say("about {share:.0%}", share=share)
    if expected > 0:
        return say("a factor of about {factor:.1g}", factor=value / expected)
    return say("about {error:.1g}", error=error)


def _simple(values: Sequence[Any]) -> bool:
    return all(isinstance(one, (str, int)) for one in values)


def _plural(what: str) -> bool:
    """Whether "are" follows: the last word before the first preposition ends in a plural s."""
    if what.startswith("what "):
        return False
    head = re.split(
        r" (?:of|for|at|in|under|with|where|when|after|before|by|that|over)\b|[,(]", what
    )
    word = head[0].split()[-1].strip("`") if head[0].split() else ""
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "bias"))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
