"""Every exercise of every chapter: right answers pass, wrong ones are told why, nothing leaks.

The answers of the learners we imagine are the mistakes of an exercise, which stand beside it, and
RIGHT and WRONG of `answers_chNN.py` in this folder.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import time
from functools import cache
from pathlib import Path

import pytest
import torch
from session import session

from course_lib.exercises import all_exercises
from course_lib.exercises.engine.core import LEFT_ALONE, Exercise, Outcome, Result
from course_lib.exercises.engine.limits import session_kept
from course_lib.exercises.engine.source import printed_source

EXERCISES = all_exercises()
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHAPTERS = sorted({one[:4] for one in EXERCISES})
each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda one: one.id)


def others(kind: str) -> list:
    """(exercise, answer) of all RIGHT or all WRONG answers."""
    found = []
    for chapter in CHAPTERS:
        answers = getattr(importlib.import_module(f"answers_{chapter}"), kind)
        assert {one.id[:4] for one in answers} <= {chapter}
        found += [(one, change) for one, several in answers.items() for change in several]
    return found


def called(change: object) -> str:
    return change if isinstance(change, str) else getattr(change, "__name__", type(change).__name__)


def names(pairs: list) -> list[str]:
    return [f"{one.id}: {called(change)}" for one, change in pairs]


def each(pairs: list):
    return pytest.mark.parametrize(("exercise", "change"), pairs, ids=names(pairs))


RIGHT = others("RIGHT")
WRONG = others("WRONG")
MISTAKES = [(e, mistake) for e in EXERCISES.values() for mistake in e.mistakes]


def handed_in(exercise: Exercise, change: object) -> object:
    """What a learner would pass, made without touching the random state of the test run."""
    with session_kept():
        torch.manual_seed(0)
        return exercise.answer_of(change)


# An exercise and its notebook ---------------------------------------------------------------------


@cache
def code_cells() -> list[tuple[str, list[dict]]]:
    notebooks = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    return [(path.name, json.loads(path.read_text("utf8"))["cells"]) for path in notebooks]


def places(exercise: Exercise) -> list[tuple[str, dict]]:
    """The notebooks that hand in this exercise, each with the cell tagged "exercise" before."""
    call = f"{exercise.id}.check({exercise.name})"
    found = []
    for notebook, cells in code_cells():
        for position, cell in enumerate(cells):
            if "".join(cell["source"]).strip() == call:
                found.append((notebook, cells[position - 1]))
    return found


@each_exercise
def test_appears_in_one_notebook_with_a_starter_that_is_todo(exercise):
    assert re.fullmatch(r"ch\d\d\.[A-Za-z_][A-Za-z0-9_]*", exercise.id)  # in any language
    chapter, name = exercise.id.split(".")
    assert getattr(importlib.import_module(f"course_lib.exercises.{chapter}"), name) is exercise
    found = places(exercise)
    assert len(found) == 1, (
        f"{exercise.id}.check({name}) stands in {len(found)} notebook cells, not 1: step 5 of "
        f"course_lib/exercises/engine/core.py says which cells an exercise has"
    )
    ((notebook, cell),) = found
    assert re.fullmatch(rf"{chapter[2:]}_\w+_exercises\.ipynb", notebook)
    assert "exercise" in cell["metadata"].get("tags", [])
    namespace: dict = {"torch": torch, "nn": torch.nn, "Tensor": torch.Tensor}
    exec("from __future__ import annotations\n" + "".join(cell["source"]), namespace)
    starter = namespace[name]
    assert exercise.check(starter).outcome is Outcome.TODO
    if inspect.isfunction(starter):
        assert inspect.signature(starter).parameters.keys() == (
            inspect.signature(exercise.answer).parameters.keys()
        )
    sources = ["".join(one["source"]).strip() for _, cells in code_cells() for one in cells]
    assert sources.count(f"{exercise.id}.help()") == 1


@each_exercise
def test_hints_are_graded_and_shown(exercise):
    assert 2 <= len(exercise.hints) <= 4 and len(set(exercise.hints)) == len(exercise.hints)
    for number, hint in enumerate(exercise.hints, start=1):
        assert str(exercise.hint(number)).endswith(hint)
    markup = exercise.help()._repr_html_()
    assert markup.count("<details>") == markup.count("</details>") == len(exercise.hints) + 1
    assert not re.search(r"(src|href)=|<script|url\(", markup)


# Right answers ------------------------------------------------------------------------------------


@each_exercise
def test_solution_passes_and_leaves_the_session_alone(exercise):
    answer = handed_in(exercise, exercise._definition)
    before, started = session(), time.monotonic()
    first, second = exercise.check(answer), exercise.check(answer)
    assert first.require().passed_cases == tuple(exercise.cases)
    assert repr(first) == repr(second)
    assert session() == before
    assert time.monotonic() - started < exercise.seconds / 2


@each_exercise
def test_printed_solution_passes_in_a_fresh_namespace(exercise):
    source, namespace = exercise.solution(), {"__name__": "learner"}
    assert "exercise" not in source.splitlines()[0] and "@" not in source.splitlines()[0]
    with session_kept():
        torch.manual_seed(0)
        exec(source, namespace)
    exercise.check(namespace[exercise.name]).require()


@each(RIGHT)
def test_another_right_answer_passes(exercise, change):
    exercise.check(handed_in(exercise, change)).require()


# Wrong answers ------------------------------------------------------------------------------------


def bare(message: str) -> str:
    """A message without blanks, to look for code in it."""
    return re.sub(r"\s|`", "", message)


@cache
def told_by(exercise: Exercise) -> list[str]:
    """What no message may contain: our own answer."""
    body = ast.parse(printed_source(exercise._definition, as_value=exercise.is_value)).body[-1]
    parts = [one for one in ast.walk(body) if isinstance(one, (ast.Return, ast.Assign))]
    answers = [bare(ast.unparse(one.value)) for one in parts if one.value is not None]
    answers = [one for one in answers if len(one) > 11]
    if exercise.is_value and isinstance(exercise.answer, (int, float, str)):
        answers.append(f" {exercise.answer}")
    return answers


@pytest.mark.parametrize(
    ("exercise", "mistake"),
    MISTAKES,
    ids=[f"{one.id}: {called(mistake.change)}" for one, mistake in MISTAKES],
)
def test_mistake_fails_at_its_case_with_its_message(exercise, mistake):
    before = session()
    result = exercise.check(handed_in(exercise, mistake.change))
    assert session() == before
    assert (result.outcome, result.case) == (Outcome.FAIL, mistake.case), result
    assert result.message.startswith(mistake.says), f"{result.message!r} says something else"
    assert len(result.message) > 20
    for one in told_by(exercise):
        assert one not in bare(result.message), f"{result.message} tells the answer"


@cache
def result_of_wrong(place: int) -> Result:
    """What the checker says to the answer at a place of WRONG; two tests ask."""
    exercise, change = WRONG[place]
    return exercise.check(handed_in(exercise, change))


@pytest.mark.parametrize("place", range(len(WRONG)), ids=names(WRONG))
def test_another_wrong_answer_does_not_pass(place):
    exercise, result = WRONG[place][0], result_of_wrong(place)
    assert result.outcome in (Outcome.FAIL, Outcome.ERROR), result
    for one in told_by(exercise):
        assert one not in bare(result.message), f"{result.message} tells the answer"


@each_exercise
def test_every_case_is_needed_and_few_mistakes_are_kept(exercise):
    caught = {mistake.case for mistake in exercise.mistakes}
    assert 1 <= len(exercise.mistakes) <= 4
    assert all(mistake.says for mistake in exercise.mistakes)
    wrong = [place for place, (one, _) in enumerate(WRONG) if one is exercise]
    caught |= {result_of_wrong(place).case for place in wrong}
    assert caught >= set(exercise.cases), "each case is the first to fail for some wrong answer"


# Arguments ----------------------------------------------------------------------------------------


def spoiled(value: object) -> bool:
    """Change a value in place, as a careless answer does; whether it could be changed."""
    if isinstance(value, torch.Tensor) and value.numel():
        # Where all numbers lie in one place, writing is refused; a learner's would be, too.
        if value.untyped_storage().size() < value.numel() * value.element_size():
            return False
        value.data.logical_not_() if value.dtype == torch.bool else value.data.add_(1)
    elif isinstance(value, list) and value:
        value.append(value[0])
    elif isinstance(value, dict) and value:
        value.popitem()
    else:
        return False
    return True


def parameters_of(exercise: Exercise) -> list[str]:
    ours = exercise.answer
    if exercise.is_value or inspect.isclass(ours):
        return []
    return [name for name in inspect.signature(ours).parameters if name not in exercise.changes]


@pytest.mark.parametrize(
    ("exercise", "name"),
    [(one, name) for one in EXERCISES.values() for name in parameters_of(one)],
    ids=lambda one: one.id if isinstance(one, Exercise) else one,
)
def test_changed_argument_is_noticed_and_put_back(exercise, name):
    ours, done = exercise.answer, []
    signature = inspect.signature(ours)

    def careless(*args, **kwargs):
        value = ours(*args, **kwargs)
        done.append(spoiled(signature.bind(*args, **kwargs).arguments.get(name)))
        return value

    result = exercise.check(careless)
    if any(done):
        assert (result.outcome, result.case) == (Outcome.FAIL, LEFT_ALONE), result
        # (Where a case passes one object as two arguments, the first of them is named.)
        assert re.search(r"changed `\w+` in place", result.message)
    else:
        result.require()
    exercise.check(ours).require()
