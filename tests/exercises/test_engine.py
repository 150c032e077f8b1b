"""The checker itself, on three exercises: a function, a class, a value."""

from __future__ import annotations

import inspect
import os
import random
import re
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from session import session
from torch import nn

from course_lib.exercises import all_exercises, ch00
from course_lib.exercises.engine.arguments import Kept, described, fresh, named
from course_lib.exercises.engine.core import LEFT_ALONE, TODO_MARK, Exercise, Outcome
from course_lib.exercises.engine.expect import (
    Incorrect,
    expect_close,
    expect_equal,
    expect_number,
    expect_same,
    expect_tensor,
    expect_type,
    same,
    snapshot,
    wrong,
)
from course_lib.exercises.engine.source import patched
from course_lib.figures.language import Translation
from course_lib.figures.words import SAID

EXERCISES = all_exercises()
THREE = [EXERCISES[name] for name in ("ch00.softmax", "ch03.NonlinearProbe", "ch00.shapes")]
each_of_three = pytest.mark.parametrize("exercise", THREE, ids=lambda one: one.id)


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


class NoForward(nn.Module):
    def __init__(self, *_, **__):
        super().__init__()


GARBAGE = {
    "a number": -12345,
    "a string": "x",
    "a list": [],
    "a tensor": torch.full((1,), torch.nan),
    "a huge tensor": torch.zeros(1).expand(10**12),
    "a class": object,
    "a final class": bool,
    "an exception class": SystemExit,
    "a module": nn.Identity(),
    "a module class": nn.Identity,
    "a module without forward": NoForward,
    "unfriendly": Unfriendly(),
    "unfriendly class": Unfriendly,
    "an exercise": next(iter(EXERCISES.values())),
    "returns a string": lambda *_, **__: "x",
    "returns a tensor": lambda *_, **__: torch.full((1,), torch.nan),
    "returns a huge tensor": lambda *_, **__: torch.zeros(1).expand(10**12),
    "returns garbage": lambda *_, **__: Unfriendly(),
    "returns nothing": lambda *_, **__: None,
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
@each_of_three
def test_garbage_never_raises_and_never_passes(exercise, name):
    before = session()
    result = exercise.check(GARBAGE[name])
    assert result.outcome in (Outcome.FAIL, Outcome.ERROR), result
    assert repr(result) and "<div" in result._repr_html_()
    assert session() == before


@each_of_three
def test_only_an_untouched_starter_is_todo(exercise):
    error = NotImplementedError(TODO_MARK)

    class RaisesAtOnce(nn.Module):
        def __init__(self, *_, **__):
            raise error

    starters = [..., [..., ...], None] if exercise.is_value else [...]
    if not exercise.is_value:
        starters.append(RaisesAtOnce if inspect.isclass(exercise.answer) else raises(error))
        assert exercise.check(None).outcome is Outcome.FAIL
    for starter in starters:
        assert exercise.check(starter).outcome is Outcome.TODO


@each_of_three
def test_endless_loop_ends(exercise, monkeypatch):
    monkeypatch.setattr(exercise, "seconds", 0.2)
    endless: object = loops_for_ever
    if exercise.is_value:
        endless = type("Endless", (), {"__class__": property(loops_for_ever)})()
    elif inspect.isclass(exercise.answer):
        endless = type("Endless", (), {"__init__": loops_for_ever})
    before, started = session(), time.monotonic()
    result = exercise.check(endless)
    assert result.outcome is Outcome.ERROR and "did not finish within 0.2 s" in result.message
    assert time.monotonic() - started < 3
    assert session() == before


@pytest.fixture
def softmax() -> Exercise:
    return EXERCISES["ch00.softmax"]


def test_missing_return_is_a_failure_that_says_so(softmax):
    result = softmax.check(lambda scores, temperature=1.0: None)
    assert result.outcome is Outcome.FAIL and "Is a `return` missing?" in result.message


def test_own_not_implemented_errors_of_torch_are_errors(softmax):
    result = softmax.check(lambda scores, temperature=1.0: nn.Module()(scores))
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


def test_solution_passes_outside_the_main_thread(softmax):
    results = []
    thread = threading.Thread(target=lambda: results.append(softmax.check(softmax.answer)))
    thread.start()
    thread.join(5)
    assert results[0].passed


def test_somebody_elses_timer_is_put_back(softmax):
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


def test_answer_that_turns_all_over_leaves_the_session_alone(softmax, tmp_path, monkeypatch):
    monkeypatch.setattr(softmax, "seconds", 60)  # some of these calls load much of torch

    def restless(scores, temperature=1.0):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        os.chdir(tmp_path)
        sys.setrecursionlimit(5000)
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(True)
        return softmax.answer(scores, temperature) + 0 * torch.rand(1)

    before = session()
    assert softmax.check(restless).passed
    assert session() == before


@pytest.mark.parametrize(
    ("leaves", "part"),
    [
        (lambda: torch.set_grad_enabled(False), "leaves gradients switched off"),
        (lambda: torch.set_default_dtype(torch.float64), "another default dtype"),
    ],
)
def test_mode_of_torch_left_behind_is_noticed_and_put_back(softmax, leaves, part):
    def careless(scores, temperature=1.0):
        leaves()
        return (scores / temperature).softmax(-1).float()

    before = session()
    result = softmax.check(careless)
    assert result.outcome is Outcome.FAIL and part in result.message
    assert session() == before


def test_what_the_learner_switched_off_does_not_matter():
    slope = EXERCISES["ch00.slope"]
    try:
        torch.set_default_dtype(torch.float64)
        with torch.no_grad():
            assert slope.check(slope.answer).passed
            assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_require_raises_with_the_message(softmax):
    with pytest.raises(AssertionError, match="Replace the starter"):
        softmax.check(...).require()


def test_result_escapes_what_a_learner_writes(softmax):
    result = softmax.check(raises(ValueError("<script>alert(1)</script>")))
    assert result.outcome is Outcome.ERROR
    assert "<script>" not in result._repr_html_() and "<script>" in repr(result)


def test_hints_and_solution_are_text_on_a_page_and_source_that_runs(softmax):
    hint, solution = softmax.hint(1), softmax.solution()
    assert repr(hint) == str(hint) and hint._repr_html_().startswith("<p>")
    assert repr(solution) == str(solution) and 'class="highlight"' in solution._repr_html_()
    exec(solution, namespace := {})
    assert softmax.check(namespace[softmax.name]).outcome is Outcome.PASS
    assert "hint(1)" in repr(softmax.help()) and "<details>" in softmax.help()._repr_html_()


def test_what_a_learner_sees_is_translated_but_not_their_own_words(softmax):
    korean = {
        "{what} has|have shape `{found}`, expected `{wanted}`.": "{what} `{found}`, `{wanted}`",
        "(With {inputs}.)": "(입력: {inputs})",
        "`{name}` of shape {shape}": "형태가 {shape}인 `{name}`",
        "the probabilities": "확률",
        "Your code raised `{error}`:": "`{error}` 예외:",
        "Not yet": "아직",
        "Hint {number} of {count}: {hint}": "힌트 {number}/{count}: {hint}",
        softmax.hints[0]: "어느 축일까요?",
        "expected": "기대한",
    }
    short = softmax.check(lambda scores, temperature=1.0: scores[:1].softmax(-1))
    seen = Translation(korean, SAID).html(short._repr_html_())
    assert "<span>아직</span>" in seen and "<span>확률 <code>(" in seen, seen
    assert "<span>(입력: 형태가 (" in seen and "인 <code>scores</code>" in seen
    failed = softmax.check(raises(ValueError("expected")))
    seen = Translation(korean, SAID).html(failed._repr_html_())
    assert '<code>ValueError</code> 예외:</span> <span translate="no">expected</span>' in seen
    hint = softmax.hint(1)._repr_html_()
    assert Translation(korean, SAID).html(hint) == "<p>힌트 1/3: 어느 축일까요?</p>"


def test_hints_that_do_not_exist(softmax):
    for number in (0, -1, 99, "2", None):
        assert "has the hints 1 to 3" in softmax.hint(number)


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


# An exercise made here ----------------------------------------------------------------------------


def two(x, table, rate=0.5):
    """Scale the columns of x (N, D) with the table {column: number}."""
    factors = torch.ones(x.shape[1])
    for column, factor in table.items():
        factors[column] = factor * rate
    return x * factors


@pytest.fixture
def scaling() -> Exercise:
    made = Exercise(two, ("one", "two"), "definition", 2.0, ())

    @made.same_as_answer("the scaled columns", grad=True)
    def random_tables():
        for rows, columns in ((3, 4), (2, 5)):
            yield torch.randn(rows, columns), {0: float(torch.rand(())), 2: 3.0}, named(rate=0.25)
            yield torch.randn(rows, columns), {1: 2.0}

    return made


def test_same_as_answer_compares_values_and_gradients(scaling):
    assert scaling.check(two).passed
    result = scaling.check(lambda x, table, rate=0.5: two(x, table, 0.5))
    assert "The scaled columns have wrong values (largest error" in result.message
    assert "(With `x` of shape (3, 4); `table`" in result.message or "`x` of" in result.message
    result = scaling.check(lambda x, table, rate=0.5: two(x.detach(), table, rate))
    assert "No gradient flows through the scaled columns" in result.message

    def half_detached(x, table, rate=0.5):
        right = two(x, table, rate)
        return torch.cat([right[:1], right[1:].detach()])

    assert (
        "gradient of the scaled columns with respect to `x`" in scaling.check(half_detached).message
    )


def test_message_of_a_mistake_needs_two_agreeing_inputs(scaling):
    scaling.mistake("random_tables", "You always halve.", "factor * rate -> factor * 0.5")
    scaling.mistake("random_tables", "Shapes!", "torch.ones(x.shape[1]) -> torch.ones(7)")
    (halves, shapes) = scaling.mistakes
    for mistake in (halves, shapes):  # the same result, and the same exception
        result = scaling.check(scaling.answer_of(mistake.change))
        assert result.outcome is Outcome.FAIL and result.message.startswith(mistake.says)
    calls = []

    def agrees_once(x, table, rate=0.5):
        calls.append(1)
        return two(x, table, 0.5) if len(calls) == 1 else x + len(calls)

    assert "You always halve" not in scaling.check(agrees_once).message


def test_answer_that_passes_a_later_case_is_not_the_mistake_that_fails_it(scaling):
    @scaling.same_as_answer("the result without a table", says="Without a table nothing happens.")
    def no_table():
        yield torch.randn(2, 3), {}

    scaling.mistake("random_tables", "You double everything.", "x * factors -> x * 2")
    (mistake,) = scaling.mistakes
    result = scaling.check(scaling.answer_of(mistake.change))
    assert result.message.startswith("You double everything. The scaled columns have wrong")
    result = scaling.check(lambda x, table, rate=0.5: x * 2 if table else x)
    assert result.message.startswith("The scaled columns have wrong values")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda x, table: x.zero_()),
        ("x", lambda x, table: x[0].mul_(2)),
        ("table", lambda x, table: table.pop(next(iter(table)))),
        ("table", lambda x, table: table.update({0: 1.0})),
    ],
)
def test_changed_argument_is_named_and_put_back(scaling, name, change):
    given = torch.ones(2, 3), {0: 2.0}

    @scaling.case
    def constants(answer):
        answer(*given)

    scaling.cases = {"constants": constants} | scaling.cases

    def careless(x, table, rate=0.5):
        change(x, table)

    result = scaling.check(careless)
    assert (result.outcome, result.case) == (Outcome.FAIL, LEFT_ALONE)
    assert f"changed `{name}` in place" in result.message
    assert given[0].eq(1).all() and given[1] == {0: 2.0}
    assert scaling.check(two).passed


