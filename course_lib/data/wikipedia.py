"""Introductions of Wikipedia's "vital articles", in English and French.

10,033 English and 9,955 French articles with a topic each, from the archive `wikipedia`. The
text is Wikipedia's, under CC BY-SA 4.0. Formulas were lost when the archive was made, so that a
few mathematical sentences have gaps ("It is denoted by .").
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from course_lib.data import archives
from course_lib.data.local import read_lines
from course_lib.data.splits import Splits, TextTask, by_key, in_turn, shuffled

FILES = {"english": "summaries_en-us.json", "french": "summaries_fr-fr.json"}


class Article(NamedTuple):
    """The introduction of one article; `topic` is empty for a local file."""

    title: str
    text: str
    topic: str


def load(language: str = "english", *, path: str | Path | None = None) -> list[Article]:
    """All articles of one language, in the archive's order. White space is normalized.

    Args:
        language: "english" or "french".
        path: read a UTF-8 plain-text file instead: articles are separated by blank lines and
            titled "FILE 1", "FILE 2" and so on.
    """
    if path is not None:
        texts = re.split(r"\n\s*\n", "\n".join(read_lines(path)).strip())
        name = Path(path).stem
        return [Article(f"{name} {n}", _tidy(text), "") for n, text in enumerate(texts, start=1)]
    file = archives.fetch("wikipedia") / FILES[language]
    entries = json.loads(file.read_bytes()).items()
    return [Article(title, _tidy(entry["extract"]), entry["topic"]) for title, entry in entries]


def _tidy(text: str) -> str:
    return " ".join(text.replace("\N{WORD JOINER}", "").split())  # also no-break spaces


def split(articles: list[Article]) -> Splits[Article]:
    """Split by the hash of the title: about 5% each for validation and test.

    The part of an article depends on its title only, never on the other articles. A French
    article and its English counterpart may be in different parts.
    """
    return by_key(articles, [article.title for article in articles])


# The topics of the second target of chapters 09 and 11: the six with the most articles, without
# "Uncategorized", which is no topic.
TOPICS = (
    "People",
    "Biology and health sciences",
    "Geography",
    "Physical sciences",
    "Society and social sciences",
    "Arts",
)


def topic_task(articles: list[Article], seed: int) -> TextTask[Article]:
    """The second target of chapters 09 and 11: which of the six `TOPICS`?

    The language model of chapter 09 has read the training articles, without their topics; it has
    not read the other two parts. There topics are not equally frequent: average over topics.
    """
    parts = split(articles)
    drawn = shuffled(parts.train, lambda article: f"{seed} {article.title}")
    labeled = in_turn(drawn, lambda article: article.topic, TOPICS)
    validation, test = ([a for a in part if a.topic in TOPICS] for part in parts[1:])
    return TextTask(labeled, validation, test)


# A sentence ends at . ! or ? (with a closing quote or bracket) before a space and an opening.
_END = re.compile(r"""(?<=[.!?])(["'”’»)\]]?)\s+(?=["'“‘«(\[]?\s?[A-ZÀ-ÖØ-Þ0-9])""")
# … but not after an initial ("J. S. Bach"), a title or another usual abbreviation.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(.\"'“«])(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Sr|Jr|Mt|Prof|Gen|Lt|Col|Rev|vs|etc|c|ca|approx|"
    r"litt?|No|Vol|pp?|[Oo]p|cf|al|av|apr|env|v|Inc|Ltd|Co|Gov|Sen|Sgt|Capt|fl|r)\.$"
)


def sentences(text: str) -> list[str]:
    """Cut a text into sentences with a few rules, good enough for encyclopedia prose.

    >>> sentences("J. S. Bach was a composer. He was born in 1685.")
    ['J. S. Bach was a composer.', 'He was born in 1685.']
    """
    found, start = [], 0
    for match in _END.finditer(text):
        candidate = text[start : match.end(1)].strip()
        if not _ABBREVIATION.search(candidate):
            found.append(candidate)
            start = match.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found
