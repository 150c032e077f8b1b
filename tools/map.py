"""The map of the library: `python -m tools.map` writes course_lib/README.md.

Rooms say what they hold in their `__init__.py`; a chapter's modules are those that its lesson
imports, its exercises, studies and claims those that carry its number. A test compares the file
with what this module makes of the present state.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat

from course_lib import claims, studies
from course_lib.exercises import all_exercises
from course_lib.support.files import write_atomically
from tools.project import ROOT, deeper_of, exercises_of, is_lesson, notebooks

LIBRARY = ROOT / "course_lib"
PAGE = LIBRARY / "README.md"
# In the order in which the course meets them.
ROOMS = (
    "recurrent attention transformer transfer ulmfit gpt bert training decoding evaluation data "
    "text figures exercises studies claims support"
).split()
ELSEWHERE = {"exercises", "studies", "claims", "figures"}  # named in lines of their own, or by all


def first_sentences(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line."""
    told = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return " ".join(told.split("\n\n")[0].split())


def imported(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """The modules of the library that a notebook imports, as paths without suffix."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.source.lstrip().startswith(("%", "# Colab")):
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib."):
                path = node.module.removeprefix("course_lib.").replace(".", "/")
                inner = [f"{path}/{alias.name}" for alias in node.names]
                yield from [path] if (LIBRARY / f"{path}.py").is_file() else inner


def modules(*notebooks: nbformat.NotebookNode) -> list[str]:
    """Those of the rooms that explain, in the order of the rooms."""
    names = {name for notebook in notebooks for name in imported(notebook)}
    found = {name for name in names if name.split("/")[0] not in ELSEWHERE}
    return sorted(found, key=lambda name: (ROOMS.index(name.split("/")[0]), name))


def linked(name: str) -> str:
    path = LIBRARY / f"{name}.py" if (LIBRARY / f"{name}.py").is_file() else LIBRARY / name
    return f"[{name}]({path.relative_to(LIBRARY).as_posix()})"


def chapter(path: Path, every_study: list[studies.Study], every_claim: list[claims.Claim]) -> str:
    """The part of the map that belongs to one chapter."""
    pages = [nbformat.read(p, as_version=4) for p in (path, deeper_of(path)) if p.is_file()]
    notebook, number = pages[0], path.stem[:2]
    title = notebook.cells[0].source.split("\n")[0].lstrip("# ")
    exercises = [one for name, one in all_exercises().items() if name[2:4] == number]
    home = f"exercises/ch{number}"
    told = [study for study in every_study if study.chapter == number]
    entries = [claim for claim in every_claim if claim.chapter == number]
    lines = [f"### [{title}](../{path.relative_to(ROOT).as_posix()})", ""]
    if names := modules(*pages):
        lines.append(f"- **Modules**: {', '.join(map(linked, names))}")
    if deeper_of(path).is_file():
        page = f"../{deeper_of(path).relative_to(ROOT).as_posix()}"
        lines.append(f"- [**Deeper**]({page}): second experiments")
    if exercises:
        names = ", ".join(f"`{one.name}`" for one in exercises)
        page = f"../{exercises_of(path).relative_to(ROOT).as_posix()}"
        lines.append(f"- [**Exercises**]({page}), {linked(home)}: {names}")
    for study in told:
        where = study.run.__module__.removeprefix("course_lib.").replace(".", "/")
        lines.append(f"- **Study** [{study.name}]({where}.py): {study.title}")
    if entries:
        headline = [one.claim for one in entries if one.headline]
        lines.append(
            f"- **Claims**, {len(entries)} in [claims.yml](claims/claims.yml): "
            + (headline[0] if headline else entries[0].claim)
        )
    return "\n".join(lines)


def render() -> str:
    """The whole map."""
    rooms = [f"| [{r}/]({r}) | {first_sentences(LIBRARY / r / '__init__.py')} |" for r in ROOMS]
    known = [studies.get(name) for name in studies.names()], claims.load()
    parts = [
        "<!-- Written by `python -m tools.map`; do not edit. -->",
        "# The library, room by room",
        "The listing reads like the course. A room imports only from rooms that stand below it in "
        "`tests/test_architecture.py`, so you can stop reading at any floor.",
        "\n".join(["| Room | What it holds, in reading order |", "|---|---|", *rooms]),
        "## Chapter by chapter",
        *(chapter(path, *known) for path in filter(is_lesson, notebooks())),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    write_atomically(PAGE, render().encode())
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
