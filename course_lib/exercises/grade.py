"""Grade notebooks or files of functions: `python -m course_lib.exercises grade FILE …`.

Each file is run in a process of its own, in an empty folder, with a limit of time and one of
memory. That process writes down what each checker says as soon as it says it, so what a file got
right before it hangs, crashes or ends the process still counts. The limits guard against
accidents. They are no wall: code that means harm can write to your disk and forge its result, so
grade strangers' work in a container.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SECONDS, MEGABYTES = 300, 4000
OUTCOMES = ("PASS", "FAIL", "ERROR", "TODO", "MISSING")


@dataclass(frozen=True)
class Mark:
    """What one file gets for one exercise: an outcome of `OUTCOMES`, and what the checker said."""

    exercise: str
    outcome: str
    message: str


@dataclass(frozen=True)
class Grades:
    """The marks of one file, and what went wrong with the file as a whole, if anything did."""

    file: str
    marks: tuple[Mark, ...]
    problem: str = ""

    @property
    def passed(self) -> int:
        return sum(mark.outcome == "PASS" for mark in self.marks)

    def table(self) -> str:
        """The marks as text, a line for each exercise."""
        lines = [f"{self.file}: {self.passed} of {len(self.marks)} passed"]
        if self.problem:
            lines.append(f"  ! {self.problem}")
        lines += [f"  {one.outcome:8}{one.exercise:32}{one.message}" for one in self.marks]
        return "\n".join(lines)


def cells_of(path: Path) -> list[str]:
    """The code of a notebook, cell by cell, without the cell for Colab; a `.py` file is one cell.

    Raises:
        ValueError: it is neither; the message says what is wrong.
    """
    if not path.is_file():
        raise ValueError("there is no such file")
    if path.suffix == ".py":
        return [path.read_text("utf8")]
    if path.suffix != ".ipynb":
        raise ValueError("this is neither a notebook (.ipynb) nor a file of functions (.py)")
    try:
        cells = json.loads(path.read_text("utf8"))["cells"]
        return [
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "code" and "colab" not in cell["metadata"].get("tags", [])
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"this is not a notebook that can be read: {error!r}") from error


def expected(code: str) -> list[str]:
    """The ids of all exercises of the chapters that the code names: "ch03", …"""
    from course_lib.exercises import all_exercises

    chapters = set(re.findall(r"\bch\d\d\b", code))
    return [name for name in all_exercises() if name.partition(".")[0] in chapters]


def grade(path: Path, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Grades:
    """Run a file in a process of its own and collect what the checkers said.

    Args:
        path: a notebook, or a file of Python that imports the chapter, `from course_lib.exercises
            import ch03`, and defines the answers under the exercises' names.
        seconds: of wall time for the whole file.
        megabytes: that it may take, beyond what the library itself takes. On Linux only.
    """
    try:
        cells = cells_of(path)
    except ValueError as error:
        return Grades(path.name, (), str(error))
    names = expected("\n".join(cells))
    if not names:
        return Grades(path.name, (), "it names no chapter: `from course_lib.exercises import ch03`")
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        job = {"cells": cells, "expected": names, "said": str(said), "megabytes": megabytes}
        problem = _run(job, Path(folder), seconds)
        lines = said.read_text("utf8").splitlines() if said.is_file() else []
    found = {}
    for line in lines:
        with suppress(ValueError):  # cut short: the process ended while it wrote
            mark = Mark(**json.loads(line))
            found[mark.exercise] = mark
    missing = "Nothing of this name was checked."
    marks = tuple(found.get(name) or Mark(name, "MISSING", missing) for name in names)
    return Grades(path.name, marks, problem)


def _run(job: dict, folder: Path, seconds: float) -> str:
    """Do a job in a new process; what went wrong, or nothing."""
    (folder / "job.json").write_text(json.dumps(job), "utf8")
    (folder / "empty").mkdir()
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "course_lib.exercises.grade", str(folder / "job.json")],
        cwd=folder / "empty",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "agg"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"it was stopped after {seconds:g} seconds"
    finally:
        with suppress(ProcessLookupError, PermissionError):  # with all that it has started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with the exit status {status}" if status else ""


# In the new process


def work(job: dict) -> None:
    """Run the cells and write down what each checker says, a line of JSON for each."""
    from IPython.core.interactiveshell import InteractiveShell

    from course_lib.exercises import all_exercises
    from course_lib.exercises.engine.core import Exercise

    exercises, checked, check = all_exercises(), set(), Exercise.check
    with open(job["said"], "a", buffering=1, encoding="utf8") as said:

        def noted(self: Exercise, answer: Any) -> Any:
            result = check(self, answer)
            mark = Mark(self.id, result.outcome.name, " ".join(result.message.split()))
            said.write(json.dumps(asdict(mark)) + "\n")
            checked.add(self.id)
            return result

        Exercise.check = noted  # type: ignore[method-assign]
        shell = InteractiveShell.instance()
        _limit_memory(job["megabytes"])
        for source in job["cells"]:
            shell.run_cell(source)
        for name in job["expected"]:  # a file of functions need not check them itself
            answer = shell.user_ns.get(exercises[name].name)
            if name not in checked and answer is not None and answer is not exercises[name]:
                exercises[name].check(answer)


def _limit_memory(megabytes: int) -> None:
    """So much address space more than the process has now; macOS does not know such a limit."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + megabytes * 10**6
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def report(
    files: Sequence[Path], written: Path | None, grading: Callable[[Path], Grades] = grade
) -> int:
    """Grade files, print their tables, write all as JSON; 0 if every file ran to its end."""
    grades = []
    for path in files:
        grades.append(grading(path))
        print(grades[-1].table(), flush=True)
    if written:
        content = [asdict(one) | {"passed": one.passed} for one in grades]
        written.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf8")
    return int(any(one.problem for one in grades))


if __name__ == "__main__":
    work(json.loads(Path(sys.argv[1]).read_text("utf8")))
