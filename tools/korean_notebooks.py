"""The notebooks in Korean, for Colab and Jupyter: `notebooks/ko`, written from the catalogs.

    python -m tools.korean_notebooks     write them anew (`make messages` does it, too)

A notebook there is the English one with its prose in Korean, text by text; its code cells are the
same, but for the line that sets the language of what the library says. Never edit one by hand: a
test compares each with what is written here.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from nbformat import NotebookNode

from course_lib.figures.language import Translation
from course_lib.figures.language import messages as messages_of_code
from tools import catalogs
from tools.project import ROOT, config, notebooks

FOLDER = ROOT / "notebooks" / "ko"
LANGUAGE = "%env COURSE_LANG=ko"
# A link to a page of the book, seen from a folder further down.
OUTSIDE = re.compile(r"(?<=\]\()\.\./")


@cache
def parser() -> MarkdownIt:
    """The Markdown of the pages."""
    from myst_parser.config.main import MdParserConfig
    from myst_parser.mdit_to_docutils.base import DocutilsRenderer
    from myst_parser.parsers.mdit import create_md_parser

    extensions = config()["parse"]["myst_enable_extensions"]
    settings = MdParserConfig(enable_extensions=set(extensions) - {"linkify"})
    return create_md_parser(settings, DocutilsRenderer)


def in_korean(source: str, messages: Mapping[str, str], of_code: Mapping[str, str]) -> str:
    """A Markdown cell in Korean; a text without a message stays as it is.

    Args:
        source: the cell.
        messages: of the page's prose, as Sphinx takes it from Markdown.
        of_code: of what is HTML.
    """
    lines = source.split("\n")
    translation = Translation(of_code, {})
    for start, end, texts, kind in reversed(blocks(parser().parse(source))):
        here = lines[start:end]
        if kind == "html":
            lines[start:end] = translation.html("\n".join(here)).split("\n")
        elif any(text in messages for text in texts):
            korean = [messages.get(text) or text for text in texts]
            if kind == "row":
                lines[start:end] = [f"| {' | '.join(korean)} |"]
            else:
                lines[start:end] = replaced(here, texts[0], korean[0])
    return OUTSIDE.sub("../../", "\n".join(lines))


def blocks(tokens: list[Token]) -> list[tuple[int, int, list[str], str]]:
    """First line, line behind the last, and texts of each paragraph, row of a table, HTML block."""
    found: list[tuple[int, int, list[str], str]] = []
    row: list[str] | None = None
    for token in tokens:
        if token.type == "tr_open":
            row = []
            found.append((*token.map, row, "row"))
        elif token.type == "tr_close":
            row = None
        elif token.type == "inline" and row is not None:
            row.append(token.content)
        elif token.type == "inline":
            found.append((*token.map, [token.content], "text"))
        elif token.type == "html_block":
            found.append((*token.map, [token.content], "html"))
    return found


def replaced(lines: list[str], english: str, korean: str) -> list[str]:
    """The lines of a text with the Korean in its place, behind the mark of a list or heading."""
    before, found, after = lines[0].partition(english.split("\n")[0])
    if not found:
        raise ValueError(f"not found in its lines: {english!r}")
    return [before + korean.replace("\n", " ") + after, *lines[1 + english.count("\n") :]]


def translated(notebook: Path) -> NotebookNode:
    """A notebook in Korean."""
    page = notebook.relative_to(ROOT).with_suffix("").as_posix()
    messages = {
        message.id: message.string
        for message in catalogs.read(catalogs.of_page(page))
        if message.id and message.string and not message.fuzzy
    }
    of_code = messages_of_code("ko")
    copy = nbformat.read(notebook, as_version=4)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = in_korean(cell.source, messages, of_code)
    first = next(cell for cell in copy.cells if cell.cell_type == "code")
    first.source = f"{LANGUAGE}\n{first.source}"
    return copy


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in notebooks():
        nbformat.write(translated(path), FOLDER / path.name)


if __name__ == "__main__":
    main()
