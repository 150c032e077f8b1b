"""Byte pair encoding from scratch: subword tokens learned by merging frequent neighbors.

The method is that of Sennrich et al. (2016), section 3.2 and algorithm 1. A text is a list of
words, a word a list of characters, and the end of a word has a mark of its own. Training counts
which two neighbors stand together most often, merges them into one new symbol everywhere, and
repeats. Encoding a new text replays the merges in the order in which they were learned.

    low▁ lower▁ lowest▁  →  merge l+o  →  merge lo+w  →  low ▁, low e r ▁, low e s t ▁
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import groupby, pairwise
from typing import Any, Self

import tokenizers
from tokenizers.models import BPE as PackageModel
from tokenizers.trainers import BpeTrainer

from course_lib.text.words import Tokenizer, Vocabulary, compose

END = "▁"  # the end of a word; decoding turns it back into a space
Merge = tuple[str, str]


class BPE(Tokenizer):
    """Subword tokens: an alphabet of characters, and merges of two tokens into one.

    Decoding restores the text in Unicode form NFC ("é" is one character), with two exceptions. A
    run of white space becomes one space, and none is left at either end; `END` counts as white
    space. A character outside the alphabet becomes "<unk>".

    Args:
        alphabet: the characters known, `END` among them.
        merges: pairs of tokens, the first learned first.
    """

    kind = "bpe"
    _WORD = re.compile(rf"\w+{END}?|[^\w{END}]{END}?")

    def __init__(self, alphabet: Sequence[str], merges: Sequence[Merge]) -> None:
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
        """
        words = Counter(word for text in texts for word in cls.words(text))
        if not words:
            raise ValueError("There is nothing to learn from: the texts hold no word.")
        counts = Counter("".join(words.elements()))
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
        return [piece for word in self.words(text) for piece in self._cut(word)]

    def _cut(self, word: str) -> list[str]:
        if word not in self._pieces:
            self._pieces[word] = apply_merges(word, self._ranks)
        return self._pieces[word]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens).replace(END, " ").strip()

    # Saving

    def _settings(self) -> dict[str, Any]:
        return {"alphabet": list(self.alphabet), "merges": self.merges}


def apply_merges(word: str, ranks: Mapping[Merge, int]) -> list[str]:
    """Cut a word into tokens: again and again, join the pair that was learned first.

    Of several such pairs the leftmost. Looking through the whole word for each merge would take
    a time that grows with the square of its length. So the pairs wait in a queue, lowest rank
    first; a joined piece is emptied, and a pair that is no more there is passed over.

    Args:
        word: its characters are the first pieces.
        ranks: the place of each merge in the order in which they were learned.
    """
    pieces, end = list(word), len(word)
    before, after = [*range(-1, end - 1)], [*range(1, end + 1)]  # neighbors of each piece
    waiting: list[tuple[int, int]] = []  # rank of a pair, place of its left piece

    def rank(left: int) -> int | None:
        return ranks.get((pieces[left], pieces[after[left]])) if after[left] < end else None

    def wait(left: int) -> None:
        if left >= 0 and (found := rank(left)) is not None:
            heappush(waiting, (found, left))

    for left in range(end):
        wait(left)
    while waiting:
        found, left = heappop(waiting)
        if rank(left) == found:
            right = after[left]
            pieces[left], pieces[right] = pieces[left] + pieces[right], ""
            after[left] = after[right]
            if after[left] < end:
                before[after[left]] = left
            wait(before[left])
            wait(left)
    return [piece for piece in pieces if piece]


def known_parts(words: Counter[str], alphabet: Iterable[str]) -> Counter[str]:
    """Cut words at unknown characters, so that no merge reaches across one."""
    known = set(alphabet)
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for inside, characters in groupby(word, key=known.__contains__):
            if inside:
                parts["".join(characters)] += count
    return parts


def learn_merges(words: Counter[str], number: int) -> list[Merge]:
    """Learn merges from counted words (Sennrich et al. 2016, algorithm 1).

    All pairs are counted anew for every merge. Equally frequent pairs are taken in alphabetical
    order.

    Args:
        words: how often each word occurs.
        number: how many merges to learn. A pair that occurs once is not worth a token.
    """
    spelled = {word: tuple(word) for word in words}
    merges: list[Merge] = []
    for _ in range(number):
        counts: Counter[Merge] = Counter()
        for word, count in words.items():
            for pair in pairwise(spelled[word]):
                counts[pair] += count
        if max(counts.values(), default=0) < 2:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        spelled = {word: tuple(join_pair(parts, merges[-1])) for word, parts in spelled.items()}
    return merges


def join_pair(parts: Sequence[str], pair: Merge) -> Iterator[str]:
    """The parts with each occurrence of the pair joined, from left to right."""
    i = 0
    while i < len(parts):
        width = 2 if tuple(parts[i : i + 2]) == pair else 1
        yield "".join(parts[i : i + width])
        i += width


def learn_merges_with_package(words: Counter[str], number: int) -> list[Merge]:
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