def test_change_that_is_asked_for_is_none():
    made = Exercise(lambda model: model.eval(), ("one", "two"), "definition", 2.0, ("model",))

    @made.case
    def sets_the_mode(answer):
        model = nn.Linear(1, 1)
        answer(model)
        assert not model.training

    assert made.check(lambda model: model.eval()).passed


def test_right_answer_may_be_none():
    made = Exercise(lambda number: None, ("one", "two"), "definition", 2.0, ())

    @made.same_as_answer()
    def numbers():
        yield 1

    assert made.check(lambda number: None).passed
    assert "expected `None`" in made.check(lambda number: 3).message
    value = Exercise(lambda: None, ("one", "two"), "value", 2.0, ())
    value.case(lambda answer: expect_equal(answer, None))
    assert value.check(None).passed and value.check(...).outcome is Outcome.TODO


def test_change_by_a_method_of_a_class_is_noticed():
    class Adder(nn.Module):
        def forward(self, x):
            return self.helped(x + 0)

        def helped(self, y):
            return y.add_(1)  # its own tensor

    class Careless(Adder):
        def forward(self, x):
            return x.add_(1)

    made = Exercise(Adder, ("one", "two"), "definition", 2.0, ())

    @made.case
    def adds(answer):
        expect_close(answer()(torch.zeros(2)), torch.ones(2))

    assert made.check(Adder).passed
    assert "changed `x` in place" in made.check(Careless).message


