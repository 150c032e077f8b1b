"""The codes for the pages of the book, and the skills by which a page lists the exercises."""

import re

import pytest

from course_lib.exercises import all_exercises
from course_lib.exercises.engine import core
from course_lib.exercises.engine.codes import DIGITS, check_digits, code_of, code_of_several
from course_lib.exercises.engine.core import Exercise
from course_lib.exercises.skills import SKILLS, skills_of
from tools.project import ROOT

EXERCISES = all_exercises()


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    monkeypatch.setattr(core, "PASSED", set())


def test_digits_are_a_known_hash_of_the_id():
    # FNV-1a of "a" is e40c292c, as published; folded, its last 15 bits are 11000 01001 10100.
    assert check_digits("a") == "".join(DIGITS[place] for place in (0b11000, 0b01001, 0b10100))
    assert len(DIGITS) == len(set(DIGITS)) == 32
    found = {check_digits(one) for one in EXERCISES}
    assert len(found) == len(EXERCISES), "no two exercises have the same digits"
    assert all(re.fullmatch(f"[{DIGITS}]{{3}}", one) for one in found)


def test_one_letter_more_or_less_changes_the_digits():
    for one in EXERCISES:
        slips = [one[:place] + one[place + 1 :] for place in range(len(one))]
        assert all(check_digits(slip) != check_digits(one) for slip in slips)


def test_a_code_covers_several_exercises_by_their_numbers():
    chapter = ["ch01.a", "ch01.b", "ch01.c"]
    assert code_of_several({"ch01.c", "ch01.a"}, chapter) == (
        f"ch01.1+3-{check_digits('ch01.a+ch01.c')}"
    )


def test_what_passes_brings_its_code_and_nothing_else_does():
    one = EXERCISES["ch03.reverse_source"]
    passed = one.check(one.answer)
    assert passed.code == code_of(one.id) and not passed.code_of_several
    assert str(passed).splitlines()[1].endswith(f"`{passed.code}`")
    assert f"<code>{passed.code}</code>" in passed._repr_html_()
    for answer in (..., 3, lambda source, pad=0: source):
        result = one.check(answer)
        assert not result.codes and passed.code not in str(result) + result._repr_html_()


def test_one_code_covers_what_passed_in_this_session_chapter_by_chapter():
    for name in ("ch03.reverse_source", "ch00.centered", "ch03.chance_of_no_mistake"):
        result = EXERCISES[name].check(EXERCISES[name].answer)
    assert result.code_of_several.startswith("ch03.1+4-")
    assert result.codes[1].endswith(f"`{result.code_of_several}`")
    again = EXERCISES["ch00.centered"].check(EXERCISES["ch00.centered"].answer)
    assert not again.code_of_several


def test_an_exercise_that_is_not_in_the_book_has_no_code():
    made = Exercise(lambda x: x, ("one", "two"), "definition", 2.0, ())
    made.case(lambda answer: None)
    assert made.check(lambda x: x).passed and not made.check(lambda x: x).codes


@pytest.mark.parametrize("page", ["how_to_use", "your_progress"])
def test_codes_that_the_book_names_are_true(page):
    text = (ROOT / "book" / f"{page}.md").read_text("utf8")
    found = re.findall(r"`(ch\d\d\.\w+)-(\w{3})`", text)
    assert found and all(one in EXERCISES and check_digits(one) == said for one, said in found)


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_practices_one_skill_or_two(name):
    found = len(skills_of(name))
    assert found in (1, 2), (
        f"{name} has {found} skills in course_lib/exercises/skills.py, not 1 or 2"
    )


def test_a_skill_has_five_exercises_that_exist():
    for skill, names in SKILLS.items():
        assert len(names) >= 5 and set(names) <= set(EXERCISES), skill
