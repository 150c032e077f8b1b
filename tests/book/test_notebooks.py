"""The course's notebooks keep the rules of notebook_rules.py."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from course_lib.exercises import all_exercises
from tests.book.notebook_rules import RULES, cells
from tools.project import ROOT, deeper_of, exercises_of, is_exercises, is_lesson, notebooks

FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))  # my_… are a reader's own
CHECK = re.compile(r"\b(ch\d\d\.\w+)\.check\(")


@cache
def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_notebook(rule, path):
    assert rule(read(path), path.stem) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_valid_and_stable(path):
    nbformat.validate(read(path))
    identifiers = [cell.id for cell in read(path).cells]
    assert len(set(identifiers)) == len(identifiers)


def test_every_notebook_is_in_the_table_of_contents():
    assert sorted(notebooks()) == FILES


def test_lesson_then_deeper_then_exercises():
    chapters = [[one, deeper_of(one), exercises_of(one)] for one in notebooks() if is_lesson(one)]
    beside = [path for chapter in chapters for path in chapter]
    assert notebooks() == [path for path in beside if path.is_file() or is_exercises(path)]


def test_check_cells_name_an_exercise_of_their_chapter_once():
    found = [
        (name, path.stem[:2])
        for path in FILES
        for cell in cells(read(path), "code")
        for name in CHECK.findall(cell.source)
    ]
    counted = Counter(name for name, _ in found)
    assert sorted(counted.keys() - all_exercises().keys()) == [], "no such exercise"
    assert {name: times for name, times in counted.items() if times != 1} == {}
    assert [name for name, chapter in found if name[2:4] != chapter] == []
