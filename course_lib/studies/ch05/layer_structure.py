"""Sequential operations and path length of a layer, counted while it runs; no clock.

**Sequential operations.** The longest chain of tensor operations in which each needs the result
of the one before (`ChainLength`). The LSTM is the one written by hand, because torch's hides its
loop inside one operation.

**Path length.** Through how many layers, or steps of a recurrence, must a signal go before the
output at the last position depends on the input at the first? Layers are added until the gradient
is not exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.recurrent.cells import LSTMCell
from course_lib.studies.ch05.layer_kinds import (
    KERNEL,
    LAYERS,
    Convolution,
    LSTMByHand,
    OneHead,
    build,
)
from course_lib.studies.engine.core import Config, Metrics

CHAIN_LENGTHS = (4, 8, 16, 32, 64, 128)
PATH_LENGTHS = (4, 8, 16, 32, 64, 128, 256)
CHAIN_WIDTH, WIDTH = 8, 2  # of the layers whose chain and whose paths are counted


class ChainLength(TorchDispatchMode):
    """Counts the longest chain of dependent tensor operations behind every tensor made inside.

    A result stands one higher than the highest tensor that its operation read. Operations that
    compute nothing add nothing: views, and tensors filled without reading numbers. What is
    written in place, or through a view, counts for the whole storage, so a chain is never taken
    for shorter than it is.
    """

    FREE = ("_unsafe_view", "new_zeros", "new_empty", "zeros_like", "empty_like")

    def __init__(self) -> None:
        super().__init__()
        self._heights: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no storage is freed and its address used again

    def of(self, tensor: Tensor) -> int:
        """The chain behind a tensor; 0 for what was there before."""
        return self._heights.get(tensor.untyped_storage()._cdata, 0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        read = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor)]
        height = max(map(self.of, read), default=0)
        results = func(*args, **(kwargs or {}))
        returned = [entry.alias_info for entry in func._schema.returns]
        view = bool(returned) and all(alias and not alias.is_write for alias in returned)
        if func._schema.name.split("::")[1] in self.FREE or not read:
            height = 0
        elif not view:
            height += 1
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self._kept.append(tensor)
                storage = tensor.untyped_storage()._cdata
                self._heights[storage] = max(height, self._heights.get(storage, 0))
        return results


def sequential_operations(layer: nn.Module, length: int, width: int) -> int:
    """The longest chain of dependent operations in one forward pass."""
    x = torch.randn(1, length, width)
    with torch.no_grad(), ChainLength() as chain:
        return chain.of(layer(x))


def depends(output: Tensor, inputs: Sequence[Tensor]) -> list[bool]:
    """Which of the inputs have a gradient of the output that is not exactly 0."""
    found = torch.autograd.grad(
        output.sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return [bool(gradient.any()) for gradient in found]


def layers_between_ends(layer: Callable[[int], Callable[[Tensor], Tensor]], length: int) -> int:
    """How many layers until the last position's output depends on the first position's input.

    Args:
        layer: makes layer number 0, 1, … of a stack, (B, T, D) -> (B, T, D), double precision.
        length: n, at least 2.

    Raises:
        ValueError: n layers do not connect the two.
    """
    first = torch.randn(1, 1, WIDTH, dtype=torch.double, requires_grad=True)
    x = torch.cat([first, torch.randn(1, length - 1, WIDTH, dtype=torch.double)], dim=1)
    for number in range(length):
        x = layer(number)(x)  # (1, n, D)
        if depends(x[:, -1], [first]) == [True]:
            return number + 1
    raise ValueError(f"{length} layers do not connect {length} positions")


def steps_between_ends(length: int) -> int:
    """How many states (h, c) of an LSTM lie on the way from the first input to the last output.

    That is: how many have a gradient of the last output.
    """
    cell = LSTMCell(WIDTH, WIDTH).double()
    inputs = torch.randn(length, 1, WIDTH, dtype=torch.double, requires_grad=True)
    state: Any = None
    states = []
    for step in range(length):
        state = cell(inputs[step], state)
        states.append(state)
    if not depends(state[0], [inputs])[0]:
        return 0
    on_the_way = depends(state[0], [part for pair in states for part in pair])
    return sum(h or c for h, c in zip(on_the_way[::2], on_the_way[1::2], strict=True))


def structure(config: Config, seed: int) -> Metrics:
    """Sequential operations and path lengths at several n."""
    torch.manual_seed(seed)
    chain: Metrics = {}
    for name in LAYERS:
        layer = LSTMByHand(CHAIN_WIDTH) if name == "lstm" else build(name, CHAIN_WIDTH)
        lengths = config.get("sizes", CHAIN_LENGTHS)
        chain[name] = {str(n): sequential_operations(layer, n, CHAIN_WIDTH) for n in lengths}
    stacks = {
        "convolution": lambda number: Convolution(WIDTH).double(),
        "dilated": lambda number: Convolution(WIDTH, dilation=KERNEL**number).double(),
        "attention": lambda number: OneHead(WIDTH).double(),
    }
    lengths = config.get("sizes", PATH_LENGTHS)
    path: Metrics = {"lstm": {str(n): steps_between_ends(n) for n in lengths}}
    for name, stack in stacks.items():
        path[name] = {str(n): layers_between_ends(stack, n) for n in lengths}
    return {"chain": chain, "path": path}
