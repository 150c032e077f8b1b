"""The house in rooms: a room imports only itself and rooms below it, so a reader can stop
anywhere.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "course_lib"

# Ground floor first. A folder of course_lib that is not named here fails the test.
ROOMS = (
    "support data text recurrent attention transformer training evaluation decoding transfer "
    "ulmfit gpt bert figures exercises studies claims"
).split()


def modules() -> dict[str, Path]:
    return {
        path.relative_to(LIBRARY).with_suffix("").as_posix(): path
        for path in sorted(LIBRARY.rglob("*.py"))
        if path != LIBRARY / "__init__.py"
    }


def imported_rooms(source: str) -> set[str]:
    """The rooms that a file imports, wherever in the file it does so."""
    rooms = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("course_lib.")}
    return rooms - {"__version__"}


def too_high(room: str, source: str) -> list[str]:
    return [
        other for other in sorted(imported_rooms(source)) if ROOMS.index(other) > ROOMS.index(room)
    ]


@pytest.mark.parametrize("name", modules())
def test_imports_point_down(name):
    room = name.split("/")[0]
    assert room in ROOMS, f"{room} has no floor: name it in tests/test_architecture.py"
    assert too_high(room, modules()[name].read_text(encoding="utf-8")) == []


def test_an_upward_import_is_found():
    source = "from course_lib.training import loop\nimport course_lib.text"
    assert too_high("attention", source) == ["training"]
    assert too_high("support", "def late():\n    from course_lib.text.words import PAD") == ["text"]


def test_each_room_says_what_it_holds():
    assert {name.split("/")[0] for name in modules()} == set(ROOMS)
    for room in ROOMS:
        source = (LIBRARY / room / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(source)), f"{room}/__init__.py says nothing"
