"""The usual public data sets, for readers who are online: IMDb, WikiText-2 and Tatoeba.

Nothing in the course needs them. They come through the optional package `datasets`
(`pip install datasets`, or the extra `online`) in the same types as our own corpora, so that
they can be swapped in: `reviews.split(hub.imdb())`.
"""

import re
from importlib import import_module
from typing import Any

from course_lib.data.reviews import Review, clean
from course_lib.data.verses import VersePair
from course_lib.data.wikipedia import Article

_HEADING = re.compile(r"= ([^=].*[^=]) =")  # " = Title = "; sections have "= =" or more


def imdb(split: str = "train") -> list[Review]:
    """IMDb's movie reviews (Maas et al. 2011), without film names."""
    rows = optional("datasets").load_dataset("stanfordnlp/imdb", split=split)
    return clean([Review(row["text"], row["label"], "") for row in rows])


def wikitext(split: str = "train") -> list[Article]:
    """The articles of WikiText-2 (Merity et al. 2017), without section headings."""
    name = "Salesforce/wikitext"
    rows = optional("datasets").load_dataset(name, "wikitext-2-raw-v1", split=split)
    articles: list[tuple[str, list[str]]] = []
    for line in (row["text"].strip() for row in rows):
        if heading := _HEADING.fullmatch(line):
            articles.append((heading[1], []))
        elif line and not line.startswith("= =") and articles:
            articles[-1][1].append(line)
    return [Article(title, " ".join(lines), "") for title, lines in articles if lines]


def tatoeba(target: str = "fr", split: str = "train") -> list[VersePair]:
    """Tatoeba's English sentences with translations into `target`, a two-letter code."""
    name = "sentence-transformers/parallel-sentences-tatoeba"
    rows = optional("datasets").load_dataset(name, f"en-{target}", split=split)
    texts = ((row["english"], row["non_english"]) for row in rows)
    return [VersePair("", 0, number, *pair) for number, pair in enumerate(texts, start=1)]


def optional(package: str) -> Any:
    """The package, or an `ImportError` that says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(
            f"`{package}` is not installed: `pip install {package}`. Only this data needs it."
        ) from error
