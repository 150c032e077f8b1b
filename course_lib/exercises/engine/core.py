'''An exercise: a solution, cases that an answer must pass, and the mistakes people really make.

How to add an exercise to chapter NN
====================================
1. In `course_lib/exercises/chNN.py` write the solution and decorate it. The name of the function
   or class becomes an `Exercise`; its id is "chNN.name", and learners reach it under that name.

       from course_lib.exercises.engine.core import exercise, expect, expect_close

       @exercise(hints=("What must the weights of one query sum to?", "`softmax(dim=…)`: which?"))
       def attention_weights(scores: Tensor) -> Tensor:
           """Turn scores (B, T, S) into weights (B, T, S) over the source."""
           return scores.softmax(dim=-1)

   Give two to four hints, from vague to plain. A class works the same way: the answer is then the
   class. With `answer="value"` the decorated function takes no arguments and returns the answer
   itself (a number, a model, any object). `changes=("model",)` names arguments that the task asks
   to change; a change to any other argument is noticed without further ado, named to the learner,
   and undone. A solution may use what its file imports at the top by absolute imports, and nothing
   else: `solution()` prints those imports with it.

   Everything that a learner reads is translated sentence by sentence: it is a literal, or it comes
   whole from `say("{count} of {all} are wrong.", …)`, never from an f-string. What is told of may
   stand in a slot, such as the learner's number, or the name of a thing; code takes backticks. A
   helper takes such texts as `what`, `says` or `message`: by these names tools/checker_messages.py
   finds them for the translators.

2. Add cases, the most telling first; the first that fails is reported. Most of them say: the same
   as our answer, on these inputs. Type, shape, dtype and values are compared in this order, and
   with `grad=True` the gradient with respect to every float input.

       @attention_weights.same_as_answer("the weights", grad=True)
       def several_sentences():
           yield torch.randn(2, 3, 5)
           yield torch.randn(4, 1, 7)

   One case is one function; it yields the inputs of one call after another: a value, or a tuple
   of several, at its end perhaps `named(temperature=0.5)` for keyword arguments.
   `see=lambda result: …` compares a part of the result, `call=lambda answer, x: …` makes more of
   an answer than one call, `says=` puts the property into words. Other properties are cases
   written by hand, with the `expect…` functions of `expect.py`:

       @attention_weights.case
       def sums_to_one_over_the_source(answer):
           sums = answer(torch.randn(2, 3, 4)).sum(-1)
           expect_close(sums, torch.ones(2, 3), "the sum of the weights of one query")

   Every run starts with seeded generators and fresh inputs: draw them with `torch.randn`, so that
   another seed gives other inputs. Good inputs have unequal sizes, several rows, irregular
   numbers, every parameter at two values or more, values exactly on each boundary, and both modes
   of a model.

3. Add mistakes: at most four wrong answers that people really give, each with the case that must
   catch it, and what to tell a learner who made it. Say which idea is mixed up, not what to type.
   A mistake is a patch of our own source (`old -> new`, several joined by ` ;; `), or a function.
   `old` must stand there exactly once, outside the docstring. A mistake belongs to the first case
   that it fails; for a boundary, let the earlier cases keep off it. Each case needs a mistake, or
   a wrong answer of step 4, that fails there first.

       attention_weights.mistake(
           "sums_to_one_over_the_source",
           "Your weights sum to 1 over the *queries*. Attention normalizes over the *keys*.",
           "dim=-1 -> dim=-2",
       )

   A learner is told so if the answer fails there in the same way as the mistake does, on the
   inputs of two seeds (the same result in the failing statement, or the same exception), and
   passes no later case that the mistake fails. So leave the inputs of a case rich enough to tell
   its mistakes apart.

4. Right answers written differently, and wrong ones without a message of their own, stand in
   `tests/exercises/answers_chNN.py`, in `RIGHT` and `WRONG`: patches or functions, one line each.

5. In `notebooks/NN_…_exercises.ipynb`, after the last exercise: the statement, headed
   "### Exercise 3.7 — Its title", which begins with "Difficulty: easy.", medium or hard; a cell
   tagged "exercise" with the starter — the same name and arguments, ending in
   `raise NotImplementedError("your code here")`; for a value, `name = ...` — then
   `chNN.name.check(name)`, then, tagged "hide-input", `chNN.name.help()`. The first cell of
   the notebook and the lesson's section "Exercises" say how many exercises there are now and
   about how long they take; a test tells the words. In `course_lib/exercises/skills.py` name one
   or two skills that it practices, for the page of all exercises.

`python -m pytest tests/exercises -k chNN` checks the exercise, and `python -m pytest
tests/book/test_notebooks.py -k NN_` the words of both pages. The test that looks for the check
cell fails until step 5 is done. At last `make map`.
'''

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_lib.exercises.engine.arguments import (  # noqa: F401
    ChangedArgument,
    Watch,
    called,
    check_size,
    described,
    fresh,
    named,
    parameter_names,
    tensors_in,
)
from course_lib.exercises.engine.codes import code_of, code_of_several
from course_lib.exercises.engine.expect import (  # noqa: F401 - chapters take them from here
    Incorrect,
    as_list,
    expect,
    expect_close,
    expect_equal,
    expect_number,
    expect_same,
    expect_tensor,
    expect_type,
    same,
    sentences,
)
from course_lib.exercises.engine.limits import TimeLimit, run_limited, seed_all, session_kept
from course_lib.exercises.engine.result import Help, Outcome, Quoted, Result, Source, Text
from course_lib.exercises.engine.source import patched, printed_source
from course_lib.figures.words import say

