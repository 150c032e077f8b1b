"""The translation lab: an endless English→French and English→Korean corpus with gold alignments.

>>> from course_lib.data import lab
>>> pair = lab.generate(1, seed=0, lengths=(6, 6))[0]
>>> " ".join(pair.source), " ".join(pair.target), pair.alignment

Nothing is downloaded and nothing runs out. The sentences are grammatical, not wise ("the cat near
the bridge answers my horse"): the lab isolates what translation asks of a model (gender, agreement,
word order, words that split and fuse) from what it asks of world knowledge.

**Splits cannot leak.** Which split a sentence belongs to follows from its English words alone (a
checksum), so a training sentence can never come up as a test sentence, for any seed. The split
`combination` holds the sentences in which an adjective stands beside a noun that it never stands
beside in the other splits. "Longer than any seen" needs no split: ask for other `lengths`.
"""

import random
import zlib
from collections.abc import Callable
from typing import NamedTuple

from course_lib.data.lab import grammar
from course_lib.data.lab.lexicon import ADJECTIVES, NOUNS
from course_lib.data.lab.meaning import Meaning

SHORTEST, LONGEST = 3, 50  # English words
SPLITS = ("train", "validation", "test", "combination")
_GRAMMARS: dict[str, Callable[[Meaning], list[grammar.Token]]] = {
    "french": grammar.french,
    "korean": grammar.korean,
}


class Pair(NamedTuple):
    """One sentence pair; `alignment` holds (source index, target index), sorted."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...]


def _checksum(*words: str) -> int:
    return zlib.crc32(" ".join(words).encode())


HELD_OUT = frozenset(
    (adjective.english, noun.english)
    for adjective in ADJECTIVES
    for noun in NOUNS
    if _checksum(adjective.english, noun.english) % 16 == 0
)


def _split(meaning: Meaning, source: tuple[str, ...]) -> str:
    for phrase, _ in meaning.phrases:
        for adjective in phrase.adjectives.values():
            if (adjective.english, phrase.noun.english) in HELD_OUT:
                return "combination"
    return {8: "validation", 9: "test"}.get(_checksum(*source) % 10, "train")


def _pair(source: list[grammar.Token], target: list[grammar.Token]) -> Pair:
    alignment = tuple(
        (i, j)
        for i, (_, source_tags) in enumerate(source)
        for j, (_, target_tags) in enumerate(target)
        if source_tags & target_tags
    )
    return Pair(tuple(word for word, _ in source), tuple(word for word, _ in target), alignment)


def generate(
    n: int,
    *,
    seed: int,
    lengths: tuple[int, int] = (6, 30),
    target: str = "french",
    split: str = "train",
) -> list[Pair]:
    """`n` different sentence pairs whose English length is uniform over `lengths`.

    Args:
        n: how many pairs.
        seed: the same seed gives the same pairs.
        lengths: shortest and longest English length in words, both included, within 3 to 50.
        target: "french" or "korean".
        split: "train", "validation", "test" or "combination".
    """
    shortest, longest = lengths
    if not SHORTEST <= shortest <= longest <= LONGEST:
        raise ValueError(
            f"lengths is {lengths}; expected {SHORTEST} <= shortest <= longest <= {LONGEST}"
        )
    if target not in _GRAMMARS or split not in SPLITS:
        raise ValueError(
            f"target is {target!r} and split {split!r}; expected one of {', '.join(_GRAMMARS)}, "
            f"and of {', '.join(SPLITS)}"
        )
    rng = random.Random(seed)
    pairs: dict[tuple[str, ...], Pair] = {}
    rejected = 0
    words = rng.randint(*lengths)
    while len(pairs) < n:
        meaning = Meaning(rng)
        if not meaning.grow(words - SHORTEST):
            continue
        tokens = grammar.english(meaning)
        source = tuple(word for word, _ in tokens)
        if source not in pairs and _split(meaning, source) == split:
            pairs[source] = _pair(tokens, _GRAMMARS[target](meaning))
            rejected = 0
            words = rng.randint(*lengths)  # drawn once a pair: rejections must not favor a length
        elif (rejected := rejected + 1) > 5_000:
            raise ValueError(
                f"found only {len(pairs)} different {split} sentences of {words} words; "
                f"ask for fewer than n={n} or for longer sentences than lengths={lengths}"
            )
    return list(pairs.values())


def detokenize(tokens: tuple[str, ...] | list[str]) -> str:
    """Tokens as people write them: "l'" and Korean particles join their neighbor."""
    text = " ".join(tokens)
    return text.replace("' ", "'").replace(" -", "")
