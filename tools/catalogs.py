"""The catalogs with the Korean text (gettext, `.po`): where they are, and what they say."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from tools.project import ROOT

LOCALE = ROOT / "locale" / "ko"
PROSE = LOCALE / "LC_MESSAGES"  # of each page
SPOKEN = ROOT / "course_lib" / "locale" / "ko"  # of what code says
SENSES = SPOKEN / "senses.po"
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


def of_page(page: str) -> Path:
    """The catalog of a page's prose."""
    return PROSE / f"{page}.po"


def kept() -> dict[str, str]:
    """The language of what code says and Korean leaves as it is: English, or what is noted."""
    return {
        message.id: next((c[5:] for c in message.user_comments if c.startswith("lang ")), "en")
        for path in SPOKEN.glob("*.po")
        for message in read(path)
        if message.id and message.id == message.string
    }


def finished() -> list[str] | None:
    """The pages whose Korean must be whole; None once this holds for all of them."""
    return FINISHED.read_text("utf8").split() if FINISHED.is_file() else None


def whole(page: str) -> bool:
    """Whether the Korean of a page must be whole."""
    named = finished()
    return named is None or page in named
