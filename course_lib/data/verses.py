"""Verse-aligned Bible translations: the classic small multi-parallel corpus.

31,102 verses in six translations, from the archive `verses`. They are used because they are
aligned, long studied for exactly this purpose and free (Christodouloupoulos and Steedman 2015,
"A massively parallel corpus: the Bible in 100 languages"), and because the Bible in Basic English
has a vocabulary of about 6,000 words, so that a small model can learn from it.

`translation` gives the text as it is in the archive. `load` gives clean pairs: it drops the verses
that a translation does not have and removes verse numbers, brackets and the headings of the next
psalm that some of the texts carry along.
"""

import gzip
import re
from pathlib import Path
from typing import NamedTuple

from course_lib.data import archives
from course_lib.data.local import LocalFileError, read_lines
from course_lib.data.splits import Splits, by_key

LANGUAGES = tuple(archives.TRANSLATIONS)

BOOKS = (
    "Genesis, Exodus, Leviticus, Numbers, Deuteronomy, Joshua, Judges, Ruth, 1 Samuel, 2 Samuel, "
    "1 Kings, 2 Kings, 1 Chronicles, 2 Chronicles, Ezra, Nehemiah, Esther, Job, Psalms, Proverbs, "
    "Ecclesiastes, Song of Solomon, Isaiah, Jeremiah, Lamentations, Ezekiel, Daniel, Hosea, Joel, "
    "Amos, Obadiah, Jonah, Micah, Nahum, Habakkuk, Zephaniah, Haggai, Zechariah, Malachi, "
    "Matthew, Mark, Luke, John, Acts, Romans, 1 Corinthians, 2 Corinthians, Galatians, Ephesians, "
    "Philippians, Colossians, 1 Thessalonians, 2 Thessalonians, 1 Timothy, 2 Timothy, Titus, "
    "Philemon, Hebrews, James, 1 Peter, 2 Peter, 1 John, 2 John, 3 John, Jude, Revelation"
).split(", ")

# About 5% of the verses each, of several genres. No book that retells another one at length is
# held out (Samuel, Kings and Chronicles; the first three gospels; Ezra and Nehemiah; Jude and
# 2 Peter; Ephesians and Colossians).
TEST_BOOKS = frozenset(
    ("Ruth", "Esther", "Ecclesiastes", "Lamentations", "Hosea", "Zechariah")
    + ("Philippians", "Hebrews", "1 John")
)
VALIDATION_BOOKS = frozenset(
    ("Song of Solomon", "Daniel", "Joel", "Amos", "Jonah", "Micah", "Habakkuk", "Malachi")
    + ("2 Corinthians", "Galatians", "1 Thessalonians", "James")
)


class VersePair(NamedTuple):
    """One verse in two languages. A pair of a local file has the book "" and chapter 0."""

    book: str
    chapter: int
    verse: int  # for a local file: the line number
    source: str
    target: str


def load(
    source: str = "english", target: str = "french", *, path: str | Path | None = None
) -> list[VersePair]:
    """Clean verse pairs in the order of the books, about 31,000 of them.

    Args:
        source, target: two of `LANGUAGES`.
        path: read a UTF-8 file instead: one pair a line, source and target separated by one tab.
    """
    if path is not None:
        return _load_local(path)
    targets = translation(target)
    pairs = []
    for (book, chapter, verse), text in translation(source).items():
        left, right = clean(text, book), clean(targets[book, chapter, verse], book)
        if left and right:
            pairs.append(VersePair(book, chapter, verse, left, right))
    return pairs


def translation(language: str) -> dict[tuple[str, int, int], str]:
    """All 31,102 verses of one translation, as they are: (book, chapter, verse) → text."""
    if language not in LANGUAGES:
        raise ValueError(f"no translation for {language!r}; there are {', '.join(LANGUAGES)}")
    file = archives.fetch("verses") / f"{language}.tsv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        rows = (line.removesuffix("\n").split("\t") for line in lines)
        return {(BOOKS[int(b) - 1], int(c), int(v)): text for b, c, v, text in rows}


# What stands where a translation has no text for a verse: "[]", "-", "...", "***" (words missing),
# Korean "as above", "as verse 12", "as the verse before", "none", or a note that it is missing.
_NO_TEXT = re.compile(
    r"\[\]|-|\.\.\.|.*\*\*\*.*|상동|\d+절과 \S+|\(앞절과 동일\)|\(없음\)|\(Missing.*"
)
_NUMBER = re.compile(r"\(\d+:\d+ ?\)? ?|^\d+ (?=\D)")  # "(9:2) " where the numbering differs
_NEXT_PSALM = re.compile(r"\s*(BOOK [IVX]+ )?\bPsalm \d+.*$")  # the next heading, at the end
_PLAIN = str.maketrans("`’", "''", "[]#")
_CROSS_REFERENCE = re.compile(r"\[[^\]]*\d[^\]]*\]")


def clean(text: str, book: str) -> str:
    """The bare text of a verse of `book`; the empty string if it has none."""
    text = text.strip()
    if _NO_TEXT.fullmatch(text):
        return ""
    if book in ("Job", "Psalms"):
        text = _NEXT_PSALM.sub("", text)
    text = _NUMBER.sub("", _CROSS_REFERENCE.sub("", text))
    return " ".join(text.translate(_PLAIN).split())


def split(pairs: list[VersePair]) -> Splits[VersePair]:
    """Split by whole books, so that no passage is in two parts.

    A verse of the validation or test books whose source or target also occurs, word for word, in
    an earlier part is left out (some sentences return in many books). Quotations remain: one
    verse of the test part shares more than half of its five-word sequences with a training verse.
    Pairs of a local file, which have no book, are split by the hash of their source text.
    """
    if any(not pair.book for pair in pairs):
        parts = by_key(pairs, [pair.source.casefold() for pair in pairs])
    else:
        parts = Splits(
            [p for p in pairs if p.book not in TEST_BOOKS | VALIDATION_BOOKS],
            [p for p in pairs if p.book in VALIDATION_BOOKS],
            [p for p in pairs if p.book in TEST_BOOKS],
        )
    validation = _unseen(parts.validation, parts.train)
    return Splits(parts.train, validation, _unseen(parts.test, parts.train + validation))


def _unseen(pairs: list[VersePair], seen: list[VersePair]) -> list[VersePair]:
    sources, targets = {pair.source for pair in seen}, {pair.target for pair in seen}
    return [pair for pair in pairs if pair.source not in sources and pair.target not in targets]


def _load_local(path: str | Path) -> list[VersePair]:
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = [" ".join(field.split()) for field in line.split("\t")]
        if len(fields) != 2 or not all(fields):
            problem = f"expected a source, one tab and a target, found {line[:60]!r}"
            raise LocalFileError(path, number, problem)
        pairs.append(VersePair("", 0, number, *fields))
    return pairs
