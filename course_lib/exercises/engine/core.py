"""An exercise: a solution, cases that an answer must pass, and the mistakes people really make.

How to add an exercise to chapter NN
====================================
1. In `course_lib/exercises/chNN.py` write the solution and decorate it. The name of the function
   or class becomes an `Exercise`; its id is "chNN.name", and learners reach it under that name.

       from course_lib.exercises.core import exercise, expect, expect_close, expect_tensor

       @exercise(hints=("What must the weights of one query sum to?", "`softmax(dim=…)`: which?"))
       def attention_weights(scores: Tensor) -> Tensor:
           \"\"\"Turn scores (B, T, S) into weights (B, T, S) over the source.\"\"\"
           return scores.softmax(dim=-1)

   A class works the same way: the answer is then the class. With `answer="value"` the decorated
   function takes no arguments and returns the answer itself (a tensor, a number, a model, any
   object). A solution may use what its file imports at the top by absolute imports (`import torch`,
   `from course_lib.attention.masks import causal_mask`), and nothing else: `solution()` prints
   those imports with it. Where one file would be too long to read, make a folder `chNN/` with a
   file for each concept, and import every exercise in its `__init__.py`; ids and use stay the same.

2. Add cases in the order type → shape → property → value; the first that fails is reported. A case
   takes the learner's answer and uses the `expect…` functions of `expect.py`. It starts with
   seeded generators (use `torch.randn` freely), and gives a model exercise its weights by copying
   or by seeding just before. The solution as learners know it is `attention_weights.answer`.

       @attention_weights.case
       def sums_to_one_over_the_source(answer):
           weights = answer(torch.randn(2, 3, 4))
           expect_tensor(weights, (2, 3, 4))
           expect_close(weights.sum(-1), torch.ones(2, 3), "the sum of the weights of one query")

3. Add mistakes: wrong answers, each with the case that must catch it, and what to tell a learner
   whose result is the same. Every case needs at least one. Say which idea is mixed up, not what
   to type. Leave `says` out where the case's own message says it all. (A mistake is recognised by
   comparing what the failing `expect…` call looked at, so that call must see the value.)

       @attention_weights.mistake(
           "sums_to_one_over_the_source",
           says="Your weights sum to 1 over the *queries*. Attention normalises over the *keys*.",
       )
       def over_the_queries(scores):
           return scores.softmax(dim=-2)

4. Where the task can be solved in another way, add a correct answer written differently:

       @attention_weights.alternative
       def by_hand(scores):
           exponentials = (scores - scores.amax(-1, keepdim=True)).exp()
           return exponentials / exponentials.sum(-1, keepdim=True)

5. In the notebook: a cell tagged "exercise" with the starter — the same name and arguments, ending
   in `raise NotImplementedError("your code here")`; for a value, `name = ...` — then
   `chNN.name.check(name)`, then, tagged "hide-input", `chNN.name.help()`.

`tests/test_exercises.py` finds all of this by itself. Mistakes live here and not in the tests,
because they also make the messages: the checker recognises them in a learner's answer.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from course_lib.exercises.engine.expect import (
    Incorrect,
    NotStarted,
    expect,
    expect_close,
    expect_equal,
    expect_number,
    expect_tensor,
    expect_type,
    expect_unchanged,
    same,
)
from course_lib.exercises.engine.limits import TimeLimit, random_states_kept, run_limited, seed_all
from course_lib.exercises.engine.result import Help, Outcome, Result, Source, Text
from course_lib.exercises.engine.source import printed_source

__all__ = [
    "REGISTRY",
    "TODO_MARK",
    "Exercise",
    "Outcome",
    "Result",
    "exercise",
    "expect",
    "expect_close",
    "expect_equal",
    "expect_number",
    "expect_tensor",
    "expect_type",
    "expect_unchanged",
]

# What a starter raises with. A bare NotImplementedError may be torch's own, so it is an error.
TODO_MARK = "your code here"
NOT_STARTED = "Replace the starter with your own code, then run both cells again."

REGISTRY: dict[str, Exercise] = {}


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, the name of the case that catches it, and what it tells the learner."""

    definition: Any
    case: str
    says: str


