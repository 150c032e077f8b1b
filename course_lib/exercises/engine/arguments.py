"""What an answer is given: copies to give, and a watch over what it does with them."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.expect import Incorrect, wrong
from course_lib.figures.words import say

# No exercise has results of this size. A tensor may be huge without any memory (`expand`), and
# one comparison or sort of it runs inside C code, where no time limit reaches it.
LARGEST = 10_000_000


class named(dict):  # noqa: N801 - reads like a call
    """Keyword arguments among the inputs of a case: `yield x, named(rate=0.5)`."""


def called(function: Callable, inputs: tuple) -> Any:
    """Call with inputs of which the last may be `named`."""
    if inputs and isinstance(inputs[-1], named):
        return function(*inputs[:-1], **inputs[-1])
    return function(*inputs)


def fresh(value: Any) -> Any:
    """A copy that shares nothing with the original; functions and unknown objects stay."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, torch.Generator):
        return value.clone_state()
    if isinstance(value, (list, tuple, set)) and type(value) in (list, tuple, set):
        return type(value)(fresh(item) for item in value)
    if type(value) in (dict, named):
        return type(value)((key, fresh(item)) for key, item in value.items())
    if isinstance(value, nn.Module) or dataclasses.is_dataclass(value):
        return copy.deepcopy(value)
    return value


class Kept:
    """What a value holds now: says later what was changed, and puts it back.

    Looked at are tensors, lists, dictionaries, sets, dataclasses and what is inside them, and of
    modules the weights and buffers, which of them learn, and the mode of each part.
    """

    def __init__(self, value: Any, name: str = "") -> None:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = getattr(value, "__dict__", None)
        self.value, self.name = value, name
        self.before: Any = None
        inside: Iterable[Any] = []
        if isinstance(value, Tensor):
            self.before, self.learns = value.detach().clone(), value.requires_grad
        elif isinstance(value, nn.Module):
            self.before = [(one, one.training) for one in value.modules()]
            inside = [*value.parameters(), *value.buffers()]
        elif isinstance(value, dict):
            self.before, inside = dict(value), value.values()
        elif isinstance(value, (list, set, tuple)):
            self.before = inside = list(value)
        self.parts = [Kept(one, name) for one in inside]

    def change(self) -> str:
        """What was changed, as a sentence; "" when nothing was."""
        value, changed = self.value, False
        if isinstance(value, Tensor):
            changed = not _equal(value.detach(), self.before)
            if not changed and value.is_leaf and value.requires_grad != self.learns:
                return say("Your code changed whether `{name}` needs a gradient.", name=self.name)
        elif isinstance(value, nn.Module):
            if any(one.training != mode for one, mode in self.before):
                return say(
                    "Your code left `{name}` in another mode (training or evaluation) than it "
                    "found it in.",
                    name=self.name,
                )
        elif isinstance(value, dict):
            changed = list(value) != list(self.before)
            changed = changed or not _identical(value.values(), self.before.values())
        elif isinstance(value, set):
            changed = value != set(self.before)
        elif isinstance(value, list):
            changed = not _identical(value, self.before)
        if changed:
            return say(
                "Your code changed `{name}` in place. Its owner still needs it: work on a copy.",
                name=self.name,
            )
        return next(filter(None, (one.change() for one in self.parts)), "")

    def restore(self) -> None:
        value = self.value
        if isinstance(value, Tensor):
            if not _equal(value.detach(), self.before):
                if value.shape == self.before.shape and value.dtype == self.before.dtype:
                    value.data.copy_(self.before)  # also through a view, into what it looks at
                else:
                    value.data = self.before.clone()
            if value.is_leaf and value.requires_grad != self.learns:
                value.requires_grad_(self.learns)
        elif isinstance(value, nn.Module):
            for one, mode in self.before:
                one.training = mode
        elif isinstance(value, list):
            value[:] = self.before
        elif isinstance(value, (set, dict)) and self.change():
            value.clear()
            value.update(self.before)
        for part in self.parts:
            part.restore()


