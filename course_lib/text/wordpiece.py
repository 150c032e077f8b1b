"""WordPiece: BERT's way to cut text into subwords, written from scratch.

Two steps. A *basic* step cleans the text and cuts it into words and punctuation marks; then each
word is cut greedily, the longest piece of the vocabulary first. A piece inside a word begins with
``##``, so that the end of a word needs no mark of its own:

    "Unbelievable!"  →  unbelievable  !  →  un ##bel ##ie ##vable  !

Source: Schuster and Nakajima (2012) and Wu et al. (2016), section 4.1, for the idea; the rules are
those of the program of Devlin et al. (2019), as the `tokenizers` package has them; the tests
compare the two. What is a letter, an accent, a punctuation mark is looked up in Python's
Unicode tables; the package has older ones, and differs at characters that were added since.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from course_lib.data.local import read_lines
from course_lib.text.words import read_json, write_json

INSIDE = "##"  # before a piece that does not begin a word
LONGEST_WORD = 100  # characters; a longer word is unknown
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_LEFT_OUT = ("Cc", "Cf", "Co", "Cs")  # control, format, private use, half a surrogate pair

_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class Marked(NamedTuple):
    """A text or a pair as BERT reads it: token ids, and 0 or 1 for the segment of each."""

    ids: list[int]
    segments: list[int]


class WordPiece:
    """Subwords by the longest match.

    Args:
        tokens: the vocabulary in the order of the ids. It holds the five `SPECIALS`, with
            ``[PAD]`` first.

    Raises:
        ValueError: a special token is missing, ``[PAD]`` is not id 0, or a token occurs twice.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        missing = [token for token in SPECIALS if token not in self._ids]
        if missing:
            raise ValueError(f"the vocabulary lacks {', '.join(missing)}; is it BERT's?")
        if self._ids["[PAD]"] != 0:
            raise ValueError(f"[PAD] has id {self._ids['[PAD]']}, expected 0: the masks rely on it")
        if len(self._ids) < len(self.tokens):
            twice = [token for token, count in Counter(self.tokens).items() if count > 1]
            raise ValueError(f"each token may occur once, but {twice[0]!r} occurs more often")
        self.pad, self.unk, self.cls, self.sep, self.mask = (self._ids[t] for t in SPECIALS)
        self.specials = frozenset(self._ids[token] for token in SPECIALS)
        self._longest = max(map(len, self.tokens))
        self._known: dict[str, list[int]] = {}  # words met before

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def read_vocab(cls, path: str | Path) -> Self:
        """Read the ``vocab.txt`` of a published model: one token a line, the first line is id 0.

        Raises:
            course_lib.data.local.LocalFileError: no such file, or it is empty or not UTF-8.
            ValueError: it is no vocabulary of BERT's.
        """
        return cls([line.rstrip("\r") for line in read_lines(path)])

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        write_json(path, {"kind": "wordpiece", "tokens": list(self.tokens)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer that `save` has written.

        Raises:
            ValueError: the file is something else.
        """
        return cls(read_json(path, kind="wordpiece")["tokens"])

    @classmethod
    def train(cls, texts: Iterable[str], size: int, *, min_count: int = 2) -> Self:
        """Learn a vocabulary of at most ``size`` tokens with the `tokenizers` package.

        The package merges the most frequent pair, as BPE does; Schuster and Nakajima choose the
        pair that raises the likelihood of the corpus most. The cutting of words is the same.
        Characters beyond a tenth of the size are left out, the rarest first.
        """
        import tokenizers

        learner = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
        learner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        trainer = tokenizers.trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=min_count,
            limit_alphabet=size // 10,
            special_tokens=list(SPECIALS),
            continuing_subword_prefix=INSIDE,
            show_progress=False,
        )
        learner.train_from_iterator((" ".join(words(text)) for text in texts), trainer)
        ordinary = sorted(set(learner.get_vocab()) - set(SPECIALS))  # its order differs by run
        return cls([*SPECIALS, *ordinary])

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, without marks; "" gives [].

        Text that spells a special token, such as "[MASK]", is text like any other. A word that
        cannot be put together from pieces, or has over `LONGEST_WORD` characters, is ``[UNK]``.

        Raises:
            TypeError: ``text`` is not a string. Decode bytes first, for example with
                ``data.decode("utf-8", errors="replace")``: what was invalid is then left out.
        """
        if not isinstance(text, str):
            raise TypeError(
                f"encode takes one string, got {type(text).__name__}. Decode bytes first: "
                'data.decode("utf-8", errors="replace").'
            )
        ids: list[int] = []
        for word in words(text):
            found = self._known.get(word)
            if found is None:
                found = self._known[word] = self._cut(word)
            ids += found
        return ids

    def text(self, first: str, second: str | None = None, *, longest: int = 512) -> Marked:
        """``[CLS] first [SEP]`` in segment 0, and with a pair ``second [SEP]`` in segment 1.

        What exceeds ``longest`` tokens, marks included, is cut off at the end; of a pair, token by
        token, from whichever is longer at the time, the second where they are equally long.

        Raises:
            ValueError: ``longest`` leaves no room for a token beside the marks.
        """
        pair = second is not None
        room = longest - 2 - pair
        if room < 1 + pair:
            raise ValueError(f"longest is {longest}, expected at least {3 + 2 * pair}: marks count")
        one = self.encode(first)
        if not pair:
            one = one[:room]
            return Marked([self.cls, *one, self.sep], [0] * (len(one) + 2))
        other = self.encode(second)
        one, other = cut_pair(one, other, room)
        ids = [self.cls, *one, self.sep, *other, self.sep]
        return Marked(ids, [0] * (len(one) + 2) + [1] * (len(other) + 1))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The tokens with these ids, as the vocabulary writes them.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        ids = [int(id) for id in ids]
        wrong = [id for id in ids if not 0 <= id < len(self.tokens)]
        if wrong:
            raise ValueError(f"token id {wrong[0]} is outside 0 to {len(self.tokens) - 1}")
        return [self.tokens[id] for id in ids]

    def decode(self, ids: Iterable[int]) -> str:
        """Readable text: pieces joined to words, marks and padding left out, spaces between."""
        left_out = {"[PAD]", "[CLS]", "[SEP]"}
        tokens = [token for token in self.pieces(ids) if token not in left_out]
        return " ".join(tokens).replace(f" {INSIDE}", "").removeprefix(INSIDE)

    def token_id(self, token: str) -> int | None:
        """The id of a token as the vocabulary writes it, or None."""
        return self._ids.get(token)

    def _cut(self, word: str) -> list[int]:
        """Greedy longest match from the left; ``[UNK]`` for the whole word where it fails."""
        if len(word) > LONGEST_WORD:
            return [self.unk]
        ids, start = [], 0
        while start < len(word):
            prefix = INSIDE if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                found = self._ids.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return [self.unk]
            ids.append(found)
            start = end
        return ids


def cut_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Shorten the longer of two until both fit into ``room``; see :meth:`WordPiece.text`."""
    long, short = len(first), len(second)
    excess = long + short - room
    if excess <= 0:
        return first, second
    from_longer = min(excess, abs(long - short))  # first level them, then take turns
    shared = excess - from_longer
    if long >= short:
        return (
            first[: long - from_longer - shared // 2],
            second[: short - (shared + 1) // 2],
        )
    return first[: long - shared // 2], second[: short - from_longer - (shared + 1) // 2]


def words(text: str) -> list[str]:
    """The basic step: clean, separate CJK characters, strip accents, lower case, cut.

    Control characters and U+FFFD (what a decoder writes for invalid bytes) are left out, all white
    space separates words, and every punctuation mark and CJK character is a word of its own.
    """
    if text.isascii():  # most texts: the table below decides, character by character
        return text.translate(_ASCII).split()
    cleaned = "".join(map(_cleaned, text))
    plain = "".join(map(_lowered, unicodedata.normalize("NFD", cleaned)))
    return plain.split()


@lru_cache(maxsize=1 << 16)
def _cleaned(character: str) -> str:
    code = ord(character)
    if character in "\t\n\r":
        return " "
    if code == 0xFFFD or unicodedata.category(character) in _LEFT_OUT:
        return ""
    if character.isspace():
        return " "
    if any(low <= code <= high for low, high in _CJK):
        return f" {character} "
    return character


@lru_cache(maxsize=1 << 16)
def _lowered(character: str) -> str:
    """Of a decomposed text: without accents, in lower case, punctuation set apart."""
    if unicodedata.category(character) == "Mn":
        return ""
    if _is_punctuation(character):
        return f" {character} "
    return character.lower()


def _is_punctuation(character: str) -> bool:
    """Also the ASCII symbols that Unicode does not call punctuation: ``$+<=>^`|~``."""
    code = ord(character)
    symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return symbol or unicodedata.category(character).startswith("P")


_ASCII = {code: "".join(map(_lowered, _cleaned(chr(code)))) for code in range(128)}
