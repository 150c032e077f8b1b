"""The Colab cell for real: a fresh environment, an empty folder, nothing but the notebook.

git is told to take the repository's address for this checkout, so the committed state is installed.
pip fetches what the environment lacks: these tests need the package index and run on their own
(`make colab-test`), outside the network block of the others. `COLAB_SOME=3` takes three notebooks
only, other ones after each commit. Of the Korean notebooks, whose code is the same, two are run.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest

from tools import korean_notebooks
from tools.project import ROOT, config, notebooks

pytestmark = pytest.mark.colab

EXECUTE = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell("import course_lib; print(course_lib.__file__)"))
NotebookClient(notebook, timeout=900, resources={"metadata": {"path": "."}}).execute()
nbformat.write(notebook, sys.argv[1])
"""


def environment(folder: Path) -> dict[str, str]:
    """Variables under which git finds this checkout at the repository's address."""
    address = config()["repository"]["url"]
    settings = folder / "gitconfig"
    settings.write_text(
        f'[url "{ROOT.as_uri()}"]\n    insteadOf = {address}\n    insteadOf = {address}.git\n'
        "[safe]\n    directory = *\n",
        "utf8",
    )
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "GIT_CONFIG_GLOBAL": str(settings), "TQDM_DISABLE": "1"}


def fresh_python(folder: Path, variables: dict[str, str], preinstalled: bool) -> Path:
    """The interpreter of a new environment.

    `preinstalled` stands for Colab itself, which brings torch and its own version of everything:
    this environment's packages are on the path, the library is not.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    if preinstalled:
        (site,) = (folder / "venv").glob("lib/python*/site-packages")
        (site / "preinstalled.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf8")
    else:
        install = [str(python), "-m", "pip", "install", "-q", "ipykernel", "nbclient"]
        variables["PIP_CONSTRAINT"] = str(ROOT / "constraints.txt")  # not gigabytes of CUDA
        subprocess.run(install, env=variables, check=True)
    return python


def run_in_empty_folder(folder: Path, path: Path, preinstalled: bool) -> nbformat.NotebookNode:
    """Execute a copy of a notebook where there is nothing else, and return it."""
    variables = environment(folder)
    python = fresh_python(folder, variables, preinstalled)
    empty = folder / "content"
    empty.mkdir()
    shutil.copy(path, empty)
    missing = "import importlib.util, sys; sys.exit(bool(importlib.util.find_spec('course_lib')))"
    subprocess.run([str(python), "-c", missing], cwd=empty, env=variables, check=True)
    done = subprocess.run(
        [str(python), "-c", EXECUTE, path.name],
        cwd=empty,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    executed = nbformat.read(empty / path.name, as_version=4)
    assert executed.cells[-1].outputs[0].text.startswith(str(folder / "venv"))
    return executed


def chosen() -> list[Path]:
    """All notebooks, or some that the number of commits chooses."""
    every, some = notebooks(), int(os.environ.get("COLAB_SOME") or 0)
    if not some:
        return every
    count = ["git", "-C", str(ROOT), "rev-list", "--count", "HEAD"]
    first = int(subprocess.run(count, check=True, capture_output=True).stdout) * some
    return [every[(first + number) % len(every)] for number in range(some)]


@pytest.mark.parametrize("path", chosen(), ids=lambda path: path.stem)
def test_notebook_alone_where_torch_is_already_installed(path, tmp_path):
    run_in_empty_folder(tmp_path, path, preinstalled=True)


@pytest.mark.parametrize("name", ["00_before_you_start", "03_the_bottleneck_exercises"])
def test_korean_notebook_alone_where_torch_is_already_installed(name, tmp_path):
    path = korean_notebooks.FOLDER / f"{name}.ipynb"
    executed = run_in_empty_folder(tmp_path, path, preinstalled=True)
    shown = [
        output.data["text/html"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    korean = [html for html in shown if re.search("[가-힣]", html)]
    assert shown and len(korean) == len(shown)


def test_first_notebook_alone_in_an_environment_with_nothing(tmp_path):
    run_in_empty_folder(tmp_path, notebooks()[0], preinstalled=False)
