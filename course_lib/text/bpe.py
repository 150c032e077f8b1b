"""Byte pair encoding from scratch: subword tokens learned by merging frequent neighbors.

The method is that of Sennrich et al. (2016), section 3.2 and algorithm 1. A text is a list of
words, a word a list of characters, and the end of a word has a mark of its own. Training counts
which two neighbors stand together most often, merges them into one new symbol everywhere, and
repeats. Encoding a new text replays the merges in the order in which they were learned.

    low▁ lower▁ lowest▁  →  merge l+o  →  merge lo+w  →  low ▁, low e r ▁, low e s t ▁
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, Self

import tokenizers
from tokenizers.models import BPE as PackageModel
from tokenizers.trainers import BpeTrainer

from course_lib.text.words import Tokenizer, Vocabulary, compose

END = "▁"  # the end of a word; decoding turns it back into a space
Pair = tuple[str, str]


class BPE(Tokenizer):
    """Subword tokens: an alphabet of characters, and merges of two tokens into one.

    Decoding restores the text exactly, but for runs of white space, which become one space, and
    characters outside the alphabet, which become `UNK`.

    Args:
        alphabet: the characters known, `END` among them.
        merges: pairs of tokens, the first learned first.

    Raises:
        ValueError: a merge joins something that is neither in the alphabet nor made by an
            earlier merge.
    """

    kind = "bpe"
    _WORD = re.compile(rf"\w+{END}?|[^\w{END}]{END}?")

    def __init__(self, alphabet: Sequence[str], merges: Sequence[Pair]) -> None:
        self.alphabet = tuple(alphabet)
        # Training may meet a pair a second time, put together in another way; it counts once.
        self.merges = tuple(dict.fromkeys((left, right) for left, right in merges))
        tokens = dict.fromkeys(self.alphabet)  # a set that keeps its order
        for left, right in self.merges:
            if left not in tokens or right not in tokens:
                raise ValueError(
                    f"The merge {left!r} + {right!r} joins a token that does not exist yet. Give "
                    "all merges, in the order in which they were learned, and the whole alphabet."
                )
            tokens[left + right] = None  # two merges may make the same token
        super().__init__(Vocabulary(list(tokens)))
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._pieces: dict[str, list[str]] = {}  # words met before

    # Training

    @classmethod
    def train(
        cls, texts: Iterable[str], merges: int, *, min_count: int = 1, fast: bool = False
    ) -> Self:
        """Learn merges from texts.

        Args:
            texts: the corpus.
            merges: how many merges to learn at most. Training ends when no pair occurs twice.
            min_count: characters seen fewer times than this stay unknown.
            fast: let the `tokenizers` package do the counting. Use it for thousands of merges.
                The result is the same kind of object; where two pairs are equally frequent, it
                may choose another one.

        Raises:
            ValueError: `merges` is negative, or the texts hold no word.
        """
        if merges < 0:
            raise ValueError(f"merges is {merges}, expected 0 or more.")
        words = Counter(word for text in texts for word in cls.words(text))
        if not words:
            raise ValueError("There is nothing to learn from: the texts hold no word.")
        counts: Counter[str] = Counter()
        for word, count in words.items():
            for character in word:
                counts[character] += count
        alphabet = sorted(c for c, count in counts.items() if count >= min_count or c == END)
        learn = learn_merges_with_package if fast else learn_merges
        return cls(alphabet, learn(known_parts(words, alphabet), merges))

    @classmethod
    def words(cls, text: str) -> list[str]:
        """Cut a text into words and punctuation marks; `END` stands where a space followed.

        No merge crosses the border of these words, so "dog." and "dog!" share "dog".
        """
        spaced = compose(text).replace(END, " ").split()
        return cls._WORD.findall("".join(word + END for word in spaced))

    # Encoding

    def split(self, text: str) -> list[str]:
        return [piece for word in self.words(text) for piece in self._merge(word)]

    def _merge(self, word: str) -> list[str]:
        """Cut a word into tokens: again and again, join the pair that was learned first."""
        if word not in self._pieces:
            pieces = list(word)
            while len(pieces) > 1:
                ranks = [self._ranks.get(pair, math.inf) for pair in pairwise(pieces)]
                if min(ranks) == math.inf:
                    break
                at = ranks.index(min(ranks))
                pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
            self._pieces[word] = pieces
        return self._pieces[word]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens).replace(END, " ").strip()

    # Saving

    def _settings(self) -> dict[str, Any]:
        return {"alphabet": list(self.alphabet), "merges": self.merges}

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(settings["alphabet"], settings["merges"])


def known_parts(words: Counter[str], alphabet: Iterable[str]) -> Counter[str]:
    """Cut words at unknown characters, so that no merge reaches across one."""
    known = set(alphabet)
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for inside, characters in groupby(word, key=known.__contains__):
            if inside:
                parts["".join(characters)] += count
    return parts


def learn_merges(words: Counter[str], number: int) -> list[Pair]:
    """Learn merges from counted words (Sennrich et al. 2016, algorithm 1).

    The textbook version counts all pairs anew for every merge. But a merge changes only the
    words it occurs in. So we count once, remember in which words a pair occurs, and correct the
    counts of those words. Equally frequent pairs are taken in alphabetical order.

    Args:
        words: how often each word occurs.
        number: how many merges to learn. A pair that occurs once is not worth a token.
    """
    spelled = {word: list(word) for word in words}
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[str]] = defaultdict(set)

    def count_pairs(word: str, sign: int) -> None:
        for pair in pairwise(spelled[word]):
            counts[pair] += sign * words[word]
            places[pair].add(word)

    for word in words:
        count_pairs(word, +1)

    merges: list[Pair] = []
    while counts and len(merges) < number:
        highest = max(counts.values())
        if highest < 2:
            break
        best = min(pair for pair, count in counts.items() if count == highest)
        merges.append(best)
        for word in places.pop(best):
            count_pairs(word, -1)
            spelled[word] = list(join_pair(spelled[word], best))
            count_pairs(word, +1)
        del counts[best]
    return merges


def join_pair(symbols: Sequence[str], pair: Pair) -> Iterator[str]:
    """The symbols with each occurrence of the pair joined, from left to right."""
    i = 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            yield "".join(pair)
            i += 2
        else:
            yield symbols[i]
            i += 1


def learn_merges_with_package(words: Counter[str], number: int) -> list[Pair]:
    """The same task done by the `tokenizers` package, which is written in Rust.

    Args:
        words: how often each word occurs.
        number: how many merges to learn.
    """
    alphabet = sorted(set().union(*words))
    trainer = BpeTrainer(
        vocab_size=len(alphabet) + number,
        min_frequency=2,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    learner = tokenizers.Tokenizer(PackageModel())
    learner.train_from_iterator(words.elements(), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges][:number]
