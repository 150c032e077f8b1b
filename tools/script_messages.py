"""What the scripts of the pages say, and what `locale/ko/scripts.po` says for it.

A script keeps what a reader sees or hears in a call of `Say.texts` (book/_static/say.js), each text
a string of its own with slots such as `{name}`. `messages` lists them with their places;
`script_texts` is the script that gives a Korean page the Korean ones.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog

from tools.catalogs import LOCALE, read
from tools.project import ROOT

# By itself: a short text such as “after” may need other Korean in the output of a cell.
KOREAN = LOCALE / "scripts.po"
STATIC = ROOT / "book" / "_static"

# Parts of a script: a comment; a string; a regular expression, which stands where a value may
# begin; a name or a number; any other sign.
PART = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<string> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
    | (?P<regex> (?<=[(,=:\[!&|?{};>]) \s* /(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/\w* )
    | (?P<name> [\w$]+ )
    | (?P<sign> \S )
    """,
    re.VERBOSE | re.DOTALL,
)
STRETCH = re.compile(r"(?:\\.|[^`\\$]|\$(?!\{))*", re.DOTALL)  # of a template, up to a slot


class Part(NamedTuple):
    """One of "comment", "string", "template", "regex", "name" and "sign"; where it begins."""

    kind: str
    text: str
    start: int


def parts(script: str, at: int = 0, closing: str = "") -> Iterator[Part]:
    """The parts of a script from a place on, or up to the brace that closes what is open there.

    A template literal gives its stretches between the slots, and the parts of what fills these.
    """
    depth = 0
    while found := PART.search(script, at):
        kind, at = str(found.lastgroup), found.end()
        sign = found[0] if kind == "sign" else ""
        depth += (sign == "{") - (sign == "}")
        if closing and depth < 0:
            yield Part("end", sign, found.start())
            return
        if sign != "`":
            yield Part(kind, found[0].strip(), found.start())
            continue
        while script[at] != "`":
            stretch = STRETCH.match(script, at)
            assert stretch
            yield Part("template", stretch[0], at)
            at = stretch.end()
            if script.startswith("${", at):
                for part in parts(script, at + 2, "}"):
                    if part.kind != "end":
                        yield part
                    at = part.start + 1
        at += 1


def said(script: str) -> Iterator[tuple[str, int]]:
    """Each text in a call of `Say.texts`, and the number of its line.

    Raises:
        ValueError: in such a call stands something else than texts with names.
    """
    found = [part for part in parts(script) if part.kind != "comment"]
    at = 0
    while at < len(found):
        at += 1
        if [part.text for part in found[at - 1 : at + 2]] != ["texts", "(", "{"]:
            continue
        text, line, at = "", 0, at + 2
        while (part := found[at]).text != ")":
            after = found[at + 1].text
            text_here = part.text.startswith('"')
            if text_here:
                line = line or script.count("\n", 0, part.start) + 1
                text += str(json.loads(part.text))
            elif not (part.text in "+:,[]{}" or after == ":"):
                place = script.count("\n", 0, part.start) + 1
                raise ValueError(f"line {place}: {part.text} is no text in double quotation marks")
            if text_here and after != "+":
                if after != ":":  # that would be a name
                    yield text, line
                text, line = "", 0
            at += 1


def sources() -> list[Path]:
    """The scripts that say something: those of the pages, and that of the ledger."""
    folders = (STATIC, STATIC / "live", STATIC / "progress")
    found = [path for folder in folders for path in sorted(folder.glob("*.js"))]
    return [*found, ROOT / "course_lib" / "claims" / "page.js"]


def messages() -> Catalog:
    """All texts of the scripts, with their places.

    Raises:
        ValueError: a text is not written as one; the message names file and line.
    """
    catalog = Catalog(locale="ko")
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        try:
            for text, line in said(path.read_text("utf8")):
                catalog.add(text, locations=[(f"{name}:{line}", None)])
        except ValueError as error:
            raise ValueError(f"{name}, {error}") from None
    return catalog


def script_texts() -> str:
    """The script texts.js of a Korean page: the Korean text by the English one."""
    wanted = {message.id for message in messages() if message.id}
    texts = {
        str(message.id): str(message.string)
        for message in read(KOREAN)
        if message.id in wanted and message.string and not message.fuzzy
    }
    lines = json.dumps(texts, ensure_ascii=False, indent=0)
    return f"/* Written by tools/script_messages.py; see say.js. */\nwindow.AM_TEXTS = {lines};\n"
