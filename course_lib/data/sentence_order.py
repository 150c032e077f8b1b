"""The third target of chapters 09 to 11: which of two sentences comes first?

Two sentences that stand next to each other in a Wikipedia introduction, in their own order or
swapped. The words are the same either way, so that a model that counts words cannot know.
"""

from typing import NamedTuple

from course_lib.data.splits import TextTask, hash_fraction, shuffled
from course_lib.data.wikipedia import Article, sentences, split

SWAPPED, IN_ORDER = 0, 1
WORDS = (5, 40)  # a sentence with fewer or more of them is left out
PAIRS = 4  # the most pairs that one held-out article gives


class SentencePair(NamedTuple):
    """Two neighboring sentences of the article `title`; `label` is 0 (swapped) or 1."""

    first: str
    second: str
    label: int
    title: str


def task(articles: list[Article], seed: int) -> TextTask[SentencePair]:
    """The protocol, on the parts that `wikipedia.split` makes: one pair from each training article.

    The language models of chapters 09 and 10 have read the training articles, in which all
    sentences stand in order. They have not read the other two parts. Of a held-out article each
    pair comes in both orders: whoever does not look at the order has exactly 0.5.
    """
    parts = split(articles)
    found = [(pairs, a.title) for a in parts.train if (pairs := neighbors(a.text))]
    labeled = []
    for place, (pairs, title) in enumerate(shuffled(found, lambda one: f"{seed} order {one[1]}")):
        one = pairs[int(hash_fraction(f"{seed} pair {title}") * len(pairs))]
        labeled.append(_pair(one, (SWAPPED, IN_ORDER)[place % 2], title))
    labeled = labeled[: len(labeled) // 2 * 2]  # as many of each label
    validation, test = (
        [
            _pair(one, label, article.title)
            for article in part
            for one in neighbors(article.text)[:PAIRS]
            for label in (SWAPPED, IN_ORDER)
        ]
        for part in parts[1:]
    )
    return TextTask(labeled, validation, test)


def neighbors(text: str) -> list[tuple[str, str]]:
    """Pairs of neighboring sentences, both of usual length; no sentence is in two pairs.

    >>> neighbors("It has two small parts. Both of them are quite old. The end.")
    [('It has two small parts.', 'Both of them are quite old.')]
    """
    found: list[tuple[str, str]] = []
    waiting: str | None = None
    for sentence in sentences(text):
        usual = WORDS[0] <= len(sentence.split()) <= WORDS[1]
        if usual and waiting is not None:
            found.append((waiting, sentence))
            waiting = None
        else:
            waiting = sentence if usual else None
    return found


def _pair(one: tuple[str, str], label: int, title: str) -> SentencePair:
    first, second = one if label == IN_ORDER else one[::-1]
    return SentencePair(first, second, label, title)