def test_patches_apply_once_or_say_so():
    assert patched(two, "rate=0.5 -> rate=2.0 ;; * rate ->")(torch.ones(1, 1), {0: 3.0}) == 3
    for patch in ("no such text -> x", "factor -> x", "without an arrow"):
        with pytest.raises(ValueError, match="does not apply to two"):
            patched(two, patch)


def test_arguments_are_copied_and_kept():
    generator = torch.Generator().manual_seed(1)
    tensor = torch.ones(2, requires_grad=True)
    copies = fresh((tensor, [tensor], {"a": tensor}, generator, nn.Linear(1, 1)))
    assert copies[0] is not tensor and copies[0].requires_grad and copies[0].is_leaf
    assert torch.rand(1, generator=copies[3]) == torch.rand(1, generator=generator)
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    kept = Kept(model)
    model[1].eval()
    assert "another mode" in kept.change()
    kept.restore()
    model[0].weight.requires_grad_(False)
    assert "needs a gradient" in kept.change()
    kept.restore()
    assert not kept.change() and all(one.requires_grad for one in model.parameters())
    whole = torch.zeros(2, 2)
    kept = Kept((whole[0], {"a": [1]}, torch.tensor([torch.nan])))
    assert not kept.change()
    whole[0] += 1
    kept.restore()
    assert not whole.any()


