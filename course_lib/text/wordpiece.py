"""WordPiece: BERT's way to cut text into subwords, written from scratch.

Two steps. A *basic* step cleans the text and cuts it into words and punctuation marks; then each
word is cut greedily, the longest piece of the vocabulary first. A piece inside a word begins with
`##`, so that the end of a word needs no mark of its own:

    "Unbelievable!"  →  unbelievable  !  →  un ##bel ##ie ##vable  !

Source: Schuster and Nakajima (2012) and Wu et al. (2016), section 4.1, for the idea; the rules are
those of the program of Devlin et al. (2019), as the `tokenizers` package has them; the tests
compare the two. What is a letter, an accent, a punctuation mark is looked up in Python's
Unicode tables; the package has older ones, and differs at characters that were added since.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from course_lib.data.local import read_lines
from course_lib.text.words import Specials, Tokenizer, Vocabulary

INSIDE = "##"  # before a piece that does not begin a word
LONGEST_WORD = 100  # characters; a longer word is unknown
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_LEFT_OUT = ("Cc", "Cf", "Co", "Cs")  # control, format, private use, half a surrogate pair

_CJK = re.compile(  # Chinese characters, Korean and Japanese use of them included
    "([\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b920-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f])"
)


class Marked(NamedTuple):
    """A text or a pair as BERT reads it: token ids, and 0 or 1 for the segment of each."""

    ids: list[int]
    segments: list[int]


class WordPiece(Tokenizer):
    """Subwords by the longest match.

    `pad`, `unk`, `cls`, `sep` and `mask` are the ids of the special tokens. In `specials`, `[CLS]`
    is the begin of a text and `[SEP]` its end.

    Args:
        tokens: the vocabulary in the order of the ids. It holds the five `SPECIALS`, with
            `[PAD]` first.
    """

    kind = "wordpiece"

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        missing = [token for token in SPECIALS if token not in self.tokens]
        if missing or self.tokens[0] != "[PAD]":
            raise ValueError(
                f"expected BERT's vocabulary with [PAD] as id 0, since the masks rely on it; this "
                f"one begins with {self.tokens[:1]} and lacks {', '.join(missing) or 'none'}"
            )
        self.pad, self.unk, self.cls, self.sep, self.mask = map(self.tokens.index, SPECIALS)
        specials = Specials(self.pad, self.cls, self.sep, self.unk, self.mask)
        super().__init__(Vocabulary(self.tokens, specials))
        self._longest = max(map(len, self.tokens))
        self._known: dict[str, list[str]] = {}  # words met before

    @classmethod
    def read_vocab(cls, path: str | Path) -> Self:
        """Read the `vocab.txt` of a published model: one token a line, the first line is id 0."""
        return cls(read_lines(path))

    @classmethod
    def train(cls, texts: Iterable[str], size: int, *, min_count: int = 2) -> Self:
        """Learn a vocabulary of at most `size` tokens with the `tokenizers` package.

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

    def split(self, text: str) -> list[str]:
        """Cut a text into pieces; `[UNK]` stands for a word that no pieces make up.

        Text that spells a special token, such as "[MASK]", is text like any other.
        """
        found = words(text)
        for word in found:
            if word not in self._known:
                self._known[word] = self._cut(word)
        return [piece for word in found for piece in self._known[word]]

    def join(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens).replace(f" {INSIDE}", "").removeprefix(INSIDE)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The tokens with these ids, as the vocabulary writes them."""
        return self.vocabulary.decode(ids)

    def text(self, first: str, second: str | None = None, *, longest: int = 512) -> Marked:
        """`[CLS] first [SEP]` in segment 0, and with a pair `second [SEP]` in segment 1.

        What exceeds `longest` tokens, marks included, is cut off at the end; of a pair, token by
        token, from whichever is longer at the time, the second where they are equally long.
        """
        pair = second is not None
        room = longest - 2 - pair
        if room < 1 + pair:
            raise ValueError(f"longest is {longest}, expected at least {3 + 2 * pair}: marks count")
        one, other = cut_pair(self.encode(first), self.encode(second or ""), room)
        ids = [self.cls, *one, self.sep]
        segments = [0] * len(ids) + [1] * (len(other) + 1 if pair else 0)
        return Marked([*ids, *other, self.sep] if pair else ids, segments)

    def _cut(self, word: str) -> list[str]:
        """Greedy longest match from the left; `[UNK]` for the whole word where it fails."""
        pieces, start = [], 0
        while start < len(word) <= LONGEST_WORD:
            prefix = INSIDE if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                if prefix + word[start:end] in self.vocabulary:
                    break
            else:
                return ["[UNK]"]
            pieces.append(prefix + word[start:end])
            start = end
        return pieces or ["[UNK]"]


def cut_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Shorten two texts until both fit into `room`; see `WordPiece.text`.

    Each may fill half of the room, the first one token more of an odd room, and what the other
    leaves of it.
    """
    kept = max(room - len(second), min(len(first), (room + 1) // 2))
    return first[:kept], second[: room - kept]


def words(text: str) -> list[str]:
    """The basic step: clean, separate CJK characters, strip accents, lower case, cut.

    Control characters and U+FFFD (what a decoder writes for invalid bytes) are left out, all white
    space separates words, and every punctuation mark and CJK character is a word of its own.
    """
    if text.isascii():  # most texts: the table below decides, character by character
        return text.translate(_ASCII).split()
    cleaned = _CJK.sub(r" \1 ", "".join(map(_cleaned, text)))
    return "".join(map(_lowered, unicodedata.normalize("NFD", cleaned))).split()


@lru_cache(maxsize=1 << 16)
def _cleaned(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in _LEFT_OUT:
        return ""
    return " " if character.isspace() else character


@lru_cache(maxsize=1 << 16)
def _lowered(character: str) -> str:
    """Of a decomposed text: without accents, in lower case, punctuation set apart."""
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    # ASCII has marks that Unicode does not call punctuation, such as $ and +.
    if category.startswith("P") or character in string.punctuation:
        return f" {character} "
    return character.lower()


_ASCII = {code: "".join(map(_lowered, _cleaned(chr(code)))) for code in range(128)}
