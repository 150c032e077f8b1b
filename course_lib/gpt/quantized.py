"""Weights in fewer bits: whole numbers, and one scale for each row of a matrix.

A row w becomes round(w / s) with s = max |w| / (2^(bits − 1) − 1), so its largest weight becomes
the largest whole number and 0 stays 0. A row of its own has a scale of its own, for one large
weight makes the steps of all that share its scale coarse. This is how `gguf` files store weights,
too, with blocks of 32 numbers in place of rows.

Vectors (biases, the scales of LayerNorms) are few, and stay as they are.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class Quantized(NamedTuple):
    """`whole` (R, D), 8-bit whole numbers, and `scale` (R, 1), 32-bit floats."""

    whole: Tensor
    scale: Tensor

    def restored(self) -> Tensor:
        """The matrix that a model computes with, (R, D)."""
        return self.whole * self.scale


def quantize(matrix: Tensor, bits: int = 8) -> Quantized:
    """A matrix (R, D) in whole numbers of so many bits, 2 to 8."""
    if matrix.dim() != 2 or not 2 <= bits <= 8:
        raise ValueError(
            f"shape {tuple(matrix.shape)}, bits={bits}; expected a matrix, 2 to 8 bits"
        )
    largest = 2 ** (bits - 1) - 1
    scale = matrix.float().abs().amax(1, keepdim=True) / largest
    scale = scale.clamp(min=torch.finfo(torch.float).tiny)  # of a row of zeros
    return Quantized((matrix / scale).round().to(torch.int8), scale)


@torch.no_grad()
def quantized(model: Model, bits: int = 8) -> Model:
    """A copy of the model whose matrices have gone through `quantize`; in 32 bits again, to run."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.copy_(quantize(parameter, bits).restored())
    return model