def test_inputs_are_described_in_few_words():
    names = ["x", "ids", "heads", "names"]
    inputs = (torch.zeros(2, 3), torch.tensor([1, 2]), 4, ["a"] * 99)
    assert described(names, inputs) == "`x` of shape (2, 3); `ids = [1, 2]`; `heads = 4`"
    assert described(names, (torch.zeros(2), named(heads=3))) == "`x` of shape (2,); `heads = 3`"


# The expectations --------------------------------------------------------------------------------


class LSTMCell:
    pass


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: expect_tensor([1.0]), "has the type `list`, expected `Tensor`"),
        (lambda: expect_tensor(torch.zeros(2, 3), (3, 2)), "in another order"),
        (lambda: expect_tensor(torch.zeros(2), (2, 1)), "axis of length 1 is missing"),
        (lambda: expect_tensor(torch.zeros(2, 1), (2,)), "axis of length 1 too many"),
        (lambda: expect_tensor(torch.zeros(2).long()), "dtype `int64`, expected `float32`"),
        (lambda: expect_tensor(None), "is `None`. Is a `return` missing?"),
        (lambda: expect_type(LSTMCell(), nn.LSTMCell), "rnn.LSTMCell`."),
        (lambda: expect_close(torch.ones(2), torch.tensor([1.0, 1.25])), "largest error 0.25"),
        (lambda: expect_close(-torch.ones(2), torch.ones(2)), "Every sign is flipped"),
        (lambda: expect_close(torch.tensor([torch.nan]), torch.zeros(1)), "contains NaN"),
        (lambda: expect_close(torch.zeros(1), torch.tensor([torch.nan])), "wrong values"),
        (
            lambda: expect_close(torch.tensor([-torch.inf, 2]), torch.tensor([-torch.inf, 1])),
            "largest error 1)",
        ),
        (lambda: expect_close(torch.arange(5), torch.tensor([0, 1, 2, 3, 9])), "1 of 5 are wrong"),
        (lambda: expect_close(torch.tensor([100_001]), torch.tensor([100_000])), "error 1)"),
        (lambda: expect_close(torch.tensor([True]), torch.tensor([False])), "wrong values"),
        (lambda: expect_number(torch.zeros(2), 1.0), "has 2 numbers, expected one"),
        (lambda: expect_number(3, 2), "too large, by about 50%"),
        (lambda: expect_number(1.002, 1), "too large, by less than 1%"),
        (lambda: expect_number(0.03, 0), "too large, by about 0.03."),
        (lambda: expect_number(7 * 10**30, 2), "too large, by a factor of about 4e+30."),
        (lambda: expect_number(10**999, 2), "too large, by a factor of more than 1e300."),
        (lambda: expect_number(10**30 + 1, 10**30, rtol=0.0), "too large, by less than 1%"),
        (lambda: expect_number(2, float("inf")), "too small"),
        (lambda: expect_number(float("inf"), 2), "too large, by an infinite amount."),
        (lambda: expect_number(float("nan"), 2), "is NaN (0/0"),
        (lambda: expect_number(2, float("nan")), "is not NaN"),
        (lambda: expect_number(True, 1), "truth value"),
        (lambda: expect_equal([1, 2], [1, 3]), "first difference is at position 1"),
        (lambda: expect_equal([1], [1, 3]), "The length is 1, expected 2."),
        (lambda: expect_equal(["a"], [], "the names"), "The names are wrong. The length is 1, "),
        (lambda: expect_number(2, 3, "what one word costs"), "What one word costs is too small"),
        (lambda: expect_equal("a", "b", "the class of text"), "The class of text is wrong"),
        (lambda: expect_equal((1, 3), [1, 3]), "has the type `tuple`, expected `list`"),
        (lambda: expect_equal(1, None), "is `1`, expected `None`"),
        (
            lambda: expect_same({"a": 1, "c": 2}, {"a": 1, "b": 2}),
            "Missing: 1 of 2. Not asked for: `c`.",
        ),
        (lambda: expect_same({"a": 1.5}, {"a": 1.0}), "under `a` is too large"),
        (lambda: expect_same((1.0, 2.0), (1.0, 3.0)), "Element 1 of your result is too small"),
        (lambda: expect_same(True, 1), "truth value"),
        (lambda: expect_same(3, 4), "too small, by about 25%"),
        (lambda: expect_same(4.0, 4), "has the type `float`, expected `int`"),
        (lambda: expect_same([torch.zeros(1)], [torch.zeros(2)]), "has shape `(1,)`"),
    ],
)
def test_expectation_says_what_is_wrong(call, part):
    with pytest.raises(Incorrect, match=re.escape(part)):
        call()


