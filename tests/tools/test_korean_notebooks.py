"""The Korean notebooks: written from the catalogs, with the code of the English ones."""

import nbformat
import pytest

from tools import korean_notebooks
from tools.project import notebooks

NOTEBOOKS = notebooks()
TABLE = "| a | b |\n|---|---|\n| *one* two | two |\n"
CELL = f"""# One

> **Two.** three
> four

- five
  six

{TABLE}
<details class="choice"><summary>A. seven</summary>

Eight, see [it](../book/glossary.md).

</details>

```python
one = two
```"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_korean_notebook_is_what_the_catalogs_say(path):
    found = (korean_notebooks.FOLDER / path.name).read_text("utf8")
    hint = "`make messages` writes the Korean notebooks anew"
    assert found == nbformat.writes(korean_notebooks.translated(path)) + "\n", hint


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_is_that_of_the_english_notebook_but_for_the_language(path):
    ours, theirs = (
        [cell for cell in nbformat.read(one, as_version=4).cells if cell.cell_type == "code"]
        for one in (path, korean_notebooks.FOLDER / path.name)
    )
    assert theirs[0].source == f"{korean_notebooks.LANGUAGE}\n{ours[0].source}"
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        assert (one.id, one.source, one.metadata) == (other.id, other.source, other.metadata)
        assert not other.outputs


def test_no_korean_notebook_is_left_over():
    written = {path.name for path in korean_notebooks.FOLDER.glob("*.ipynb")}
    assert written == {path.name for path in NOTEBOOKS}


def test_without_messages_nothing_changes_but_links_to_pages():
    expected = CELL.replace("../book", "../../book")
    assert korean_notebooks.in_korean(CELL, {}, {}) == expected


def test_each_text_is_replaced_in_its_place():
    messages = {
        "One": "하나",
        "**Two.** three\nfour": "**둘.** 셋 넷",
        "five\nsix": "다섯 여섯",
        "two": "둘",
        "*one* two": "하나 둘",
        "Eight, see [it](../book/glossary.md).": "여덟, [여기](../book/glossary.md) 참고.",
    }
    found = korean_notebooks.in_korean(CELL, messages, {"A. seven": "A. 일곱"})
    assert (
        found
        == """# 하나

> **둘.** 셋 넷

- 다섯 여섯

| a | b |
|---|---|
| 하나 둘 | 둘 |

<details class="choice"><summary>A. 일곱</summary>

여덟, [여기](../../book/glossary.md) 참고.

</details>

```python
one = two
```"""
    )