class Watch:
    """Wraps an answer, so that what it does to its surroundings is noticed and undone.

    solution: ours, for the names of the arguments. may_change: names of arguments whose change
    is what the exercise asks for.
    """

    def __init__(self, solution: Any, may_change: Collection[str] = ()) -> None:
        self.solution, self.may_change = solution, may_change
        self.inside = False
        self.kept: list[Kept] = []
        self.returned_nothing: list[bool] = []

    def wrap(self, answer: Any) -> Any:
        """The answer (function or class) behind the watch."""
        if inspect.isclass(answer):
            return self._wrap_class(answer)
        function = answer if inspect.isfunction(answer) else lambda *a, **k: answer(*a, **k)
        return self._wrap(function, parameter_names(self.solution))

    def restore(self) -> None:
        """Put back what the calls so far were given."""
        for one in reversed(self.kept):
            one.restore()
        self.kept.clear()

    def _wrap_class(self, answer: type) -> type:
        """A subclass whose methods are watched, where the class lets itself be subclassed."""
        methods = {}
        for owner in reversed(answer.__mro__):
            if owner.__module__.split(".")[0] in ("builtins", "torch"):
                continue
            for name, method in vars(owner).items():
                if inspect.isfunction(method) and (name == "__init__" or name[:1] != "_"):
                    ours = getattr(self.solution, name, None)
                    methods[name] = self._wrap(method, parameter_names(ours)[1:], skip=1)
        about = {"__module__": answer.__module__, "__qualname__": answer.__qualname__}
        try:
            return type(answer)(answer.__name__, (answer,), {**methods, **about})
        except Exception:
            return answer

    def _wrap(self, function: Callable, names: list[str], skip: int = 0) -> Callable:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self.inside:  # the answer's own calls are its own business
                return function(*args, **kwargs)
            labels = [*names, *(f"args[{i}]" for i in range(len(names), len(args)))]
            named = dict(zip(labels, args[skip:], strict=False)) | kwargs
            kept = [Kept(one, name) for name, one in named.items() if name not in self.may_change]
            self.kept += kept
            modes = torch.is_grad_enabled(), torch.get_default_dtype()
            self.inside = True
            try:
                value = function(*args, **kwargs)
            finally:
                self.inside = False
            if function.__name__ != "__init__":
                self.returned_nothing.append(value is None or value is ...)
            for one in kept:
                if change := one.change():
                    raise ChangedArgument(change, one.name)
            if torch.is_grad_enabled() != modes[0]:
                raise Incorrect(
                    "Your code leaves gradients switched off or on for all that follows."
                )
            if torch.get_default_dtype() != modes[1]:
                raise Incorrect("Your code leaves torch with another default dtype.")
            check_size(value)
            return value

        return watched


class ChangedArgument(Incorrect):
    """An answer changed what it was given."""


def check_size(value: Any, what: str = "your result") -> None:
    """Raise Incorrect where a tensor in the value is too large to look at."""
    for tensor in tensors_in(value):
        if tensor.numel() > LARGEST:
            problem = "{what} has|have the shape {shape}: far too many numbers."
            raise wrong(problem, what, None, shape=tuple(tensor.shape))


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in a value made of tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def described(names: list[str], inputs: tuple) -> str:
    """The inputs of a call in a few words: "`x` of shape (2, 3); `heads = 4`"."""
    words: list[str] = []
    *given, last = (*inputs, {}) if not isinstance(inputs[-1], named) else inputs
    for name, value in (dict(zip(names, given, strict=False)) | last).items():
        text = ""
        if isinstance(value, Tensor) and (value.numel() > 12 or value.is_floating_point()):
            text = say("`{name}` of shape {shape}", name=name, shape=tuple(value.shape))
        elif isinstance(value, Tensor):
            text = f"`{name} = {value.tolist()}`"
        elif isinstance(value, (bool, int, float, str, list, tuple)):
            text = "" if list(tensors_in(value)) else f"`{name} = {value!r}`"
        if 0 < len(text) <= 60 + len(name) and sum(map(len, words)) < 90:
            words.append(text)
    return "; ".join(words)


def parameter_names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _identical(some: Any, others: Any) -> bool:
    return len(some) == len(others) and all(
        a is b or (isinstance(a, (int, float, str)) and type(a) is type(b) and a == b)
        for a, b in zip(some, others, strict=True)
    )


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())
