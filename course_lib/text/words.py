"""Turn text into token ids and back: vocabularies, words, characters.

Every tokenizer has the same face: `train`, `encode`, `decode`, `len`, `save`, `load`. Subword
tokens live in `course_lib.text.bpe`.
"""

import json
import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from course_lib.support.files import write_atomically

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")


class Vocabulary:
    """A numbered list of tokens; ids 0 to 3 are the special tokens `SPECIALS`.

    Args:
        tokens: the ordinary tokens in the order of their ids. The special tokens are put
            first; they may be present in `tokens` or not.

    Raises:
        ValueError: a token occurs twice.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        ordinary = [token for token in tokens if token not in SPECIALS]
        self.tokens: tuple[str, ...] = SPECIALS + tuple(ordinary)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(
                f"Each token may occur once, but {twice[0]!r} occurs more often "
                f"({len(twice)} such tokens). Remove the duplicates, or use Vocabulary.build."
            )

    @classmethod
    def build(
        cls,
        token_lists: Iterable[Iterable[str]],
        min_count: int = 1,
        max_size: int | None = None,
    ) -> Self:
        """Collect the tokens of a corpus, most frequent first, ties in alphabetical order.

        Args:
            token_lists: one iterable of tokens per sentence.
            min_count: tokens seen fewer times than this are left out.
            max_size: the largest size of the vocabulary, special tokens included.

        Raises:
            ValueError: `max_size` leaves no room for an ordinary token.
        """
        if max_size is not None and max_size <= len(SPECIALS):
            raise ValueError(
                f"max_size is {max_size}, but the {len(SPECIALS)} special tokens count too. "
                f"Ask for at least {len(SPECIALS) + 1}."
            )
        counts = Counter(token for tokens in token_lists for token in tokens)
        kept = [t for t, n in counts.items() if n >= min_count and t not in SPECIALS]
        kept.sort(key=lambda token: (-counts[token], token))
        return cls(kept if max_size is None else kept[: max_size - len(SPECIALS)])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def token_to_id(self, token: str) -> int:
        """The id of a token, special tokens included; `UNK` for a token not in the list."""
        return self._ids.get(token, UNK)

    def id_to_token(self, id: int) -> str:
        """The token with this id.

        Raises:
            ValueError: the id is outside the vocabulary.
        """
        index = operator.index(id)
        if not 0 <= index < len(self.tokens):
            raise ValueError(
                f"Token id {index} is outside this vocabulary; valid ids are 0 to "
                f"{len(self.tokens) - 1}. Were the ids made with another tokenizer?"
            )
        return self.tokens[index]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The ids of tokens of text.

        A piece of text that happens to spell a special token, such as "<pad>", is unknown text
        and becomes `UNK`. Otherwise a sentence could smuggle padding or an end mark into a batch.
        """
        ids = (self._ids.get(token, UNK) for token in tokens)
        return [i if i >= len(SPECIALS) else UNK for i in ids]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens with these ids, special tokens included.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        return [self.id_to_token(i) for i in ids]

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON."""
        write_json(path, {"kind": "vocabulary", "tokens": list(self.tokens)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a vocabulary that `save` has written.

        Raises:
            ValueError: the file is something else.
        """
        return cls(read_json(path, kind="vocabulary")["tokens"])


class Tokenizer:
    """What all tokenizers share. A subclass says how to `split` text and `join` tokens."""

    kind: str  # the name in a saved file

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def split(self, text: str) -> list[str]:
        """Cut a text into tokens."""
        raise NotImplementedError

    def join(self, tokens: Sequence[str]) -> str:
        """Put tokens together to a text that reads well."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text. No `BOS` or `EOS` is added; "" gives [].

        Raises:
            TypeError: `text` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"encode takes one string, got {type(text).__name__}.")
        return self.vocabulary.encode(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; `PAD`, `BOS` and `EOS` are dropped, `UNK` shows as "<unk>".

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        tokens = self.vocabulary.decode(ids)
        return self.join([token for token in tokens if token not in SPECIALS[:UNK]])

    def _settings(self) -> dict[str, Any]:
        return {"tokens": list(self.vocabulary.tokens)}

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(Vocabulary(settings["tokens"]))

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        write_json(path, {"kind": self.kind} | self._settings())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer that `save` has written.

        Raises:
            ValueError: the file is something else, for example another kind of tokenizer.
        """
        return cls._from_settings(read_json(path, kind=cls.kind))


class WordTokenizer(Tokenizer):
    """One token per word and per punctuation mark.

    Args:
        vocabulary: the known words.
        style: "words" for natural text: words and punctuation marks are separated, and an
            apostrophe stays with what precedes it, so French "l'homme" gives "l'" and "homme".
            "lab" for text whose tokens are already separated by spaces.

    Raises:
        ValueError: the style is neither of the two.
    """

    kind = "words"
    _WORD = re.compile(r"\w+['’](?=\w)|\w+|[^\w\s]")

    def __init__(self, vocabulary: Vocabulary, style: Literal["words", "lab"] = "words") -> None:
        super().__init__(vocabulary)
        if style not in ("words", "lab"):
            raise ValueError(f'style is {style!r}, expected "words" or "lab".')
        self.style = style

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
        return text.split() if self.style == "lab" else self._WORD.findall(compose(text))

    def join(self, tokens: Sequence[str]) -> str:
        text = " ".join(tokens)
        if self.style == "lab":
            return text
        text = re.sub(r" ([.,;:!?)\]])", r"\1", text)
        return re.sub(r"(\w['’]|[(\[]) (?=\w)", r"\1", text)

    def _settings(self) -> dict[str, Any]:
        return {"style": self.style} | super()._settings()

    @classmethod
    def _from_settings(cls, settings: dict[str, Any]) -> Self:
        return cls(Vocabulary(settings["tokens"]), settings["style"])


class CharTokenizer(Tokenizer):
    """One token per character, spaces included."""

    kind = "characters"

    @classmethod
    def train(cls, texts: Iterable[str], min_count: int = 1, max_size: int | None = None) -> Self:
        """Collect the characters of a corpus; see `Vocabulary.build` for the limits."""
        return cls(Vocabulary.build(map(compose, texts), min_count, max_size))

    def split(self, text: str) -> list[str]:
        return list(compose(text))

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)


def compose(text: str) -> str:
    """Unicode form NFC: "é" is one character, however the writer's keyboard made it."""
    return unicodedata.normalize("NFC", text)


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write JSON in UTF-8, all of it or nothing."""
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    write_atomically(path, text.encode())


def read_json(path: str | Path, kind: str) -> dict[str, Any]:
    """Read what `write_json` has written and check its "kind".

    Raises:
        ValueError: the file is not UTF-8, not JSON, or of another kind.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ValueError(
            f"{path} is not a JSON file in UTF-8 ({error}). Give a file that `save` has written."
        ) from error
    found = content.get("kind") if isinstance(content, dict) else None
    if found != kind:
        raise ValueError(
            f"{path} holds {found!r}, expected {kind!r}. Load it with the class that saved it."
        )
    return content
