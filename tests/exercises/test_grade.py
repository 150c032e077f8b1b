"""Learners' files are run elsewhere, and whatever they do, the others' marks and ours stay."""

import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.exercises import __main__ as command_line
from course_lib.exercises import all_exercises, ch03, grade
from course_lib.exercises.engine.core import Exercise

START = "import torch\nfrom course_lib.exercises import ch03"
RIGHT = "def chance_of_no_mistake(accuracy):\n    return accuracy.prod()"
CHECK = "ch03.chance_of_no_mistake.check(chance_of_no_mistake)"
WRONG = "def majority_baseline(labels, classes):\n    return 0.5"
UNFINISHED = 'def reverse_source(tokens):\n    raise NotImplementedError("your code here")'


def notebook(path: Path, *sources: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def outcomes(grades: grade.Grades) -> dict[str, str]:
    return {one.exercise.removeprefix("ch03."): one.outcome for one in grades.marks}


def test_a_notebook_that_misbehaves_keeps_what_it_got_right(tmp_path):
    greedy = """import os, sys
try:
    bytearray(5 * 10**9)
except MemoryError:
    pass
else:
    if sys.platform == "linux":
        os._exit(9)"""
    bad = (
        greedy,
        "import sys; sys.exit(2)",
        "print('x' * 10**7); open('left here', 'w').write('x')",
        "this is not Python",
    )
    checked = f"ch03.reverse_source.check(reverse_source)\n{CHECK}"
    path = notebook(
        tmp_path / "a.ipynb",
        START,
        *bad,
        f"{RIGHT}\n{UNFINISHED}",
        checked,
        "import os; os._exit(3)",
    )
    before = os.getcwd(), os.getpid(), Exercise.check
    grades = grade.grade(path)
    assert (os.getcwd(), os.getpid(), Exercise.check) == before
    found = outcomes(grades)
    assert (found.pop("chance_of_no_mistake"), found.pop("reverse_source")) == ("PASS", "TODO")
    assert set(found.values()) == {"MISSING"} and len(found) == 4
    assert grades.problem == "its process ended with the exit status 3" and grades.passed == 1
    assert [one.name for one in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_file_that_never_ends_is_stopped_with_all_that_it_started(tmp_path):
    sleeper = tmp_path / "pid"
    child = "import subprocess, pathlib\nchild = subprocess.Popen(['sleep', '99'])\n"
    child += f"pathlib.Path({str(sleeper)!r}).write_text(str(child.pid))"
    path = notebook(tmp_path / "b.ipynb", START, RIGHT, CHECK, child, "while True: pass")
    started = time.monotonic()
    grades = grade.grade(path, seconds=12)
    assert time.monotonic() - started < 60 and "stopped after 12 seconds" in grades.problem
    assert outcomes(grades)["chance_of_no_mistake"] == "PASS"
    time.sleep(0.2)
    state = Path(f"/proc/{sleeper.read_text()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_functions_are_graded_and_the_table_is_written_as_json(tmp_path, capsys):
    (tmp_path / "c.py").write_text(f"{START}\n{RIGHT}\n\n\n{WRONG}\n", "utf8")
    (tmp_path / "d.txt").write_text("no notebook", "utf8")
    (tmp_path / "e.ipynb").write_text("{}", "utf8")
    (tmp_path / "f.py").write_text("raise SystemExit('never run here')", "utf8")
    files = [str(tmp_path / name) for name in ("c.py", "d.txt", "e.ipynb", "f.py", "none.py")]
    assert command_line.main(["grade", *files, "--json", str(tmp_path / "marks.json")]) == 1
    said = capsys.readouterr().out
    assert "c.py: 1 of 6 passed" in said and "FAIL" in said
    for problem in ("neither a notebook", "cannot be read", "names no chapter", "no such file"):
        assert problem.replace("cannot be read", "not a notebook that can be read") in said
    first = json.loads((tmp_path / "marks.json").read_text("utf8"))[0]
    assert first["passed"] == 1 and len(first["marks"]) == len(grade.expected("ch03"))


def test_the_code_of_the_caller_is_not_the_learners(tmp_path, monkeypatch):
    monkeypatch.setattr(Exercise, "check", lambda *_: pytest.fail("checked in this process"))
    path = tmp_path / "g.py"
    path.write_text(f"{START}\nimport os\nos.environ['MARK'] = 'set'\n{RIGHT}", "utf8")
    assert grade.grade(path).passed == 1
    assert "MARK" not in os.environ and ch03.chance_of_no_mistake.id == "ch03.chance_of_no_mistake"


def test_exercises_come_in_the_order_of_the_chapters_whatever_was_imported_first():
    chapters = [name.partition(".")[0] for name in all_exercises()]
    assert chapters == sorted(chapters) and len(set(chapters)) == 13
