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
    """Pairs as ids, without begin and end marks."""
    return [
        (source.encode(" ".join(pair.source)), target.encode(" ".join(pair.target)))
        for pair in pairs
    ]


def translate(
    model: nn.Module, source: WordTokenizer, target: WordTokenizer, pairs: Sequence[Pair]
) -> list[list[str]]:
    """Greedy translations of the pairs' sources as words, in the order of ``pairs``."""
    sentences = [source.encode(" ".join(pair.source)) for pair in pairs]
    out: list[list[str]] = [[] for _ in pairs]
    for indices in batches_by_length(sentences, 100):
        batch = pad([sentences[i] for i in indices]).to(next(model.parameters()).device)
        limit = 2 * batch.shape[1] + 10
        for i, ids in zip(indices, decode.greedy(model, batch, limit), strict=True):
            out[i] = target.vocabulary.decode(ids)
    return out
