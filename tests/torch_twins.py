"""torch's own attention and Transformer layers with the weights of ours, and their gradients."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.transformer.layers import DecoderLayer, EncoderLayer


def shake(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random numbers also where biases start at 0 and norms at 1, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            parameter.add_(0.3 * noise)
    return module


def pairs_of_attention(
    ours: MultiHeadAttention, theirs: nn.MultiheadAttention
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Parameters of ours, to be joined, and the one of theirs that holds the same numbers."""
    maps = ours.query, ours.key, ours.value
    yield [one.weight for one in maps], theirs.in_proj_weight
    if theirs.in_proj_bias is not None:
        yield [one.bias for one in maps], theirs.in_proj_bias
    yield from pairs_of_modules(ours.output, theirs.out_proj)


def pairs_of_modules(ours: nn.Module, theirs: nn.Module) -> Iterator[tuple[list[Tensor], Tensor]]:
    for (name, mine), (other, their) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == other
        yield [mine], their


def pairs_of_layers(ours: EncoderLayer | DecoderLayer, theirs: nn.Module):
    residuals = [ours.self_residual, ours.feed_residual]
    yield from pairs_of_attention(ours.self_attention, theirs.self_attn)
    if isinstance(ours, DecoderLayer):
        yield from pairs_of_attention(ours.source_attention, theirs.multihead_attn)
        residuals.insert(1, ours.source_residual)
    yield from pairs_of_modules(ours.feed_forward.hidden, theirs.linear1)
    yield from pairs_of_modules(ours.feed_forward.output, theirs.linear2)
    for i, residual in enumerate(residuals, start=1):
        yield from pairs_of_modules(residual.norm, getattr(theirs, f"norm{i}"))


def copy(pairs) -> None:
    """Give theirs the numbers of ours."""
    with torch.no_grad():
        for mine, their in pairs:
            their.copy_(torch.cat(mine))


def check_equal(out: Tensor, expected: Tensor, inputs: list[Tensor], pairs) -> None:
    """The same result, and the same gradients of all inputs and parameters."""
    torch.testing.assert_close(out, expected)
    upstream, pairs = torch.randn_like(out), list(pairs)
    mine = [part for parts, _ in pairs for part in parts]
    first = torch.autograd.grad((out * upstream).sum(), [*inputs, *mine])
    second = torch.autograd.grad((expected * upstream).sum(), [*inputs, *(p for _, p in pairs)])
    rest, joined = iter(first[len(inputs) :]), []
    for parts, _ in pairs:
        joined.append(torch.cat([next(rest) for _ in parts]))
    torch.testing.assert_close([*first[: len(inputs)], *joined], list(second))
