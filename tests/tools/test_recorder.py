"""The recorder keeps what passed completely, and nothing else, also with two workers at once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import build, project

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(*sources: str) -> nbformat.NotebookNode:
    cells = [new_code_cell(source) for source in sources]
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def run(folder: Path, *arguments: str, select: str = "notebooks") -> subprocess.CompletedProcess:
    """nbval with the recorder over the selected notebooks of a small project."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tools.nbval_record", "--rootdir", "."]
    command += ["--nbval-lax", "--nbval-current-env", "--nbval-record", "_build/executed"]
    paths = [str(project.ROOT), os.environ["PYTHONPATH"]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [*command, *arguments, select],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def recorded(folder: Path, name: str) -> nbformat.NotebookNode | None:
    path = folder / "_build" / "executed" / "notebooks" / name
    return nbformat.read(path, as_version=4) if path.is_file() else None


@pytest.fixture
def small(tmp_path):
    """An empty project with a folder of notebooks; pytest needs a file of settings as its root."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf8")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "one.py").write_text("x = 1\n", "utf8")
    return tmp_path


SLIDER = "import ipywidgets\nipywidgets.IntSlider(description='step')"
BAR = "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3)):\n    pass\nprint('end')"


def test_only_complete_and_clean_runs_are_recorded(small):
    files = {
        "good.ipynb": notebook(
            "import sys\nprint('shown')\nprint('50%|#####', file=sys.stderr)", "1 + 1"
        ),
        "fails.ipynb": notebook("1 + 1", "assert False"),
        "warns.ipynb": notebook("import warnings\nwarnings.warn('old name')"),
        "widgets.ipynb": notebook(SLIDER, BAR),
    }
    for name, content in files.items():
        nbformat.write(content, small / "notebooks" / name)
    done = run(small)
    assert done.returncode == 1
    assert "UserWarning: old name" in done.stdout
    assert recorded(small, "fails.ipynb") is None
    assert recorded(small, "warns.ipynb") is None
    first, second = recorded(small, "good.ipynb").cells
    assert [output.get("text") for output in first.outputs] == ["shown\n"]
    assert second.outputs[0].data["text/plain"] == "2"
    assert [first.execution_count, second.execution_count] == [1, 2]
    widgets = recorded(small, "widgets.ipynb")
    view = widgets.cells[0].outputs[0].data["application/vnd.jupyter.widget-view+json"]
    models = widgets.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert models[view["model_id"]]["state"]["description"] == "step"
    assert [output.get("text") for output in widgets.cells[1].outputs] == ["end\n"]

    copy = small / "_build" / "executed" / "notebooks" / "good.ipynb"
    before = copy.read_bytes()
    assert run(small, select="notebooks/good.ipynb::Cell 0").returncode == 0
    assert copy.read_bytes() == before, "a partly selected notebook was recorded"


def test_two_workers_and_one_execution_cache(small, monkeypatch):
    names = [f"{number:02}.ipynb" for number in range(3)]
    for number, name in enumerate(names):
        cells = [f"print({number}, {cell})" for cell in range(4)]
        nbformat.write(notebook(*cells), small / "notebooks" / name)
    done = run(small, "-n", "2", "--dist", "loadscope")
    assert done.returncode == 0, done.stdout
    files = project.fingerprints(small)
    for name in names:
        assert project.fresh(small / "notebooks" / name, files, small), name
    assert not [path for path in (small / "_build").rglob(".*") if path.is_file()], "left-overs"

    executed = small / "_build" / "executed"
    place = small / "_build" / ".jupyter_cache"
    monkeypatch.setattr(build, "ROOT", small)
    monkeypatch.setattr(build, "notebooks", lambda: sorted((small / "notebooks").glob("*.ipynb")))
    build.fill_cache(place, executed)
    from jupyter_cache import get_cache

    cache = get_cache(place)
    for number, name in enumerate(names):
        match = cache.match_cache_file(small / "notebooks" / name)
        merged = cache.get_cache_bundle(match.pk).nb
        assert merged.cells[3].outputs[0].text == f"{number} 3\n"


LIBRARY = {
    "course_lib/__init__.py": "",
    "course_lib/one.py": "x = 1",
    "course_lib/late.py": "y = 1",
    "course_lib/other.py": "z = 1",
    "course_lib/data.json": "[1]",
    "course_lib/by_a_child.txt": "text",
    "course_lib/other.json": "[2]",
    "constraints.txt": "torch",
}
USES = """
import pathlib, subprocess, sys
import course_lib.one
print(pathlib.Path(course_lib.one.__file__).with_name("data.json").read_text())
def read():
    import course_lib.late
    code = "open('../course_lib/by_a_child.txt').read()"
    subprocess.run([sys.executable, "-c", code], check=True)
read()
"""


def test_a_notebook_is_keyed_on_the_files_that_it_used_its_code_and_tags_not_its_prose(small):
    for name, text in LIBRARY.items():
        (small / name).write_text(text, "utf8")
    path = small / "notebooks" / "one.ipynb"
    nbformat.write(notebook("import sys; sys.path.insert(0, '..')", USES), path)
    for _ in range(2):  # the second time from byte code
        done = run(small)
        assert done.returncode == 0, done.stdout

    def fresh():
        return project.fresh(path, project.fingerprints(small), small)

    record = json.loads((small / "_build/executed/notebooks/one.json").read_text("utf8"))
    names = ("__init__.py", "one.py", "late.py", "data.json", "by_a_child.txt")
    assert record["uses"] == sorted(f"course_lib/{name}" for name in names)
    assert fresh()
    for name in ("course_lib/other.py", "course_lib/other.json"):
        (small / name).write_text("changed", "utf8")
        assert fresh(), f"{name} is not used"
    for name in (*record["uses"], "constraints.txt"):
        before = (small / name).read_text("utf8")
        (small / name).write_text("changed = 1", "utf8")
        assert not fresh(), name
        (small / name).write_text(before, "utf8")
    new = small / "course_lib" / "new_record.json"
    new.write_text("[]", "utf8")
    assert not fresh(), "it may have looked for a file that was not there"
    new.unlink()
    changed = nbformat.read(path, as_version=4)
    changed.cells.insert(0, nbformat.v4.new_markdown_cell("A new sentence."))
    nbformat.write(changed, path)
    assert fresh(), "prose alone calls for no execution"
    changed.cells[1].metadata["tags"] = ["hide-input"]
    nbformat.write(changed, path)
    assert not fresh(), "tags are recorded with the outputs"
    changed.cells[1].metadata["tags"] = []
    nbformat.write(changed, path)
    assert fresh()
    shutil.rmtree(small / "_build" / "executed")
    assert not fresh()


def test_what_a_build_compiles_from_the_catalogs_does_not_count_as_changed(tmp_path, monkeypatch):
    """Sphinx writes a .mo beside each .po; the build is still up to date afterwards."""
    hashed = []
    monkeypatch.setattr(build, "files_below", lambda *_: [tmp_path / "a.po", tmp_path / "a.mo"])
    monkeypatch.setattr(build, "digest", lambda paths: hashed.append(list(paths)) or "")
    build.korean_key()
    assert tmp_path / "a.po" in hashed[-1]
    assert tmp_path / "a.mo" not in hashed[-1]
