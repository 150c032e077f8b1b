"""Where things are, what _config.yml says, and which inputs an execution depends on."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
HTML = BUILD / "html"
# These count for the outputs of every notebook.
ALWAYS = ("constraints.txt", "tools/nbval_record.py", "tools/kernels.py")
VENDOR = ROOT / "book" / "_static" / "vendor"


def config(root: Path = ROOT) -> dict:
    """_config.yml as a dictionary."""
    return yaml.safe_load((root / "_config.yml").read_text("utf8"))


def toc_files(root: Path = ROOT) -> list[str]:
    """The pages of _toc.yml in reading order, without suffix, the root page first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    pages = [toc["root"]]
    for chapter in (chapter for part in toc["parts"] for chapter in part["chapters"]):
        pages += [page["file"] for page in (chapter, *chapter.get("sections", []))]
    return pages


def notebooks(root: Path = ROOT) -> list[Path]:
    """The notebooks of the table of contents, in reading order."""
    paths = [root / f"{name}.ipynb" for name in toc_files(root)]
    return [path for path in paths if path.is_file()]


def is_lesson(notebook: Path) -> bool:
    """Whether a notebook is a chapter's lesson, not what stands beside it."""
    return not notebook.stem.endswith(("_exercises", "_deeper"))


def is_exercises(notebook: Path) -> bool:
    """Whether a notebook holds a chapter's exercises."""
    return notebook.stem.endswith("_exercises")


def exercises_of(lesson: Path) -> Path:
    """The notebook that holds the exercises of a lesson."""
    return lesson.with_name(f"{lesson.stem}_exercises.ipynb")


def deeper_of(lesson: Path) -> Path:
    """The notebook with a lesson's second experiments; not every lesson has one."""
    return lesson.with_name(f"{lesson.stem}_deeper.ipynb")


def digest(paths: Iterable[Path], root: Path = ROOT) -> str:
    """SHA-256 over the names and bytes of files, independent of the order given."""
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def files_below(*folders: Path) -> list[Path]:
    """All files below folders, without byte code."""
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def fingerprints(root: Path = ROOT) -> dict[str, str]:
    """SHA-256 of every file that a notebook may use, by its path from the root."""
    paths = [*files_below(root / "course_lib"), *map(root.joinpath, ALWAYS)]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }


def notebook_key(
    notebook: nbformat.NotebookNode, uses: Iterable[str], files: dict[str, str]
) -> str:
    """Key of one notebook's outputs: its code cells with their tags, and the files that it uses.

    Prose is left out: a corrected sentence does not call for a new execution. The lock and the
    recorder count for every notebook, and so do the names of the library's data files, because a
    notebook may have looked for one that was not there.

    Args:
        uses: paths from the root of the modules, records, checkpoints and tables opened.
        files: what `fingerprints` gives.
    """
    cells = [
        [cell.source, sorted(cell.metadata.get("tags", []))]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    used = [[name, files.get(name)] for name in sorted({*ALWAYS, *uses})]
    data = [
        name
        for name in sorted(files)
        if name.startswith("course_lib/") and not name.endswith(".py")
    ]
    return hashlib.sha256(json.dumps([used, data, cells]).encode()).hexdigest()


def record_path(notebook: Path) -> Path:
    """Where the recorder notes key, uses, seconds and memory beside an executed copy."""
    return notebook.with_suffix(".json")


def fresh(notebook: Path, files: dict[str, str], root: Path = ROOT) -> bool:
    """Whether the executed copy of a notebook exists and still belongs to it."""
    copy = root / EXECUTED.relative_to(ROOT) / notebook.relative_to(root)
    if not (copy.is_file() and record_path(copy).is_file()):
        return False
    record = json.loads(record_path(copy).read_text("utf8"))
    key = notebook_key(nbformat.read(notebook, as_version=4), record.get("uses", []), files)
    return record["key"] == key