def test_a_message_has_minus_signs_in_both_languages():
    problem = "{what} falls|fall to {low:.1f}, expected {high:+d}."
    error = wrong(problem, "the weights", None, low=-0.25, high=-3)
    assert str(error) == "The weights fall to −0.2, expected −3."
    korean = Translation({problem: "{what} 최솟값: {low:.1f}, 기대한 값: {high:+d}."}, SAID)
    assert korean.text(str(error)) == "the weights 최솟값: −0.2, 기대한 값: −3."


def test_expectations_that_hold_are_silent():
    expect_close(torch.tensor([-torch.inf, 1.0]), torch.tensor([-torch.inf, 1.000001]))
    expect_close(torch.zeros(0, 3), torch.zeros(0, 3))
    expect_number(torch.tensor([2.0]), 2)
    expect_number(float("nan"), float("nan"))
    expect_equal("abc", "abc")
    nested = [torch.ones(2), {"a": (1, 2.5, "x")}, None, True]
    expect_same(nested, fresh(nested))


def test_snapshots_are_copies_and_compare_by_value():
    value = {"a": [torch.zeros(2), 1.0, "x"]}
    before = snapshot(value)
    assert same(before, snapshot(value))
    value["a"][0] += 1
    assert not same(before, snapshot(value))
    assert not same(snapshot(object()), snapshot(object()))
    assert not same(torch.zeros(2), torch.zeros(2, 1))
    assert snapshot(torch.zeros(1).expand(10**12)) is None


def test_the_page_for_newcomers_names_the_outcomes_as_they_are_printed():
    page = Path(__file__).parents[2] / "book" / "how_to_use.md"
    rows = re.findall(r"^\| (\S) ([^|]+?) \| ", page.read_text("utf8"), re.M)
    assert sorted(rows) == sorted((one.symbol, one.word) for one in Outcome)
