"""The Korean messages: what the book says in English, and what the catalogs say for it.

    python -m tools.translations update     take the English text as it is now into the catalogs
    python -m tools.translations check      what is missing, stale or against the rules

A catalog (gettext, `.po`) in `locale/ko` for each page holds its paragraphs, headings, list items
and table cells, as Sphinx takes them from the page's Markdown. What code says has its catalogs in
`course_lib/locale/ko`, which a learner's own notebook reads, too: for what the cells of a notebook
show, for what several of them show, for the checkers of the exercises, for the pages' scripts. They
are taken from the executed notebooks. After a change in English, `update` marks the Korean
message as fuzzy: read both, mend the Korean one, and take the mark away. A page that is named in
`locale/ko/finished.txt` must be whole: each message translated, none fuzzy, none stale. Rules of
the Korean text itself are in `tools/korean.py`; where one is wrong for a message, the comment
`# allow numbers are new` above it names the beginning of what the rule says.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from tools import korean
from tools.project import BUILD, ROOT, notebooks, toc_files

LOCALE = ROOT / "locale" / "ko"
MESSAGES = LOCALE / "LC_MESSAGES"
FINISHED = LOCALE / "finished.txt"


# Without dates and names: they would change with every update, and git has them.
HEADER = """msgid ""
msgstr ""
"Project-Id-Version: Attention, Measured\\n"
"Language: ko\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def read(path: Path) -> Catalog:
    """A catalog; an empty one where there is no file."""
    if not path.is_file():
        return Catalog(locale="ko")
    with path.open("rb") as file:
        return read_po(file, locale="ko")


def write(path: Path, catalog: Catalog) -> None:
    """Save a catalog so that a changed sentence changes as few lines as possible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(HEADER.encode())
        write_po(file, catalog, width=None, omit_header=True, ignore_obsolete=True)


def where(path: Path, line: int, cells: dict[Path, list[str]]) -> str:
    """Where a message stands: a page and a line of it, or a notebook and the name of a cell.

    MyST-NB counts 10,000 lines for each cell of a notebook.
    """
    if path in cells:
        return f"{path.as_posix()}#{cells[path][max(line // 10_000 - 1, 0)]}"
    return f"{path.as_posix()}:{line}"


def extracted() -> dict[str, Catalog]:
    """The English messages of every page as it is now, by the page's name."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx

    settings, _ = get_final_config(
        user_yaml=ROOT / "_config.yml",
        sourcedir=ROOT,
        cli_config={"latex_individualpages": False},
    )
    settings |= {"nb_execution_mode": "off", "gettext_compact": False}
    cells = {
        path.relative_to(ROOT): [cell["id"] for cell in json.loads(path.read_text("utf8"))["cells"]]
        for path in notebooks()
    }
    found = {}
    BUILD.mkdir(exist_ok=True)  # a fresh clone has none
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        app = Sphinx(ROOT, None, folder, f"{folder}/.doctrees", "gettext", settings, status=None)
        app.build()
        for page in toc_files():
            catalog = Catalog(locale="ko")
            for message in read(Path(folder) / f"{page}.pot"):
                if message.id:
                    places = [
                        where((Path(folder) / name).resolve().relative_to(ROOT), line, cells)
                        for name, line in message.locations
                    ]
                    catalog.add(message.id, locations=[(place, None) for place in places])
            found[page] = catalog
    return found


def catalog_path(page: str) -> Path:
    return MESSAGES / f"{page}.po"


def finished() -> list[str]:
    """The pages whose Korean must be whole."""
    return FINISHED.read_text("utf8").split() if FINISHED.is_file() else []


def update() -> None:
    """Take the English text as it is now into the catalogs; Korean that fits it stays."""
    for page, english in extracted().items():
        catalog = read(catalog_path(page))
        catalog.update(english, update_header_comment=False)
        catalog.obsolete.clear()
        write(catalog_path(page), catalog)


def problems_of(page: str, english: Catalog, catalog: Catalog) -> list[str]:
    """What is wrong with the Korean of one page; `english` is the page as it is now."""
    whole = page in finished()
    said = {message.id: message for message in catalog if message.id}
    found = []
    for message in english:
        if not message.id:
            continue
        place = ", ".join(name for name, _ in message.locations)
        mine = said.get(message.id)
        if mine is None or not mine.string:
            if whole:
                found.append(f"{place}: no Korean for “{message.id[:80]}”")
        elif mine.fuzzy:
            if whole:
                found.append(f"{place}: the English has changed: “{message.id[:80]}”")
        else:
            allowed = tuple(
                comment.removeprefix("allow ")
                for comment in mine.user_comments
                if comment.startswith("allow ")
            )
            wrong = korean.problems(message.id, mine.string)
            found += [f"{place}: {what}" for what in wrong if not what.startswith(allowed)]
    return found


def check() -> list[str]:
    """What is wrong with the Korean of all pages."""
    found = []
    for page, english in extracted().items():
        if catalog_path(page).is_file():
            found += problems_of(page, english, read(catalog_path(page)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.translations")
    parser.add_argument("job", choices=("update", "check"))
    if parser.parse_args().job == "update":
        update()
        return 0
    found = check()
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
