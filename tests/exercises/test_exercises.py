"""Every exercise of every chapter: right answers pass, wrong ones are told why, nothing leaks."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import random
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib.exercises import all_exercises, ch00
from course_lib.exercises.engine.core import TODO_MARK, Exercise, Outcome
from course_lib.exercises.engine.expect import (
    Incorrect,
    NotStarted,
    expect_close,
    expect_equal,
    expect_number,
    expect_tensor,
    same,
    snapshot,
)
from course_lib.exercises.engine.limits import random_states_kept

EXERCISES = all_exercises()
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MISTAKES = [(one, mistake) for one in EXERCISES.values() for mistake in one.mistakes.values()]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda one: one.id)
each_mistake = pytest.mark.parametrize(
    ("exercise", "mistake"), MISTAKES, ids=[f"{e.id}-{m.definition.__name__}" for e, m in MISTAKES]
)


def value_of(exercise: Exercise, definition: object) -> object:
    """What a learner would pass, made without touching the random state of the test run."""
    with random_states_kept():
        torch.manual_seed(0)
        return exercise.answer_of(definition)


def random_states() -> tuple:
    numpy_state = np.random.get_state()
    return (
        random.getstate(),
        numpy_state[1].tobytes(),
        numpy_state[2:],
        torch.get_rng_state().numpy().tobytes(),
    )


# Every registered exercise ------------------------------------------------------------------------


@each_exercise
def test_is_reached_under_its_id(exercise):
    chapter, name = exercise.id.split(".")
    assert getattr(importlib.import_module(f"course_lib.exercises.{chapter}"), name) is exercise


@each_exercise
def test_solution_passes_and_leaves_random_states(exercise):
    answer = value_of(exercise, exercise._definition)
    before, started = random_states(), time.monotonic()
    first, second = exercise.check(answer), exercise.check(answer)
    assert first.require().passed_cases == tuple(exercise.cases)
    assert repr(first) == repr(second)
    assert random_states() == before
    assert time.monotonic() - started < exercise.seconds


@each_exercise
def test_printed_solution_passes_in_a_fresh_namespace(exercise):
    source, namespace = exercise.solution(), {"__name__": "learner"}
    assert "exercise" not in source.splitlines()[0] and "@" not in source.splitlines()[0]
    with random_states_kept():
        torch.manual_seed(0)
        exec(source, namespace)
    exercise.check(namespace[exercise.name]).require()


@pytest.mark.parametrize(
    ("exercise", "name"), [(e, n) for e in EXERCISES.values() for n in e.alternatives], ids=str
)
def test_alternative_answer_passes(exercise, name):
    exercise.check(value_of(exercise, exercise.alternatives[name])).require()


@each_mistake
def test_mistake_fails_at_its_case_with_its_message(exercise, mistake):
    answer = value_of(exercise, mistake.definition)
    before = random_states()
    result = exercise.check(answer)
    assert (result.outcome, result.case) == (Outcome.FAIL, mistake.case), result
    assert result.message.startswith(mistake.says), f"{result.message!r} says something else"
    assert len(result.message) > 20
    assert repr(exercise.check(answer)) == repr(result)
    assert random_states() == before


@each_exercise
def test_every_case_catches_a_mistake(exercise):
    assert {mistake.case for mistake in exercise.mistakes.values()} == set(exercise.cases)


def untold(message: str) -> str:
    """A message without blanks, to look for code in it."""
    return re.sub(r"\s|`", "", message)


@each_exercise
def test_messages_do_not_contain_the_answer(exercise):
    body = ast.parse(exercise.solution()).body[-1]
    parts = [one for one in ast.walk(body) if isinstance(one, (ast.Return, ast.Assign))]
    answers = [untold(ast.unparse(one.value)) for one in parts if one.value is not None]
    answers = [one for one in answers if len(one) > 11]
    if exercise.is_value and isinstance(exercise.answer, (int, float, str)):
        answers.append(f" {exercise.answer}")
    for mistake in exercise.mistakes.values():
        message = exercise.check(value_of(exercise, mistake.definition)).message
        for one in answers:
            assert one not in untold(message), f"{mistake.definition.__name__} tells {one}"


@each_exercise
def test_hints_are_graded_and_shown(exercise):
    assert 2 <= len(exercise.hints) <= 4 and len(set(exercise.hints)) == len(exercise.hints)
    for number, hint in enumerate(exercise.hints, start=1):
        assert str(exercise.hint(number)).endswith(hint)
    for wrong in (0, -1, len(exercise.hints) + 1, "2", None):
        assert exercise.hint(wrong)  # says how many there are
    markup = exercise.help()._repr_html_()
    assert markup.count("<details>") == markup.count("</details>") == len(exercise.hints) + 1
    assert not re.search(r"(src|href)=|<script|url\(", markup)


def loops_for_ever(*_, **__):
    while True:
        pass


class Unfriendly:
    """Fails at whatever is done with it."""

    def __getattribute__(self, name):
        raise RuntimeError("hands off")

    def __call__(self, *_):
        raise RuntimeError

    def __eq__(self, other):
        raise RuntimeError


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


def raises(error):
    def answer(*_, **__):
        raise error

    return answer


class NoForward(torch.nn.Module):
    def __init__(self, *_, **__):
        super().__init__()


GARBAGE = {
    "a number": -12345,
    "a string": "x",
    "a list": [],
    "a tensor": torch.full((1,), torch.nan),
    "a class": object,
    "an exception class": SystemExit,
    "a module": torch.nn.Identity(),
    "a module class": torch.nn.Identity,
    "a module without forward": NoForward,
    "unfriendly": Unfriendly(),
    "unfriendly class": Unfriendly,
    "an exercise": next(iter(EXERCISES.values())),
    "returns a string": lambda *_, **__: "x",
    "returns a tensor": lambda *_, **__: torch.full((1,), torch.nan),
    "returns garbage": lambda *_, **__: Unfriendly(),
    "divides by zero": lambda *_, **__: 1 / 0,
    "wrong arguments": lambda: None,
    "recursion": lambda *a, **k: GARBAGE["recursion"](*a, **k),
    "leaves": raises(SystemExit(3)),
    "generator exit": raises(GeneratorExit()),
    "bare not implemented": raises(NotImplementedError()),
    "unprintable": raises(Unprintable()),
    "skips": lambda *_, **__: pytest.skip("no"),
}


@pytest.mark.parametrize("name", GARBAGE)
@each_exercise
def test_garbage_never_raises_and_never_passes(exercise, name):
    before = random_states()
    result = exercise.check(GARBAGE[name])
    assert result.outcome in (Outcome.FAIL, Outcome.ERROR), result
    assert repr(result) and "<div" in result._repr_html_()
    assert random_states() == before


def starters(exercise: Exercise) -> list[object]:
    """The forms that an answer may have before it is written."""
    error = NotImplementedError(TODO_MARK)
    if exercise.is_value:
        return [None, ...]
    if not inspect.isclass(exercise.answer):
        return [None, ..., raises(error), lambda *_, **__: None, lambda *_, **__: ...]

    class RaisesAtOnce(torch.nn.Module):
        def __init__(self, *_, **__):
            raise error

    return [None, ..., RaisesAtOnce]


@each_exercise
def test_starters_are_todo(exercise):
    for starter in starters(exercise):
        assert exercise.check(starter).outcome is Outcome.TODO


@each_exercise
def test_endless_loop_ends(exercise, monkeypatch):
    monkeypatch.setattr(exercise, "seconds", 0.3)
    if exercise.is_value:
        endless = SimpleNamespace()
        endless = type("Endless", (), {"__class__": property(loops_for_ever)})()
    elif inspect.isclass(exercise.answer):
        endless = type("Endless", (), {"__init__": loops_for_ever})
    else:
        endless = loops_for_ever
    before, started = random_states(), time.monotonic()
    result = exercise.check(endless)
    assert result.outcome is Outcome.ERROR and "did not finish within 0.3 s" in result.message
    assert time.monotonic() - started < 3
    assert random_states() == before


# Notebooks ----------------------------------------------------------------------------------------


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
    chapter = exercise.id[2:4]
    ((notebook, cell),) = places(exercise)
    assert notebook.startswith(chapter)
    assert "exercise" in cell["metadata"].get("tags", [])
    namespace: dict = {"torch": torch, "nn": torch.nn, "Tensor": torch.Tensor}
    exec("from __future__ import annotations\n" + "".join(cell["source"]), namespace)
    starter = namespace[exercise.name]
    assert exercise.check(starter).outcome is Outcome.TODO
    if inspect.isfunction(starter):
        assert inspect.signature(starter).parameters.keys() == (
            inspect.signature(exercise.answer).parameters.keys()
        )


@each_exercise
def test_help_is_shown_in_the_notebook(exercise):
    sources = ["".join(cell["source"]).strip() for _, cells in code_cells() for cell in cells]
    assert sources.count(f"{exercise.id}.help()") == 1


# The checker itself -------------------------------------------------------------------------------


@pytest.fixture
def softmax() -> Exercise:
    return EXERCISES["ch00.softmax"]


def test_own_not_implemented_errors_of_torch_are_errors(softmax):
    def no_kernel(scores, temperature=1.0):
        return torch.nn.Module()(scores)

    result = softmax.check(no_kernel)
    assert result.outcome is Outcome.ERROR and "NotImplementedError" in result.message


def test_float64_is_a_failure_with_a_message(softmax):
    result = softmax.check(lambda scores, temperature=1.0: scores.double().softmax(-1))
    assert result.outcome is Outcome.FAIL and "float64" in result.message


def test_loop_that_swallows_exceptions_ends(softmax, monkeypatch):
    def stubborn(scores, temperature=1.0):
        while True:
            try:
                scores + 1
            except BaseException:  # noqa: S110 - what a learner's `except:` does
                pass

    monkeypatch.setattr(softmax, "seconds", 0.2)
    assert "did not finish" in softmax.check(stubborn).message


def test_endless_loop_ends_outside_the_main_thread(softmax, monkeypatch):
    monkeypatch.setattr(softmax, "seconds", 0.2)
    results = []
    thread = threading.Thread(target=lambda: results.append(softmax.check(loops_for_ever)))
    thread.start()
    thread.join(5)
    assert results and "did not finish" in results[0].message


def test_solution_passes_outside_the_main_thread(softmax):
    results = []
    thread = threading.Thread(target=lambda: results.append(softmax.check(softmax.answer)))
    thread.start()
    thread.join(5)
    assert results[0].passed


def test_somebody_elses_timer_is_put_back(softmax):
    signal = pytest.importorskip("signal")
    if not hasattr(signal, "setitimer"):
        pytest.skip("no timer signals here")
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    before = signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        softmax.check(softmax.answer)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 50 < left <= 60
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, handler)


def test_the_stop_button_still_works(softmax):
    with pytest.raises(KeyboardInterrupt):
        softmax.check(raises(KeyboardInterrupt()))


def test_answer_that_seeds_and_draws_leaves_random_states(softmax):
    def greedy(scores, temperature=1.0):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        return (scores / temperature).softmax(-1) + 0 * torch.rand(1)

    before = random_states()
    assert softmax.check(greedy).passed
    assert random_states() == before


def test_gradients_switched_off_by_the_learner_do_not_matter():
    slope = EXERCISES["ch00.slope"]
    with torch.no_grad():
        assert slope.check(slope.answer).passed
        assert not torch.is_grad_enabled()


def test_require_raises_with_the_message(softmax):
    with pytest.raises(AssertionError, match="Replace the starter"):
        softmax.check(None).require()


def test_result_escapes_what_a_learner_writes(softmax):
    result = softmax.check(raises(ValueError("<script>alert(1)</script>")))
    assert result.outcome is Outcome.ERROR
    assert "<script>" not in result._repr_html_() and "<script>" in repr(result)


def test_names_are_language_neutral():
    for exercise in EXERCISES.values():
        assert re.fullmatch(r"ch\d\d\.[A-Za-z_][A-Za-z0-9_]*", exercise.id)


def test_readiness_names_what_to_read():
    ours = {name[5:]: one for name, one in EXERCISES.items() if name.startswith("ch00.")}
    answers = {name: one.answer for name, one in ours.items()}
    rows, verdict = ch00.readiness(**answers)
    assert [row[2] for row in rows] == ["ready"] * len(ours) and "You are ready" in verdict
    rows, verdict = ch00.readiness(**answers | {"slope": None})
    assert [row[0] for row in rows if row[2] != "ready"] == ["`slope`"]
    assert "Start chapter 1" in verdict
    rows, verdict = ch00.readiness(**dict.fromkeys(ours, ...))
    assert all("https://" in row[2] for row in rows) and "before you start" in verdict


# The expectations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: expect_tensor([1.0]), "has the type `list`, expected `Tensor`"),
        (lambda: expect_tensor(torch.zeros(2, 3), (3, 2)), "in another order"),
        (lambda: expect_tensor(torch.zeros(2), (2, 1)), "axis of length 1 is missing"),
        (lambda: expect_tensor(torch.zeros(2, 1), (2,)), "axis of length 1 too many"),
        (lambda: expect_tensor(torch.zeros(2).long()), "dtype `int64`, expected `float32`"),
        (lambda: expect_close(torch.ones(2), torch.tensor([1.0, 1.25])), "largest error 0.25"),
        (lambda: expect_close(-torch.ones(2), torch.ones(2)), "Every sign is flipped"),
        (lambda: expect_close(torch.tensor([torch.nan]), torch.zeros(1)), "contains NaN"),
        (
            lambda: expect_close(torch.tensor([-torch.inf, 2]), torch.tensor([-torch.inf, 1])),
            "largest error 1)",
        ),
        (lambda: expect_close(torch.tensor([100_001]), torch.tensor([100_000])), "error 1)"),
        (lambda: expect_close(torch.tensor([True]), torch.tensor([False])), "wrong values"),
        (lambda: expect_number(torch.zeros(2), 1.0), "has 2 numbers, expected one"),
        (lambda: expect_number(3, 2), "too large, by about 50%"),
        (lambda: expect_number(True, 1), "truth value"),
        (lambda: expect_equal([1, 2], [1, 3]), "differs first at position 1"),
        (lambda: expect_equal([1], [1, 3]), "has 1 elements, expected 2"),
        (lambda: expect_equal((1, 3), [1, 3]), "has the type `tuple`, expected `list`"),
    ],
)
def test_expectation_says_what_is_wrong(call, part):
    with pytest.raises(Incorrect, match=re.escape(part)):
        call()


def test_expectations_that_hold_are_silent():
    expect_close(torch.tensor([-torch.inf, 1.0]), torch.tensor([-torch.inf, 1.000001]))
    expect_close(torch.zeros(0, 3), torch.zeros(0, 3))
    expect_number(torch.tensor([2.0]), 2)
    expect_equal("abc", "abc")


@pytest.mark.parametrize("placeholder", [None, ...])
def test_placeholder_is_not_started(placeholder):
    for expectation in (expect_tensor, lambda value: expect_number(value, 1.0)):
        with pytest.raises(NotStarted):
            expectation(placeholder)


def test_snapshots_are_copies_and_compare_by_value():
    value = {"a": [torch.zeros(2), 1.0, "x"]}
    before = snapshot(value)
    assert same(before, snapshot(value))
    value["a"][0] += 1
    assert not same(before, snapshot(value))
    assert not same(snapshot(object()), snapshot(object()))
    assert not same(torch.zeros(2), torch.zeros(2, 1))
