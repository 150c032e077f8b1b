"""torch's own attention and Transformer layers beside ours: which parameter is which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.transformer.layers import DecoderLayer, EncoderLayer
from course_lib.transformer.model import Transformer

Pair = tuple[list[Tensor], Tensor]  # of ours those that, joined, are the one of theirs


def of_modules(ours: nn.Module, theirs: nn.Module) -> Iterator[Pair]:
    """Of two modules with the same names inside."""
    mine, their = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert list(mine) == list(their)
    yield from (([mine[name]], their[name]) for name in mine)


def of_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> Iterator[Pair]:
    """torch keeps the maps of queries, keys and values as one."""
    maps = ours.query, ours.key, ours.value
    yield [one.weight for one in maps], theirs.in_proj_weight
    if theirs.in_proj_bias is not None:
        yield [one.bias for one in maps], theirs.in_proj_bias
    yield from of_modules(ours.output, theirs.out_proj)


def of_layers(ours: EncoderLayer | DecoderLayer, theirs: nn.Module) -> Iterator[Pair]:
    """Of `nn.TransformerEncoderLayer` or `nn.TransformerDecoderLayer`."""
    residuals = [ours.self_residual, ours.feed_residual]
    yield from of_attention(ours.self_attention, theirs.self_attn)
    if isinstance(ours, DecoderLayer):
        yield from of_attention(ours.source_attention, theirs.multihead_attn)
        residuals.insert(1, ours.source_residual)
    yield from of_modules(ours.feed_forward.hidden, theirs.linear1)
    yield from of_modules(ours.feed_forward.output, theirs.linear2)
    for i, residual in enumerate(residuals, start=1):
        yield from of_modules(residual.norm, getattr(theirs, f"norm{i}"))


def of_stacks(ours: Transformer, theirs: nn.Transformer) -> Iterator[Pair]:
    """Of the encoders and the decoders. A last norm that ours lacks must be None in theirs."""
    for mine, other in ((ours.encoder, theirs.encoder), (ours.decoder, theirs.decoder)):
        for one, twin in zip(mine.layers, other.layers, strict=True):
            yield from of_layers(one, twin)
        if other.norm is not None:
            yield from of_modules(mine.norm, other.norm)


def copy(pairs: Iterable[Pair]) -> None:
    """Give theirs the numbers of ours."""
    with torch.no_grad():
        for mine, their in pairs:
            their.copy_(torch.cat(mine))
