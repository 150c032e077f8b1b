"""From sentence pairs to ids, and from a trained translator back to words."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.data.batching import batches_by_length, pad
from course_lib.data.lab import Pair
from course_lib.decoding import search
from course_lib.text.words import BOS, WordTokenizer


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
        written = search.greedy(model, batch, limit or 2 * batch.shape[1] + 10)
        for i, ids in zip(indices, written, strict=True):
            out[i] = ids
    return out


@torch.no_grad()
def weights_of(
    model: nn.Module, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[Tensor]:
    """Where a model with attention looks while it is made to write the given targets.

    Args:
        model: an ``AttentionEncoderDecoder``; put into evaluation mode.
        pairs: source and target ids without begin and end marks.

    Returns:
        For each pair the weights (T, S) of its real words: a row for each target word, without
        the one of the end mark, and a column for each source word.
    """
    model.eval()
    where = next(model.parameters()).device
    out: list[Tensor] = [torch.empty(0)] * len(pairs)
    for indices in batches_by_length([source for source, _ in pairs], 100):
        sources = pad([pairs[i][0] for i in indices]).to(where)
        targets = pad([[BOS, *pairs[i][1]] for i in indices]).to(where)
        weights = model.with_weights(sources, targets)[1].cpu()  # (B, T, S)
        for row, i in zip(weights, indices, strict=True):
            out[i] = row[: len(pairs[i][1]), : len(pairs[i][0])]
    return out


def translate(
    model: nn.Module, source: WordTokenizer, target: WordTokenizer, pairs: Sequence[Pair]
) -> list[list[str]]:
    """Greedy translations of the sources of lab pairs, as words."""
    sentences = [source.encode(" ".join(pair.source)) for pair in pairs]
    return [target.vocabulary.decode(ids) for ids in translate_ids(model, sentences)]
