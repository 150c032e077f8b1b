"""From sentence pairs to ids, and from a trained translator back to words."""

from collections.abc import Sequence

from torch import nn

from course_lib import decode
from course_lib.data.batching import batches_by_length, pad
from course_lib.data.lab import Pair
from course_lib.text import WordTokenizer


def tokenizers(pairs: Sequence[Pair]) -> tuple[WordTokenizer, WordTokenizer]:
    """Word tokenizers of the two sides of a lab training set."""
    sides = zip(*((" ".join(pair.source), " ".join(pair.target)) for pair in pairs), strict=True)
    source, target = (WordTokenizer.train(texts, style="lab") for texts in sides)
    return source, target


def encode(
    pairs: Sequence[Pair], source: WordTokenizer, target: WordTokenizer
) -> list[tuple[list[int], list[int]]]:
    """Lab pairs as ids, without begin and end marks."""
    return [
        (source.encode(" ".join(pair.source)), target.encode(" ".join(pair.target)))
        for pair in pairs
    ]


def translate_ids(
    model: nn.Module, sentences: Sequence[Sequence[int]], limit: int | None = None
) -> list[list[int]]:
    """Greedy translations of source ids, in the order of ``sentences``.

    ``limit`` is the most tokens of a translation; by default twice the source and ten more.
    """
    out: list[list[int]] = [[] for _ in sentences]
    for indices in batches_by_length(sentences, 100):
        batch = pad([sentences[i] for i in indices]).to(next(model.parameters()).device)
        written = decode.greedy(model, batch, limit or 2 * batch.shape[1] + 10)
        for i, ids in zip(indices, written, strict=True):
            out[i] = ids
    return out


def translate(
    model: nn.Module, source: WordTokenizer, target: WordTokenizer, pairs: Sequence[Pair]
) -> list[list[str]]:
    """Greedy translations of the sources of lab pairs, as words."""
    sentences = [source.encode(" ".join(pair.source)) for pair in pairs]
    return [target.vocabulary.decode(ids) for ids in translate_ids(model, sentences)]
