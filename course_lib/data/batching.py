"""Batches of token ids: padded pairs in length buckets, and streams for language models.

A sampler is a pure function of (seed, step). A killed training run goes on exactly where it
stopped when it knows the number of its step, and nothing else has to be saved.
"""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sentence pairs as padded ids.

    Attributes:
        source: (B, S) source sentences.
        target: (B, T) target sentences, each between a begin and an end mark. A decoder reads
            `target[:, :-1]` and is asked for `target[:, 1:]`.
    """

    source: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.source)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return Batch(self.source.to(device), self.target.to(device))


class StreamBatch(NamedTuple):
    """A piece of text streams: inputs (B, T), targets (B, T) one token later.

    `fresh` is True where the streams begin again: drop the recurrent state there. Everywhere
    else the piece continues the one before it.
    """

    inputs: Tensor
    targets: Tensor
    fresh: bool


def pad(sequences: Sequence[Sequence[int]], value: int = 0) -> Tensor:
    """Put sequences of different lengths into one tensor (B, L), filled up with `value`."""
    longest = max(len(sequence) for sequence in sequences)
    # Filled by NumPy, which is several times faster than torch at many small assignments.
    padded = np.full((len(sequences), longest), value, dtype=np.int64)  # (B, L)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded)


class PairSampler:
    """Batches of sentence pairs, sentences of similar length together.

    An epoch visits every pair once. Its order is shuffled, cut into pools of `bucket` batches,
    each pool is sorted by length and cut into batches, and the batches are shuffled. So a batch
    holds little padding, and batches still differ from epoch to epoch.

    Args:
        pairs: source and target ids, without begin, end or padding.
        batch_size: pairs per batch B; one batch of each epoch may be smaller.
        seed: number of the shuffles.
        bucket: batches per pool. 1 switches buckets off.
        pad, bos, eos: the ids of padding, begin and end.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        batch_size: int,
        seed: int,
        bucket: int = 50,
        *,
        pad: int = 0,
        bos: int = 1,
        eos: int = 2,
    ) -> None:
        _check_pairs(pairs, {pad, bos, eos})
        self.pairs = pairs
        self.batch_size = batch_size
        self.seed = seed
        self.bucket = bucket
        self._pad, self._bos, self._eos = pad, bos, eos
        self._lengths = np.array([(len(t), len(s)) for s, t in pairs])  # target first: see _epoch
        self._order: tuple[int, list[np.ndarray]] = (-1, [])  # the epoch computed last

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-len(self.pairs) // self.batch_size)

    def batch(self, step: int) -> Batch:
        """The batch of training step 0, 1, 2, …; the same step always gives the same batch."""
        epoch, position = divmod(step, len(self))
        if self._order[0] != epoch:
            self._order = (epoch, self._epoch(epoch))
        chosen = [self.pairs[i] for i in self._order[1][position]]
        return Batch(
            source=pad([source for source, _ in chosen], self._pad),
            target=pad([[self._bos, *target, self._eos] for _, target in chosen], self._pad),
        )

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        """The indices of each batch of an epoch."""
        generator = np.random.default_rng((self.seed, epoch))
        shuffled = generator.permutation(len(self.pairs))
        batches = []
        for pool in _cut(shuffled, self.bucket * self.batch_size):
            if self.bucket > 1:
                # lexsort takes the last key first: by target length, then by source length.
                by_length = np.lexsort((self._lengths[pool, 1], self._lengths[pool, 0]))
                pool = pool[by_length]
            batches += _cut(pool, self.batch_size)
        return [batches[i] for i in generator.permutation(len(batches))]


