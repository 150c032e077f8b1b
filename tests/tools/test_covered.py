"""Lines are counted in workers, in kernels, and in what these start and end.

Not in this process: one that makes a `Coverage` of its own keeps nothing of what it ran itself.
"""

import os
import subprocess
import sys
import tomllib

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tools import covered
from tools.project import ROOT

LIBRARY = """\
def one():
    return 1


def two():
    return 2


def three():
    return 3


def nobody():
    return 4
"""
START = """\
import subprocess, sys
source = "import time, toy; print(toy.three(), flush=True); time.sleep(60)"
started = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
started.stdout.readline()
started.terminate()
started.wait()
"""
ROWS = """\
from coverage import Coverage
from tools import covered
measured = Coverage(data_file="data")
measured.combine()
for row in covered.rows(measured):
    print(f"{row.path}: {row.lines} lines, {row.missing} did not run: {row.which}")
"""
TEST = "import toy\n\n\ndef test_it():\n    assert toy.one() == 1\n"


def test_lines_are_counted_in_all_processes(tmp_path):
    (tmp_path / "toy.py").write_text(LIBRARY, "utf8")
    (tmp_path / "test_toy.py").write_text(TEST, "utf8")
    cells = [new_code_cell("import toy\ntoy.two()"), new_code_cell(START)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "toy.ipynb")
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["coverage"]
    assert ours["report"]["fail_under"] >= 95
    settings = tmp_path / "settings.ini"
    same = {name: ours["run"][name] for name in ("parallel", "sigterm")}
    same |= {"patch": ",".join(ours["run"]["patch"]), "source_pkgs": "toy"}
    lines = ["[run]", *(f"{name} = {value}" for name, value in same.items())]
    settings.write_text("\n".join(lines), "utf8")
    environment = {name: v for name, v in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(tmp_path), str(ROOT), os.environ["PYTHONPATH"]]
    )
    environment["COVERAGE_FILE"] = str(tmp_path / "data")
    coverage = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}"]
    pytest = ["-m", "pytest", "-q", "-n", "2", "--rootdir", "."]
    subprocess.run(
        [*coverage, *pytest, *covered.NBVAL, "test_toy.py", "toy.ipynb"],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", ROWS], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "toy.py: 8 lines, 1 did not run: 14\n", done.stderr