class Exercise:
    """One exercise; made by the decorator `exercise`, see the top of this file."""

    def __init__(self, function: Any, hints: tuple[str, ...], answer: str, seconds: float) -> None:
        self.name = function.__name__
        chapter = function.__module__.removeprefix("course_lib.exercises.").partition(".")[0]
        self.id = f"{chapter}.{self.name}"
        self.hints = hints
        self.seconds = seconds
        self.is_value = answer == "value"
        self.cases: dict[str, Callable[[Any], None]] = {}
        self.mistakes: dict[str, Mistake] = {}
        self.alternatives: dict[str, Any] = {}
        self._definition = function
        self.__doc__ = function.__doc__

    # For learners

    def check(self, answer: Any) -> Result:
        """Judge an answer. Never raises, whatever the answer does; only Ctrl-C passes through.

        The random states of Python, NumPy and torch are the same afterwards as before.
        """
        try:
            with random_states_kept():
                return run_limited(lambda: self._judge(answer), self.seconds)
        except TimeLimit:
            return self._result(
                Outcome.ERROR,
                f"Your code did not finish within {self.seconds:g} s. Does a loop never end?",
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an object that fails when it is merely looked at
            return self._error(error, None, ())

    def hint(self, number: int = 1) -> Text:
        """Hint `number`, counted from 1; each says more than the one before."""
        if isinstance(number, int) and 1 <= number <= len(self.hints):
            return Text(f"Hint {number} of {len(self.hints)}: {self.hints[number - 1]}")
        return Text(f"{self.id} has the hints 1 to {len(self.hints)}.")

    def solution(self) -> Source:
        """The source of our own answer, with the imports that it uses."""
        return Source(printed_source(self._definition, as_value=self.is_value))

    def help(self) -> Help:
        """All hints and the solution, folded away; the last line of a notebook cell."""
        return Help(self.id, self.hints, self.solution())

    def __repr__(self) -> str:
        return f"Exercise {self.id}: .check({self.name}), .hint(1), .solution()"

    # For authors

    @property
    def answer(self) -> Any:
        """Our own answer: the decorated function or class, or the value it returns."""
        return self.answer_of(self._definition)

    def answer_of(self, definition: Any) -> Any:
        """What a learner would pass for this solution, mistake or alternative."""
        return definition() if self.is_value else definition

    def case(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Decorator: add a case; cases run in the order in which they are written."""
        self.cases[function.__name__] = function
        return function

    def mistake(self, case: str, says: str = "") -> Callable[[Any], Any]:
        """Decorator: add a wrong answer that must FAIL at `case`, and what to tell its author.

        For a value exercise the decorated function takes no arguments and returns the value.
        """
        if case not in self.cases:
            raise ValueError(f"{self.id} has no case {case!r}; write the cases above the mistakes.")

        def add(wrong: Any) -> Any:
            self.mistakes[wrong.__name__] = Mistake(wrong, case, says)
            return wrong

        return add

    def alternative(self, right: Any) -> Any:
        """Decorator: add a correct answer that is written differently."""
        self.alternatives[right.__name__] = right
        return right

    # How a check works

    def _judge(self, answer: Any) -> Result:
        problem = self._wrong_kind(answer)
        if problem:
            return problem
        passed: list[str] = []
        for name in self.cases:
            failure = self._try(name, answer, tuple(passed))
            if failure:
                return failure
            passed.append(name)
        count = f"{len(passed)} of {len(passed)} cases"
        return self._result(Outcome.PASS, f"{count}.", passed=tuple(passed))

    def _wrong_kind(self, answer: Any) -> Result | None:
        if answer is None or answer is ...:
            return self._result(Outcome.TODO, NOT_STARTED)
        if isinstance(answer, Exercise):
            message = f"This is the exercise. Pass your own answer: `check({self.name})`."
            return self._result(Outcome.FAIL, message)
        if self.is_value:
            return None
        if inspect.isclass(self._definition) and not inspect.isclass(answer):
            return self._result(Outcome.FAIL, f"Pass the class `{self.name}`, not an object.")
        if not callable(answer):
            message = f"Pass the function `{self.name}` itself, not a result of calling it."
            return self._result(Outcome.FAIL, message)
        return None

    def _try(self, name: str, answer: Any, passed: tuple[str, ...]) -> Result | None:
        """Run one case; None when the answer passes it."""
        subject, returned = _watched(answer)
        try:
            _run_case(self.cases[name], subject)
        except NotStarted as error:
            return self._result(Outcome.TODO, f"{error} {NOT_STARTED}")
        except (TimeLimit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if isinstance(error, NotImplementedError) and TODO_MARK in map(str, error.args):
                return self._result(Outcome.TODO, NOT_STARTED)
            if returned and all(returned):
                message = "Your function returns nothing yet. Is a `return` missing?"
                return self._result(Outcome.TODO, f"{message} {NOT_STARTED}")
            if isinstance(error, Incorrect):
                says = self._recognised(name, error)
                return self._result(Outcome.FAIL, f"{says}{error}", name, passed)
            return self._error(error, name, passed)
        return None

    def _recognised(self, name: str, failure: Incorrect) -> str:
        """What to say when the answer gave the same as a known mistake, or nothing."""
        for mistake in self.mistakes.values():
            if mistake.case != name or not mistake.says:
                continue
            seed_all(0)
            try:
                _run_case(self.cases[name], self.answer_of(mistake.definition))
            except Incorrect as known:
                if same(failure.got, known.got):
                    return f"{mistake.says} "
        return ""

    def _error(self, error: BaseException, case: str | None, passed: tuple[str, ...]) -> Result:
        try:
            told = str(error)
            trace = "".join(traceback.format_exception(error, limit=-4))
        except Exception:  # an exception of the learner's own may fail to print
            told, trace = "", ""
        message = f"Your code raised `{type(error).__name__}`" + (f": {told}" if told else ".")
        if isinstance(error, NotImplementedError) and not told:
            message += f' A starter raises `NotImplementedError("{TODO_MARK}")`; this one did not.'
        return self._result(Outcome.ERROR, message, case, passed, trace)

    def _result(
        self,
        outcome: Outcome,
        message: str,
        case: str | None = None,
        passed: tuple[str, ...] = (),
        trace: str = "",
    ) -> Result:
        return Result(self.id, outcome, message, case, passed, trace)


def exercise(
    *, hints: tuple[str, ...], answer: str = "definition", seconds: float = 10.0
) -> Callable[[Any], Exercise]:
    """Decorator that makes an Exercise of a solution and registers it.

    hints: 2 to 4, each telling more than the one before.
    answer: "definition" (the function or class itself) or "value" (what the function returns).
    seconds: how long one check may take.
    Raises: ValueError for an unknown kind of answer or a name that is taken.
    """
    if answer not in ("definition", "value"):
        raise ValueError(f'answer is {answer!r}, expected "definition" or "value".')

    def register(definition: Any) -> Exercise:
        made = Exercise(definition, tuple(hints), answer, seconds)
        known = REGISTRY.get(made.id)
        if known and known._definition.__qualname__ != definition.__qualname__:
            raise ValueError(f"There is an exercise {made.id} already; choose another name.")
        REGISTRY[made.id] = made
        return made

    return register


def _run_case(case: Callable[[Any], None], answer: Any) -> None:
    seed_all(0)
    with torch.enable_grad():  # a learner may have switched gradients off somewhere above
        case(answer)


def _watched(answer: Any) -> tuple[Any, list[bool]]:
    """The answer; if it is a plain function, each call notes whether it returned a placeholder."""
    returned: list[bool] = []
    if not inspect.isfunction(answer):
        return answer, returned

    @functools.wraps(answer)
    def watched(*args: Any, **kwargs: Any) -> Any:
        value = answer(*args, **kwargs)
        returned.append(value is None or value is ...)
        return value

    return watched, returned
