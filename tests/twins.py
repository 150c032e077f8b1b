"""Ours beside torch's own, with the same weights: the same results and the same gradients?"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tools.bench.twins import Pair


def shake(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random numbers also where biases start at 0 and norms at 1, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            parameter.add_(0.3 * noise)
    return module


def check_equal(out: Tensor, expected: Tensor, inputs: list[Tensor], pairs: Iterable[Pair]) -> None:
    """The same result, and the same gradients of all inputs and parameters."""
    torch.testing.assert_close(out, expected)
    upstream, pairs = torch.randn_like(out), list(pairs)
    mine = [part for parts, _ in pairs for part in parts]
    first = torch.autograd.grad((out * upstream).sum(), [*inputs, *mine])
    second = torch.autograd.grad((expected * upstream).sum(), [*inputs, *(p for _, p in pairs)])
    rest = iter(first[len(inputs) :])
    joined = [torch.cat([next(rest) for _ in parts]) for parts, _ in pairs]
    torch.testing.assert_close([*first[: len(inputs)], *joined], list(second))
