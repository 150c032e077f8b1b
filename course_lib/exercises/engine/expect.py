"""The statements a case is made of: each holds, or says what is wrong and how far off it is.

None of them shows the expected values, only types, shapes and the size of the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Incorrect(Exception):
    """An expectation failed. `got` is what the answer gave, kept to recognise a known mistake."""

    def __init__(self, message: str, got: Any = None) -> None:
        super().__init__(message)
        self.got = snapshot(got)


class NotStarted(Exception):
    """The answer is still a placeholder: None or `...`."""


def expect(condition: Any, message: str, got: Any = None) -> None:
    """Raise Incorrect with `message` unless `condition` is true."""
    if not bool(condition):
        raise Incorrect(message, got)


def expect_type(value: Any, kind: type | tuple[type, ...], what: str = "your result") -> None:
    """The value has the type; None and `...` count as not started."""
    if value is None or value is ...:
        raise NotStarted(f"{_capital(what)} is still `{value}`. Is a `return` missing?")
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(f"`{one.__name__}`" for one in kinds)
        problem = f"{_capital(what)} has the type `{type(value).__name__}`, expected {names}."
        raise Incorrect(problem, value)


def expect_tensor(
    value: Any,
    shape: Sequence[int] | None = None,
    dtype: torch.dtype | None = torch.float32,
    what: str = "your result",
) -> None:
    """The value is a tensor of this dtype and shape (either is free where None)."""
    expect_type(value, Tensor, what)
    if dtype is not None and value.dtype != dtype:
        reason = ""
        if value.dtype == torch.float64 and dtype == torch.float32:
            reason = " A NumPy array or a `.double()` brings `float64` in."
        raise Incorrect(
            f"{_capital(what)} has dtype `{_name(value.dtype)}`, expected `{_name(dtype)}`."
            + reason,
            value,
        )
    if shape is not None and tuple(value.shape) != tuple(shape):
        raise Incorrect(
            f"{_capital(what)} has shape `{tuple(value.shape)}`, expected `{tuple(shape)}`."
            + _shape_remark(tuple(value.shape), tuple(shape)),
            value,
        )


def expect_close(
    value: Any,
    expected: Tensor,
    what: str = "your result",
    *,
    atol: float = 1e-5,
    rtol: float = 1e-4,
) -> None:
    """The value equals the expected tensor in dtype and shape and, within tolerance, in value."""
    expect_tensor(value, expected.shape, expected.dtype, what)
    got, value, expected = value, value.detach().double(), expected.detach().double()
    if not got.is_floating_point():
        atol = rtol = 0.0  # integers and truth values are right or wrong
    if torch.allclose(value, expected, atol=atol, rtol=rtol):
        return
    if value.isnan().any() and not expected.isnan().any():
        raise Incorrect(f"{_capital(what)} contains NaN (0/0, or infinity minus infinity).", got)
    differences = torch.where(value == expected, 0.0, (value - expected).abs())
    error = differences.nan_to_num(nan=math.inf, posinf=math.inf).max().item()
    flipped = ""
    if torch.allclose(-value, expected, atol=atol, rtol=rtol):
        flipped = " Every sign is flipped."
    problem = f"{_capital(what)} has wrong values (largest error {error:.2g}).{flipped}"
    raise Incorrect(problem, got)


def expect_number(
    value: Any, expected: float, what: str = "your result", *, rtol: float = 1e-3
) -> None:
    """The value is a number (or a tensor with one element) within a relative tolerance."""
    if isinstance(value, Tensor):
        expect(value.numel() == 1, f"{_capital(what)} has {value.numel()} numbers, expected one.")
        value = value.item()
    expect_type(value, (int, float), what)
    expect(not isinstance(value, bool), f"{_capital(what)} is a truth value, expected a number.")
    if not math.isclose(value, expected, rel_tol=rtol, abs_tol=1e-9):
        direction = "large" if value > expected else "small"
        # Rounding hard: the size of the error helps, the exact difference would be the answer.
        size = f"{abs(value - expected) / abs(expected):.0%}" if expected else "a nonzero amount"
        raise Incorrect(f"{_capital(what)} is too {direction}, by about {size}.", value)


def expect_equal(value: Any, expected: Any, what: str = "your result") -> None:
    """The value equals the expected list, tuple, integer, string or truth value exactly."""
    expect_type(value, type(expected), what)
    if value == expected:
        return
    where = ""
    if isinstance(expected, (list, tuple, str)):
        if len(value) != len(expected):
            where = f" It has {len(value)} elements, expected {len(expected)}."
        else:
            first = next(i for i in range(len(expected)) if value[i] != expected[i])
            where = f" It differs first at position {first}."
    raise Incorrect(f"{_capital(what)} is wrong.{where}", value)


def expect_unchanged(tensor: Tensor, before: Tensor, what: str) -> None:
    """An argument still holds what it held before the call."""
    expect(
        tensor.shape == before.shape and torch.equal(tensor, before),
        f"{_capital(what)} was changed in place. Its owner still needs it: work on a new tensor.",
        tensor,
    )


def snapshot(value: Any) -> Any:
    """A copy to compare later: tensors detached and cloned, containers copied."""
    if isinstance(value, Tensor):
        return value.detach().clone()
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
