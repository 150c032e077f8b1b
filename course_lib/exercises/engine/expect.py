"""The statements a case is made of: each holds, or says what is wrong and how far off it is.

None of them shows the expected values, only types, shapes and the size of the error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Incorrect(Exception):
    """An expectation failed.

    `got` is what the answer gave, kept to recognize a known mistake; then `finding`, the message
    without the explanation of the case, stands behind the explanation of the mistake.
    """

    def __init__(self, message: str, got: Any = None, finding: str = "") -> None:
        super().__init__(message)
        self.got, self.finding = snapshot(got), finding or message


def expect(condition: Any, message: str, got: Any = None) -> None:
    """Raise Incorrect with `message` unless `condition` is true."""
    if not bool(condition):
        raise Incorrect(message, got)


def expect_type(value: Any, kind: type | tuple[type, ...], what: str = "your result") -> None:
    """The value has the type."""
    if isinstance(value, kind):
        return
    if value is None:
        raise Incorrect(f"{_is(what)} `None`. Is a `return` missing?")
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names, found = [one.__name__ for one in kinds], type(value).__name__
    if found in names:  # two classes of one name
        names = [f"{one.__module__}.{one.__name__}" for one in kinds]
        found = f"{type(value).__module__}.{found}"
    wanted = " or ".join(f"`{name}`" for name in names)
    raise Incorrect(f"{_has(what)} the type `{found}`, expected {wanted}.", value)


def as_list(value: Any, what: str = "your result") -> list:
    """A list, tuple or tensor as a list, for `see`: where a task does not say which."""
    expect_type(value, (list, tuple, Tensor), what)
    expect(not isinstance(value, Tensor) or value.dim(), f"{_is(what)} a single number.", value)
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
        raise Incorrect(
            f"{_has(what)} shape `{tuple(value.shape)}`, expected `{tuple(shape)}`."
            + _shape_remark(tuple(value.shape), tuple(shape)),
            value,
        )
    if dtype is not None and value.dtype != dtype:
        reason = ""
        if value.dtype == torch.float64 and dtype == torch.float32:
            reason = " A NumPy array or a `.double()` brings `float64` in."
        raise Incorrect(
            f"{_has(what)} dtype `{_name(value.dtype)}`, expected `{_name(dtype)}`." + reason, value
        )


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
        has = "contain" if _plural(what) else "contains"
        raise Incorrect(f"{_capital(what)} {has} NaN (0/0, or infinity minus infinity).", got)
    wrong = ~torch.isclose(value, expected, atol=atol, rtol=rtol, equal_nan=True)
    differences = (value - expected).abs()[wrong]
    error = differences.nan_to_num(nan=math.inf, posinf=math.inf).max().item()
    remark = ""
    if torch.allclose(-value, expected, atol=atol, rtol=rtol):
        remark = " Every sign is flipped."
    elif 0 < wrong.sum() < wrong.numel() / 2:
        remark = f" {wrong.sum()} of {wrong.numel():,} are wrong."
    problem = f"{_has(what)} wrong values (largest error {error:.2g}).{remark}"
    raise Incorrect(problem, got)


def expect_number(
    value: Any, expected: float, what: str = "your result", *, rtol: float = 1e-3
) -> None:
    """The value is a number (or a tensor with one element) within a relative tolerance."""
    if isinstance(value, Tensor):
        has = f"{_has(what)} {_count(value.numel(), 'number')}, expected one."
        expect(value.numel() == 1, has, value)
        value = value.item()
    value = value.item() if isinstance(value, np.generic) else value
    expect(not isinstance(value, bool), f"{_is(what)} a truth value, expected a number.", value)
    expect_type(value, (int, float), what)
    if value != value or expected != expected:
        if value != value and expected != expected:
            return
        problem = "NaN (0/0, or infinity minus infinity)" if value != value else "not NaN"
        raise Incorrect(f"{_is(what)} {problem}.", value)
    try:
        near = bool(rtol) and math.isclose(value, expected, rel_tol=rtol, abs_tol=1e-9)
    except OverflowError:  # an integer may be too large for any float
        near = False
    if near or value == expected:
        return
    # Rounding hard: the size of the error helps, the exact difference would be the answer.
    direction = "large" if value > expected else "small"
    raise Incorrect(f"{_is(what)} too {direction}{_size_of_error(value, expected)}.", value)


def expect_equal(value: Any, expected: Any, what: str = "your result") -> None:
    """The value equals the expected list, tuple, integer, string or truth value exactly."""
    if expected is None:
        expect(value is None, f"{_is(what)} `{value!r}`, expected `None`.", value)
        return
    expect_type(value, type(expected), what)
    if value == expected:
        return
    where = ""
    if isinstance(expected, (list, tuple, str)):
        kind = "character" if isinstance(expected, str) else "element"
        if len(value) != len(expected):
            count = _count(len(value), kind)
            where = f" {'They have' if _plural(what) else 'It has'} {count}, not {len(expected)}."
        else:
            first = next(i for i in range(len(expected)) if value[i] != expected[i])
            where = f" The first difference is at position {first}."
    raise Incorrect(f"{_is(what)} wrong.{where}", value)


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
        expect(not isinstance(value, bool), f"{_is(what)} a truth value, expected `int`.", value)
        expect_type(value, int, what)
        expect_number(value, expected, what, rtol=0.0)
    elif isinstance(expected, dict):
        expect_type(value, dict, what)
        unknown = [str(key) for key in value if key not in expected]
        missing = len([key for key in expected if key not in value])
        if unknown or missing:
            problem = f"{_has(what)} {_count(len(unknown), 'key')} too many"
            problem += f" ({', '.join(f'`{key}`' for key in unknown)})" if unknown else ""
            raise Incorrect(f"{problem}, and {missing} of {len(expected)} missing.", list(value))
        for key, part in expected.items():
            expect_same(value[key], part, f"{what} under `{key}`", atol=atol, rtol=rtol)
    elif isinstance(expected, (list, tuple)) and not _simple(expected):
        expect_type(value, type(expected), what)
        count = f"{_has(what)} {_count(len(value), 'element')}, expected {len(expected)}."
        expect(len(value) == len(expected), count, value)
        for place, part in enumerate(expected):
            expect_same(value[place], part, f"element {place} of {what}", atol=atol, rtol=rtol)
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
        return " The axes are there, in another order."
    if [n for n in shape if n != 1] == [n for n in expected if n != 1]:
        if len(shape) > len(expected):
            return " There is an axis of length 1 too many."
        return " An axis of length 1 is missing (`keepdim=True` keeps it)."
    return ""


def _size_of_error(value: float, expected: float) -> str:
    try:
        error = abs(value - expected)
        share = error / abs(expected) if expected else math.inf
    except OverflowError:
        return ", by a factor of more than 1e300"
    if not math.isfinite(error):
        return " (infinite)"
    if not expected:
        return f", by about {error:.1g}"
    if share < 0.005:
        return ", by less than 1%"
    if value > expected and share > 10:
        return f", by a factor of about {value / expected:.1g}" if expected > 0 else ""
    return f", by about {share:.0%}"


def _simple(values: Sequence[Any]) -> bool:
    return all(isinstance(one, (str, int)) for one in values)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _plural(what: str) -> bool:
    """Whether "are" follows: the last word before the first preposition ends in a plural s."""
    if what.startswith("what "):
        return False
    head = re.split(
        r" (?:of|for|at|in|under|with|where|when|after|before|by|that|over)\b|[,(]", what
    )
    word = head[0].split()[-1].strip("`") if head[0].split() else ""
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "bias"))


def _is(what: str) -> str:
    return f"{_capital(what)} {'are' if _plural(what) else 'is'}"


def _has(what: str) -> str:
    return f"{_capital(what)} {'have' if _plural(what) else 'has'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