# What a starter raises with. A bare NotImplementedError may be torch's own, so it is an error.
TODO_MARK = "your code here"
NOT_STARTED = "Replace the starter with your own code, then run both cells again."
LEFT_ALONE = "arguments_left_alone"  # the case that a changed argument is reported under

REGISTRY: dict[str, Exercise] = {}
PASSED: set[str] = set()  # since this Python was started


class Mistake(NamedTuple):
    """A wrong answer, the name of the case that catches it, and what it tells the learner."""

    change: Any
    case: str
    says: str


class Failure(NamedTuple):
    """How an answer failed a case: the error, and whether every call had returned nothing."""

    error: BaseException
    returned_nothing: bool

    @property
    def where(self) -> tuple[type, str]:
        """The failing statement: the kind of error and its text without numbers."""
        return type(self.error), re.sub(r"-?\d[\d.,e+-]*|\binf\b|nan", "#", str(self.error))


class Exercise:
    """One exercise; made by the decorator `exercise`, see the top of this file."""

    def __init__(
        self, definition: Any, hints: tuple, answer: str, seconds: float, changes: tuple
    ) -> None:
        self.name, self.__doc__ = definition.__name__, definition.__doc__
        self.id = f"{definition.__module__.rpartition('.')[2]}.{self.name}"
        self.hints, self.seconds, self.changes = hints, seconds, changes
        self.is_value = answer == "value"
        self.cases: dict[str, Callable[[Any], None]] = {}
        self.mistakes: list[Mistake] = []
        self._definition = definition

    # For learners

    def check(self, answer: Any) -> Result:
        """Judge an answer. Never raises, whatever the answer does; only Ctrl-C passes through.

        What the answer changes in its arguments or in the session (random states, gradient mode
        and so on) is put back.
        """
        watch = Watch(None if self.is_value else self._definition, self.changes)
        try:
            with session_kept():
                return run_limited(lambda: self._judge(answer, watch), self.seconds)
        except TimeLimit:
            return self._result(
                Outcome.ERROR,
                say(
                    "Your code did not finish within {seconds:g} s. Does a loop never end?",
                    seconds=self.seconds,
                ),
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an object that fails when it is merely looked at
            return self._error(error, None, ())
        finally:
            watch.restore()

    def hint(self, number: int = 1) -> Text:
        """Hint `number`, counted from 1; each says more than the one before."""
        count = len(self.hints)
        if isinstance(number, int) and 1 <= number <= count:
            hint = self.hints[number - 1]
            said = say("Hint {number} of {count}: {hint}", number=number, count=count, hint=hint)
        else:
            said = say("`{exercise}` has the hints 1 to {count}.", exercise=self.id, count=count)
        return Text(said)

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

    def answer_of(self, change: Any) -> Any:
        """What a learner would pass who made this change: a patch of our source, or a function.

        For a value exercise a function without arguments returns the value.
        """
        if isinstance(change, str) and "->" in change:
            change = patched(self._definition, change)
        return change() if self.is_value and inspect.isfunction(change) else change

    def case(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Decorator: add a case; cases run in the order in which they are written."""
        self.cases[function.__name__] = function
        return function

    def same_as_answer(
        self,
        what: str = "your result",
        *,
        grad: bool = False,
        see: Callable[[Any], Any] | None = None,
        call: Callable[..., Any] | None = None,
        says: str = "",
        atol: float = 1e-5,
        rtol: float = 1e-4,
    ) -> Callable[[Callable], Callable]:
        """Decorator: add a case that compares an answer with ours on the inputs that are yielded.

        what: the thing compared, as a message names it. grad: compare the gradients with respect
        to the float inputs, too. see: a function of the result that picks what is compared.
        call: a function of the answer and the inputs, in the place of one call of the answer.
        says: what to tell where the two differ, in front of the size of the error.
        """

        def result_of(answer: Any, inputs: tuple) -> Any:
            seed_all(1)  # an answer that draws must draw what ours does
            result = called(call, (answer, *inputs)) if call else called(answer, inputs)
            return see(result) if see else result

        def compare(answer: Any, inputs: tuple, names: list[str]) -> None:
            tolerance = {"atol": atol, "rtol": rtol}
            expected = result_of(self.answer, fresh(inputs))
            value = result_of(answer, fresh(inputs))
            expect_same(value, expected, what, **tolerance)
            if not grad:
                return
            ours, theirs = (
                _gradients(lambda given, one=one: result_of(one, given), inputs, names)
                for one in (self.answer, answer)
            )
            cut = say("No gradient flows through {what}: it is cut off.", what=what)
            expect(theirs or not any(one.any() for one in ours.values()), cut, False)
            for name, slope in ours.items():
                where = say("the gradient of {what} with respect to `{name}`", what=what, name=name)
                try:
                    expect_close(theirs[name], slope, where, atol=10 * atol, rtol=10 * rtol)
                except Incorrect as error:
                    remark = "The values are right. Is something detached on the way?"
                    raise Incorrect((*error.sentences, remark), error.got) from None

        def add(make: Callable) -> Callable:
            def case(answer: Any) -> None:
                names = parameter_names(call)[1:] if call else parameter_names(self._definition)
                given = list(make()) if inspect.isgeneratorfunction(make) else [make()]
                for inputs in given:
                    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
                    try:
                        compare(answer, inputs, names)
                    except ChangedArgument:
                        raise
                    except Incorrect as error:
                        about = described(names, inputs)
                        on = say("(With {inputs}.)", inputs=about) if about else ""
                        finding = sentences((*error.sentences, on))
                        raise Incorrect((says, *finding), error.got, finding) from None

            case.__name__ = make.__name__
            return self.case(case)

        return add

    def mistake(self, case: str, says: str, change: Any) -> None:
        """Add a wrong answer (a patch of our source, a function or a class) that must FAIL at
        `case`, and what to tell its author.
        """
        self.mistakes.append(Mistake(change, case, says))

    # How a check works

    def _judge(self, answer: Any, watch: Watch) -> Result:
        problem = self._wrong_kind(answer)
        if problem:
            return problem
        passed: list[str] = []
        for name in self.cases:
            failure = self._run(name, answer, watch)
            if failure:
                return self._judged(failure, name, answer, watch, tuple(passed))
            passed.append(name)
        count = say("Cases passed: {passed} of {count}.", passed=len(passed), count=len(passed))
        return self._result(Outcome.PASS, count, None, tuple(passed), "", *self._codes())

    def _codes(self) -> tuple[str, str]:
        """The code of this exercise, and one for all of its chapter that passed in this session."""
        if REGISTRY.get(self.id) is not self:  # not an exercise of the book
            return "", ""
        PASSED.add(self.id)
        chapter = [one for one in REGISTRY if one.partition(".")[0] == self.id.partition(".")[0]]
        passed = PASSED.intersection(chapter)
        return code_of(self.id), code_of_several(passed, chapter) if len(passed) > 1 else ""

    def _wrong_kind(self, answer: Any) -> Result | None:
        if answer is ... or (self.is_value and _unfinished(answer, self.answer)):
            return self._result(Outcome.TODO, NOT_STARTED)
        problem = ""
        if isinstance(answer, Exercise):
            problem = "This is the exercise. Pass your own answer: `check({name})`."
        elif not self.is_value and inspect.isclass(self._definition) > inspect.isclass(answer):
            problem = "Pass the class `{name}`, not an object."
        elif not self.is_value and not callable(answer):
            problem = "Pass the function `{name}` itself, not a result of calling it."
        return self._result(Outcome.FAIL, say(problem, name=self.name)) if problem else None

    def _run(self, name: str, answer: Any, watch: Watch, seed: int = 0) -> Failure | None:
        """Run one case; None when the answer passes it."""
        watch.returned_nothing.clear()
        # A learner may have changed the gradient mode or the default dtype somewhere above.
        with session_kept(), torch.enable_grad():
            seed_all(seed)
            torch.set_default_dtype(torch.float32)
            try:
                if self.is_value:
                    check_size(answer, "your answer")
                self.cases[name](answer if self.is_value else watch.wrap(answer))
            except (TimeLimit, KeyboardInterrupt):
                raise
            except BaseException as error:
                nothing = watch.returned_nothing
                return Failure(error, bool(nothing) and all(nothing))
            finally:
                watch.restore()
        return None

    def _judged(
        self, failure: Failure, name: str, answer: Any, watch: Watch, passed: tuple[str, ...]
    ) -> Result:
        error = failure.error
        if isinstance(error, NotImplementedError) and TODO_MARK in map(str, error.args):
            return self._result(Outcome.TODO, NOT_STARTED)
        if isinstance(error, ChangedArgument):
            return self._result(Outcome.FAIL, error.sentences, LEFT_ALONE, passed)
        if failure.returned_nothing and not self.changes:
            nothing = "Your function returns nothing (`None`). Is a `return` missing?"
            return self._result(Outcome.FAIL, nothing, name, passed)
        says = self._recognized(name, failure, answer, watch)
        if isinstance(error, Incorrect):
            found = (says, *error.finding) if says else error.sentences
            return self._result(Outcome.FAIL, found, name, passed)
        result = self._error(error, name, passed)
        if says:
            result = replace(result, outcome=Outcome.FAIL, sentences=(says, *result.sentences))
        return result

    def _recognized(self, name: str, failure: Failure, answer: Any, watch: Watch) -> str:
        """What to say where the answer fails like a known mistake, with two seeds; or nothing.

        An answer that passes a later case is none of the mistakes that fail it.
        """
        names = list(self.cases)
        later = names[names.index(name) + 1 :]
        for mistake in self.mistakes:
            if mistake.case != name:
                continue
            wrong = self.answer_of(mistake.change)
            if (
                _alike(failure, self._run(name, wrong, watch))
                and _alike(*(self._run(name, one, watch, seed=1) for one in (answer, wrong)))
                and all(
                    self._run(one, answer, watch) or not self._run(one, wrong, watch)
                    for one in later
                )
            ):
                return mistake.says
        return ""

    def _error(self, error: BaseException, case: str | None, passed: tuple[str, ...]) -> Result:
        try:
            why = str(error)
            trace = "".join(traceback.format_exception(error, limit=-4))
        except Exception:  # an exception of the learner's own may fail to print
            why, trace = "", ""
        raised = "Your code raised `{error}`:" if why else "Your code raised `{error}`."
        starter = ""
        if isinstance(error, NotImplementedError) and not why:
            starter = say(
                'A starter raises `NotImplementedError("{mark}")`; this one did not.',
                mark=TODO_MARK,
            )
        found = (say(raised, error=type(error).__name__), Quoted(why), starter)
        return self._result(Outcome.ERROR, found, case, passed, trace)

    def _result(self, outcome: Outcome, message: str | tuple[str, ...], *about: Any) -> Result:
        return Result(self.id, outcome, sentences(message), *about)


def exercise(
    *,
    hints: tuple[str, ...],
    answer: str = "definition",
    seconds: float = 10.0,
    changes: tuple[str, ...] = (),
) -> Callable[[Any], Exercise]:
    """Decorator that makes an Exercise of a solution and registers it.

    hints: 2 to 4, each telling more than the one before.
    answer: "definition" (the function or class itself) or "value" (what the function returns).
    seconds: how long one check may take.
    changes: names of arguments that an answer is asked to change.
    """

    def register(definition: Any) -> Exercise:
        made = Exercise(definition, hints, answer, seconds, changes)
        REGISTRY[made.id] = made
        return made

    return register


def _gradients(call: Callable, inputs: tuple, names: list[str]) -> dict[str, Tensor]:
    """The gradients of a result by the names of the inputs; {} where the result has none.

    The gradient is that of a sum of the result's numbers with different weights.
    """
    given = fresh(inputs)
    labels = [*names, *(f"inputs[{i}]" for i in range(len(names), len(given)))]
    leaves = {}
    for label, value in zip(labels, given, strict=False):
        inside = [one for one in tensors_in(value) if one.is_floating_point()]
        several = len(inside) > 1
        for i, one in enumerate(inside):
            leaves[f"{label}[{i}]" if several else label] = one.requires_grad_()
    parts = [one for one in tensors_in(call(given)) if one.requires_grad]
    if not parts:
        return {}
    weighted = [(one * torch.linspace(0.5, 2, one.numel()).view(one.shape)).sum() for one in parts]
    slopes = torch.autograd.grad(
        sum(weighted[1:], weighted[0]), list(leaves.values()), materialize_grads=True
    )
    return dict(zip(leaves, slopes, strict=True))


def _unfinished(answer: Any, ours: Any) -> bool:
    """Whether a value is the starter, or has a part that still is."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if type(answer) in (list, tuple):
        return any(one is ... for one in answer)
    return answer is None and ours is not None


def _alike(one: Failure | None, other: Failure | None) -> bool:
    """Whether two answers fail in the same statement with the same result, or both pass."""
    if one is None or other is None or one.where != other.where:
        return one is other
    if isinstance(one.error, Incorrect) and isinstance(other.error, Incorrect):
        return same(one.error.got, other.error.got)
    return True
