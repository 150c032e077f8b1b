"""The house has floors: a room imports only rooms below it, so a reader can stop at any floor."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "course_lib"

# Ground floor first. A file or folder of course_lib that is not named here fails the test.
FLOORS = (
    "files data text bpe masks cells rnn seq2seq attention positions transformer layers "
    "transformer_model vision transfer awd_lstm ulmfit gpt wordpiece "
    "bert bert_classifier masked_lm costs schedules progress "
    "interrupts checkpoint hugging_face gpt_weights bert_weights distributed train "
    "gpt_classifier streams windows ngram dictionary decode translation evaluate "
    "train_translator probe svg sketch plots drawings heatmap widgets headmaps exercises studies "
    "claims"
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
        other
        for other in sorted(imported_rooms(source))
        if FLOORS.index(other) > FLOORS.index(room)
    ]


@pytest.mark.parametrize("name", modules())
def test_imports_point_down(name):
    room = name.split("/")[0]
    assert room in FLOORS, f"{room} has no floor: name it in tests/test_architecture.py"
    assert too_high(room, modules()[name].read_text(encoding="utf-8")) == []


def test_an_upward_import_is_found():
    assert too_high("masks", "from course_lib import train\nimport course_lib.text") == ["train"]
    assert too_high("data", "def late():\n    from course_lib.text import PAD") == ["text"]


def test_each_floor_exists():
    there = {name.split("/")[0] for name in modules()}
    assert there == set(FLOORS)
