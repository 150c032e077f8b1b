"""Turn text into token ids and back: vocabularies, and one token per word.

Every tokenizer has the same face: `train`, `encode`, `decode`, `len`, `save`, `load`, and
`specials`, the ids that are not text. Subword tokens live in `bpe` and `wordpiece`.
"""

import json
import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from course_lib.support.files import write_atomically

PAD, BOS, EOS, UNK = range(4)


class Specials(NamedTuple):
    """The ids of a vocabulary that are not text; None where it has no such token.

    Our own vocabularies have four of them, ids 0 to 3. In a published one, these ids may be words
    like any other: GPT-2 knows an end only, `Specials(None, None, 50256, None)`. So whatever
    pads, begins, ends or skips takes these ids as an argument.
    """

    pad: int | None = PAD
    bos: int | None = BOS  # begin of a text
    eos: int | None = EOS  # end of a text
    unk: int | None = UNK  # unknown
    mask: int | None = None  # a hidden token


OURS = Specials()
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")


class Vocabulary:
    """A numbered list of tokens.

    Args:
        tokens: the ordinary tokens in the order of their ids, which follow the four `SPECIALS`;
            those may be present in `tokens` or not.
        specials: for a published vocabulary, whose `tokens` are numbered as they stand: the ids
            of its special tokens.
    """

    def __init__(self, tokens: Iterable[str], specials: Specials | None = None) -> None:
        if specials is None:
            tokens = (*SPECIALS, *(token for token in tokens if token not in SPECIALS))
        self.specials = specials or OURS
        self.tokens: tuple[str, ...] = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(
                f"Each token may occur once, but {twice[0]!r} occurs more often "
                f"({len(twice)} such tokens). Remove the duplicates, or use Vocabulary.build."
            )

    @classmethod
    def build(
        cls, token_lists: Iterable[Iterable[str]], min_count: int = 1, max_size: int | None = None
    ) -> Self:
        """Collect the tokens of a corpus, most frequent first, ties in alphabetical order.

        Args:
            token_lists: the tokens of each sentence.
            min_count: tokens seen fewer times than this are left out.
            max_size: the largest size of the vocabulary, the four special tokens included.
        """
        counts = Counter(token for tokens in token_lists for token in tokens)
        kept = [t for t, n in counts.items() if n >= min_count and t not in SPECIALS]
        kept.sort(key=lambda token: (-counts[token], token))
        return cls(kept if max_size is None else kept[: max(0, max_size - len(SPECIALS))])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def id_to_token(self, id: int) -> str:
        """The token with this id."""
        index = operator.index(id)
        if not 0 <= index < len(self.tokens):
            raise ValueError(
                f"Token id {index} is outside this vocabulary; valid ids are 0 to "
                f"{len(self.tokens) - 1}. Were the ids made with another tokenizer?"
            )
        return self.tokens[index]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of tokens of text; `specials.unk` for an unknown one.

        Unknown is also what happens to spell a special token, such as "<pad>": a sentence must not
        smuggle padding or an end mark into a batch.
        """
        tokens = list(tokens)
        ids = [self._ids.get(token) for token in tokens]
        ids = [self.specials.unk if i is None or i in self.specials else i for i in ids]
        known = [i for i in ids if i is not None]
        if len(known) < len(ids):
            raise ValueError(
                f"{tokens[ids.index(None)]!r} is no text token of this vocabulary, and it has no "
                "token for what is unknown."
            )
        return known

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens with these ids, special tokens included."""
        return [self.id_to_token(i) for i in ids]


class Tokenizer:
    """What all tokenizers share. A subclass says how to `split` text and `join` tokens."""

    kind: str  # the name in a saved file

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.specials = vocabulary.specials

    def split(self, text: str) -> list[str]:
        """Cut a text into tokens."""
        raise NotImplementedError

    def join(self, tokens: Sequence[str]) -> str:
        """Put tokens together to a text that reads well."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text. No begin or end mark is added; "" gives []."""
        return self.vocabulary.encode(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; padding, begin and end are dropped, an unknown token shows."""
        silent = self.specials[:3]
        kept = [i for i in map(operator.index, ids) if i not in silent]
        return self.join(self.vocabulary.decode(kept))

    def _settings(self) -> dict[str, Any]:
        return {"tokens": list(self.vocabulary.tokens)}

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(**settings)

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON in UTF-8, all of it or nothing."""
        content = {"kind": self.kind} | self._settings()
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        write_atomically(path, text.encode())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer that `save` has written."""
        try:
            content = json.loads(Path(path).read_text("utf-8"))
            found = content.pop("kind")
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            content, found = {}, f"no tokenizer in JSON and UTF-8 ({error})"
        if found != cls.kind:
            raise ValueError(
                f"{path} holds {found!r}, expected {cls.kind!r}. Load it with the class that "
                "saved it."
            )
        return cls._from_settings(content)


class WordTokenizer(Tokenizer):
    """One token per word and per punctuation mark.

    Args:
        vocabulary: the known words.
        style: "words" for natural text: words and punctuation marks are separated, and an
            apostrophe stays with what precedes it, so French "l'homme" gives "l'" and "homme".
            "lab" for text whose tokens are already separated by spaces.
    """

    kind = "words"
    _WORD = re.compile(r"\w+['’](?=\w)|\w+|[^\w\s]")

    def __init__(self, vocabulary: Vocabulary, style: Literal["words", "lab"] = "words") -> None:
        super().__init__(vocabulary)
        self.style = style
        self._natural = {"words": True, "lab": False}[style]

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        style: Literal["words", "lab"] = "words",
        min_count: int = 1,
        max_size: int | None = None,
    ) -> Self:
        """Collect the words of a corpus; see `Vocabulary.build` for the limits."""
        splitter = cls(Vocabulary([]), style)
        vocabulary = Vocabulary.build(map(splitter.split, texts), min_count, max_size)
        return cls(vocabulary, style)

    def split(self, text: str) -> list[str]:
        return self._WORD.findall(compose(text)) if self._natural else text.split()

    def join(self, tokens: Sequence[str]) -> str:
        text = " ".join(tokens)
        if not self._natural:
            return text
        text = re.sub(r" ([.,;:!?)\]])", r"\1", text)
        return re.sub(r"(\w['’]|[(\[]) (?=\w)", r"\1", text)

    def _settings(self) -> dict[str, Any]:
        return {"style": self.style} | super()._settings()

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(Vocabulary(settings["tokens"]), settings["style"])


def compose(text: str) -> str:
    """Unicode form NFC: "é" is one character, however the writer's keyboard made it."""
    return unicodedata.normalize("NFC", text)
