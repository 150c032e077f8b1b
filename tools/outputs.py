"""What the cells of the executed notebooks show, as messages for another language.

A text is kept as it stands in the sources (a literal, or a template of `say`); one that was put
together from parts is kept without its numbers, `{1} of {2} sentences`, so that a new measurement
makes no message stale. See `course_lib.figures.language`, which finds them again.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import yaml
from babel.messages.catalog import Catalog
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib.figures.language import Translation, counted, key, masked
from course_lib.figures.words import Said
from tools.project import EXECUTED, ROOT, notebooks, record_path

LEDGER = ROOT / "course_lib" / "claims" / "claims.yml"
DRAWINGS = ROOT / "course_lib" / "figures" / "drawings"
COMMON = "common"  # the catalog of what stands on several pages


class NotExecuted(Exception):
    """The outputs of a notebook are not at hand."""


def executed(notebook: Path) -> tuple[NotebookNode, dict[str, Said]]:
    """The executed copy of a notebook, and the sentences that its cells made.

    Raises:
        NotExecuted: there is none; `make book` or `make test` makes it.
    """
    copy = EXECUTED / notebook.relative_to(ROOT)
    if not record_path(copy).is_file():
        raise NotExecuted(f"{notebook.name} has not been executed: run `make book` first")
    record = json.loads(record_path(copy).read_text("utf8"))
    said = {text: Said(template, slots) for text, template, slots in record["said"]}
    return nbformat.read(copy, as_version=4), said


def shown(cell: NotebookNode) -> Iterator[tuple[dict, str]]:
    """The data of each output of a cell that a reader sees as text of ours, and its kind."""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        for kind in ("text/html", "text/markdown"):
            if kind in data:
                yield data, kind
                break


def translate(translation: Translation, cell: NotebookNode) -> None:
    """Put what a cell shows into the other language."""
    for data, kind in shown(cell):
        done = translation.html if kind == "text/html" else translation.markdown
        data[kind] = done(data[kind])


@cache
def literals() -> frozenset[str]:
    """The words of every literal text of the notebooks, the library, the ledger, the drawings."""
    found: set[str] = set()

    def of_python(source: str) -> None:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(key(node.value))

    def of_data(value: object) -> None:
        if isinstance(value, str):
            found.add(key(value))
        elif isinstance(value, dict | list):
            for one in value.values() if isinstance(value, dict) else value:
                of_data(one)

    for path in (ROOT / "course_lib").rglob("*.py"):
        of_python(path.read_text("utf8"))
    for path in notebooks():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", []):
                of_python(TransformerManager().transform_cell(cell.source))
    of_data(yaml.safe_load(LEDGER.read_text("utf8")))
    for path in DRAWINGS.glob("*.svg"):
        for text in re.findall(r">([^<]+)<", path.read_text("utf8")):
            found.add(key(text))
    return frozenset(found)


def message_of(text: str, templates: set[str]) -> str:
    """How a text that has no translation is kept as a message."""
    if text in templates or key(text) in literals():
        return counted(text)
    return counted(masked(text)[0])


def of_notebook(notebook: Path) -> dict[str, str]:
    """The messages of a notebook's outputs, each with the name of the first cell that shows it."""
    copy, said = executed(notebook)
    templates = {one.template for one in said.values()}
    found: dict[str, str] = {}
    known = 0
    translation = Translation({}, said, literals())
    for cell in copy.cells:
        translate(translation, cell)
        for text in list(translation.missing)[known:]:
            found.setdefault(message_of(text, templates), cell["id"])
        known = len(translation.missing)
    return found


def catalogs(elsewhere: set[str]) -> dict[str, Catalog]:
    """The catalogs of all outputs by name: of each notebook, and of what several share.

    Args:
        elsewhere: messages that another catalog holds.
    """
    pages = {path: of_notebook(path) for path in notebooks()}
    uses: dict[str, list[str]] = {}
    for path, messages in pages.items():
        for message, cell in messages.items():
            if message not in elsewhere:
                uses.setdefault(message, []).append(f"{path.relative_to(ROOT).as_posix()}#{cell}")
    made = {name: Catalog(locale="ko") for name in [COMMON, *(path.stem for path in pages)]}
    for message, places in uses.items():
        name = COMMON if len(places) > 1 else Path(places[0].partition("#")[0]).stem
        made[name].add(message, locations=[(places[0], None)])
    return {name: catalog for name, catalog in made.items() if len(catalog)}