class StreamSampler:
    """Long text as B parallel streams, read piece by piece, for language models.

    The ids are cut into B streams of equal length. Step after step, every stream moves on by T
    tokens, so that the recurrent state can be carried along. What does not fill a whole piece
    is left out.

    Args:
        ids: (N,) token ids of the whole text.
        batch_size: streams B.
        length: tokens per piece T.
    """

    def __init__(self, ids: Tensor, batch_size: int, length: int) -> None:
        if ids.dim() != 1 or ids.dtype != torch.long:
            raise ValueError(
                f"ids have shape {tuple(ids.shape)} and type {ids.dtype}, expected one row of "
                "torch.long. Make them with torch.tensor(tokenizer.encode(text))."
            )
        stream = (len(ids) - 1) // batch_size  # the last token of a stream needs a target too
        if stream < length:
            raise ValueError(
                f"{len(ids)} tokens are too few for {batch_size} streams of {length} tokens; "
                f"{batch_size * length + 1} are needed. Give more text or lower the sizes."
            )
        self._inputs = ids[: batch_size * stream].view(batch_size, stream)
        self._targets = ids[1 : batch_size * stream + 1].view(batch_size, stream)
        self.length = length

    def __len__(self) -> int:
        """Pieces per epoch."""
        return self._inputs.shape[1] // self.length

    def batch(self, step: int) -> StreamBatch:
        """The piece of training step 0, 1, 2, …"""
        piece = step % len(self)
        window = slice(piece * self.length, (piece + 1) * self.length)
        return StreamBatch(self._inputs[:, window], self._targets[:, window], fresh=piece == 0)


class Shuffled:
    """Random batches of examples, a new shuffle for each pass; a pure function of seed and step.

    A sampler is made from it by a method `batch(step)`, which uses `chosen(step)`.

    Args:
        examples: what to draw from.
        batch_size: examples a batch; never more than there are.
        seed: number of the shuffles.
    """

    def __init__(self, examples: Sized, batch_size: int, seed: int) -> None:
        if len(examples) < 1 or batch_size < 1:
            raise ValueError(f"{len(examples)} examples, batch_size={batch_size}; expected 1 each")
        self.examples: Any = examples
        self.seed = seed
        self.batch_size = min(batch_size, len(examples))

    def __len__(self) -> int:
        """Batches in one pass; what does not fill a batch is left for another pass."""
        return len(self.examples) // self.batch_size

    def chosen(self, step: int) -> list[int]:
        """Which examples are in the batch of training step 0, 1, 2, …"""
        epoch, place = divmod(step, len(self))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.examples))
        return order[place * self.batch_size : (place + 1) * self.batch_size].tolist()


def batches_by_length(sequences: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Indices of sequences of similar length, shortest first, to evaluate them quickly."""
    return _cut(sorted(range(len(sequences)), key=lambda i: len(sequences[i])), batch_size)


def read_by_length(
    read: Callable[[Tensor], Tensor], texts: Sequence[Sequence[int]], batch_size: int, pad_id: int
) -> Tensor:
    """One row a text, in their order, although texts of similar length are read together.

    Args:
        read: ids (B, T), filled up at the end, -> rows (B, …).
        texts: (N) token ids of each.

    Returns:
        (N, …), in 32 bits, on the CPU.
    """
    groups = batches_by_length(texts, batch_size)
    rows = [read(pad([texts[i] for i in group], pad_id)).float().cpu() for group in groups]
    return torch.cat(rows)[torch.tensor(sum(groups, [])).argsort()]


def _cut(values: Any, size: int) -> list[Any]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _check_pairs(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], marks: set[int]) -> None:
    wrong = "" if pairs else "There is no pair"
    for i, pair in enumerate(pairs):
        for side, ids in zip(("source", "target"), pair, strict=True):
            if not len(ids) or min(ids) < 0 or not marks.isdisjoint(ids):
                wrong = f"The {side} sentence of pair {i} has the ids {list(ids)}"
    if wrong:
        raise ValueError(
            f"{wrong}. Give plain sentences, at least one word each, without negative ids and "
            f"those of padding, begin and end ({sorted(marks)}); the sampler adds the marks."
        )
