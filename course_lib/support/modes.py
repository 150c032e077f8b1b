"""Evaluation mode for a while: dropout off, running means still, no gradients kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Inside, every part of `model` is in evaluation mode and no gradient is recorded.

    Afterwards each part is back in the mode that it had, also after an error. `model.train(was)`
    would not do: it overwrites the mode of every part, such as that of a frozen body whose batch
    normalization was set to evaluation on purpose. A model that is no `nn.Module` has no modes.
    """
    parts = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [part.training for part in parts]
    for part in parts:
        part.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in zip(parts, modes, strict=True):
            part.training = training
