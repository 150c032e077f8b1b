"""The Korean messages: what the book says in English, and what the catalogs say for it.

    python -m tools.translations update     take the English text as it is now into the catalogs
    python -m tools.translations check      what is missing, stale or against the rules

A catalog in `locale/ko` for each page holds its paragraphs, headings, list items and table cells,
as Sphinx takes them from the page's Markdown. What code says has its catalogs in
`course_lib/locale/ko`, which a learner's own notebook reads, too: what the cells of a notebook show
(taken from the executed notebooks, so `make book` or `make test` goes before), the checkers of the
exercises, the pages' scripts, and what directives write into pages. After a change in English,
`update` marks the Korean message as fuzzy: read both, mend the Korean one, and take the mark away.
A page that is named in `locale/ko/finished.txt`, or any page once there is no such list, must be
whole: each message translated, none fuzzy, none stale. Rules of the Korean text itself are in
`tools/korean.py`; where one is wrong for a message, the comment `# allow numbers are new` above it
names the beginning of what the rule says.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from babel.messages.catalog import Catalog, Message

from course_lib.figures.language import key
from tools import catalogs, checker_messages, korean, korean_notebooks, outputs, script_messages
from tools.catalogs import SPOKEN, read, write
from tools.project import BUILD, ROOT, notebooks, toc_files

RAW = "pages"  # the catalog of what directives write into pages
EXERCISES = "exercises"  # that of the checkers


def where(path: Path, line: int, cells: dict[Path, list[str]]) -> str:
    """Where a message stands: a page and a line of it, or a notebook and the name of a cell.

    MyST-NB counts 10,000 lines for each cell of a notebook.
    """
    if path in cells:
        return f"{path.as_posix()}#{cells[path][max(line // 10_000 - 1, 0)]}"
    return f"{path.as_posix()}:{line}"


def is_number(text: str) -> bool:
    """Whether a text has no letter, as a measured number in a table: it is the same in Korean."""
    return not any(map(str.isalpha, text))


def extracted() -> tuple[dict[str, Catalog], Catalog]:
    """The English messages of every page as it is now, by its name; and those of directives."""
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
    found, raw = {}, Catalog(locale="ko")
    BUILD.mkdir(exist_ok=True)  # a fresh clone has none
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        app = Sphinx(ROOT, None, folder, f"{folder}/.doctrees", "gettext", settings, status=None)
        app.build()
        for page in toc_files():
            catalog = Catalog(locale="ko")
            for message in read(Path(folder) / f"{page}.pot"):
                if message.id and not is_number(message.id):
                    places = [
                        where((Path(folder) / name).resolve().relative_to(ROOT), line, cells)
                        for name, line in message.locations
                    ]
                    catalog.add(message.id, locations=[(place, None) for place in places])
            found[page] = catalog
            ending = ".ipynb" if (ROOT / f"{page}.ipynb").is_file() else ".md"
            for text in app.raw_texts.get(page, []):
                raw.add(text, locations=[(page + ending, None)])
    return found, raw


def said_by_code(raw: Catalog) -> dict[str, Catalog]:
    """The English messages of what code says, by the name of their catalog.

    Raises:
        outputs.NotExecuted: the outputs of a notebook are not at hand.
    """
    found = {RAW: raw, EXERCISES: checker_messages.messages()}
    elsewhere = {message.id for catalog in found.values() for message in catalog}
    return found | outputs.catalogs(elsewhere)


def renew(path: Path, english: Catalog, known: dict[str, Message]) -> None:
    """Take the English text into a catalog; Korean that fits it stays, or comes from `known`."""
    catalog = read(path)
    catalog.update(english, update_header_comment=False)
    catalog.obsolete.clear()
    for message in catalog:
        if message.id and (message.fuzzy or not message.string) and message.id in known:
            message.string = known[message.id].string
            message.user_comments = known[message.id].user_comments
            message.flags.discard("fuzzy")
    write(path, catalog)


def update() -> None:
    """Take the English text as it is now into the catalogs."""
    pages, raw = extracted()
    for page, english in pages.items():
        renew(catalogs.of_page(page), english, {})
    renew(script_messages.KOREAN, script_messages.messages(), {})
    # A text that a second page shows moves from one catalog to another.
    old = [path for path in sorted(SPOKEN.glob("*.po")) if path != catalogs.SENSES]
    known = {
        message.id: message
        for path in old
        for message in read(path)
        if message.id and message.string and not message.fuzzy
    }
    spoken = said_by_code(raw)
    for name, english in spoken.items():
        renew(SPOKEN / f"{name}.po", english, known)
    for path in old:
        if path.stem not in spoken:
            path.unlink()
    korean_notebooks.main()


def cells_of_data(spoken: Iterable[Catalog]) -> set[str]:
    """The cells that show words which Korean keeps, as those that a trained model writes."""
    return {
        place
        for catalog in spoken
        for message in catalog
        if message.string and message.string.strip("*") == message.id.strip("*")
        if "{" not in message.id
        for place, _ in message.locations
    }


def problems_of(
    english: Catalog,
    catalog: Catalog,
    whole: Iterable[str] | None = None,
    data: Collection[str] = (),
) -> list[str]:
    """What is wrong with the Korean of one catalog.

    Args:
        english: the messages as they are now.
        catalog: what there is of them in Korean.
        whole: the pages that must be whole; all if None.
        data: the cells that show words of data. Another machine's model may write others, so only
            what stands in our sources has to have Korean there.
    """
    said = {message.id: message for message in catalog if message.id}
    found = []
    for message in english:
        if not message.id:
            continue
        places = [name for name, _ in message.locations]
        place = ", ".join(places)
        pages = {name.partition("#")[0].partition(":")[0].rpartition(".")[0] for name in places}
        must = whole is None or bool(pages & set(whole))
        mine = said.get(message.id)
        if mine is None or not mine.string:
            if must and (place not in data or key(message.id) in outputs.literals()):
                found.append(f"{place}: no Korean for “{message.id[:80]}”")
        elif mine.fuzzy:
            if must:
                found.append(f"{place}: the English has changed: “{message.id[:80]}”")
        else:
            allowed = tuple(
                comment.removeprefix("allow ")
                for comment in mine.user_comments
                if comment.startswith("allow ")
            )
            # Data stay as they are: a word of an example, the name of a file.
            wrong = korean.problems(message.id, mine.string) if mine.string != mine.id else []
            found += [f"{place}: {what}" for what in wrong if not what.startswith(allowed)]
    return found


def check() -> list[str]:
    """What is wrong with the Korean."""
    pages, raw = extracted()
    whole = catalogs.finished()
    found = []
    for page, english in pages.items():
        found += problems_of(english, read(catalogs.of_page(page)), whole)
    scripts = script_messages.messages()
    found += problems_of(scripts, read(script_messages.KOREAN), whole)
    spoken = said_by_code(raw)
    mine = {name: read(SPOKEN / f"{name}.po") for name in spoken}
    data = cells_of_data(mine.values())
    for name, english in spoken.items():
        found += problems_of(english, mine[name], whole, data)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.translations")
    parser.add_argument("job", choices=("update", "check"))
    options = parser.parse_args()
    try:
        if options.job == "update":
            update()
            return 0
        found = check()
    except outputs.NotExecuted as error:
        sys.exit(str(error))
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
