"""The Korean letters of the pages as a font of their own: `write(folder)` at the end of a build.

A reader's machine may have no Korean font, or an ugly one. The letters come from Pretendard
(tools/vendor.py fetches it), cut down to the syllables that stand in the pages of a folder: a
normal and a bold weight. The style sheet that declares them says for which characters they are, so
a browser loads them only where Korean stands, and the bold one only where it is bold. Without the
font the pages show what Korean the reader's system has.

The licence of Pretendard asks that a changed font bear another name.
"""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

from tools.vendor import FONTS

FAMILY = "Course Hangul"
WEIGHTS = (400, 700)
STYLE = "hangul.css"
LETTERS = re.compile("[ㄱ-ㆎ가-힣]")
RANGE = "U+1100-11FF,U+3131-318E,U+AC00-D7A3"
# Names inside a font: family, full name, PostScript name, typographic family and those for WWS.
NAMES = (1, 3, 4, 6, 16, 21, 25)
# Of what lies beside the pages, what a page may show.
SHOWN = (".html", ".js", ".svg")
# The Korean pages are a folder inside that of the English ones, and cut a font of their own.
EDITION = "ko"
NAME = "한국어"  # how the English pages call it


def letters(folder: Path) -> set[str]:
    """The Korean letters in the pages of a folder and in the scripts that write into them."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.suffix in SHOWN and inside[0] != EDITION and path.name != "searchindex.js":
            found.update(LETTERS.findall(path.read_text("utf8")))
    return found


def cut(source: Path, goal: Path, kept: set[str]) -> None:
    """Save of a font what these characters need, under a name of its own."""
    font = TTFont(source)
    options = subset.Options(
        flavor="woff", layout_features=[], hinting=False, notdef_outline=True, name_IDs=["*"]
    )
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(kept))
    cutter.subset(font)
    for record in font["name"].names:
        if record.nameID in NAMES:
            record.string = FAMILY.replace(" ", "") if record.nameID == 6 else FAMILY
    subset.save_font(font, str(goal), options)


def face(name: str, weight: int, letters: str) -> str:
    """The style sheet's lines for a file with these letters."""
    return (
        f'@font-face{{font-family:"{FAMILY}";font-style:normal;font-weight:{weight};'
        f"font-display:swap;src:url({name}) format('woff');unicode-range:{letters}}}\n"
    )


def write(folder: Path, apart: str = "") -> str | None:
    """Put fonts and `hangul.css` into `_static` of a built folder; what is missing, or None.

    `apart` are letters that get a file of their own, since they stand where no other Korean does:
    every English page names the Korean edition, and should load no more for that.

    The style sheet is written in any case, an empty one where there is nothing to declare, so that
    no page asks for a file that is not there.
    """
    static = folder / "_static"
    kept = letters(folder)
    faces, missing = [], None
    for weight in WEIGHTS:
        source = FONTS / f"pretendard-{weight}.woff"
        if not source.is_file():
            missing = "the Korean font was not fetched: Korean needs a font of the reader's system"
        elif kept:
            name = f"hangul-{weight}.woff"
            cut(source, static / name, kept)
            faces.append(face(name, weight, RANGE))
            if apart:  # the last face that has a letter draws it
                name = f"hangul-name-{weight}.woff"
                cut(source, static / name, set(apart))
                faces.append(face(name, weight, ",".join(f"U+{ord(one):X}" for one in apart)))
    (static / STYLE).write_text("".join(faces), "utf8")
    return missing
