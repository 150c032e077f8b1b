"""Checks that several models share: token ids, sentence pairs, sizes in a configuration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_ids(ids: Tensor, vocabulary: int, what: str) -> None:
    """Raise `ValueError` unless `ids` is a non-empty (B, L) tensor of ids below `vocabulary`.

    On a GPU torch would say only that a device-side assert was triggered. Inside `torch.compile`
    the ids themselves are not looked at.
    """
    if ids.dtype != torch.long or ids.dim() != 2 or ids.numel() == 0:
        raise ValueError(
            f"{what} must be a non-empty (batch, length) tensor of torch.long ids, got shape "
            f"{tuple(ids.shape)} of {ids.dtype}"
        )
    if torch.compiler.is_compiling():
        return  # a compiled model would have to stop here and wait for two numbers
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocabulary:
        wrong = low if low < 0 else high
        raise ValueError(
            f"{what} contains id {wrong}; the model knows ids 0 to {vocabulary - 1}. Encode the "
            f"text with the tokenizer that the model was built for"
        )


def check_pairs(source: Tensor, target_in: Tensor) -> None:
    """Raise `ValueError` unless there are as many targets as sources."""
    if len(source) != len(target_in):
        raise ValueError(
            f"source has {len(source)} sentences, target_in has {len(target_in)}: not pairs"
        )


def source_lengths(source: Tensor, pad: int = 0) -> Tensor:
    """Number of real tokens in each row of a padded batch, (B, S) -> (B,).

    Raises `ValueError` for a row of padding alone, and for a token after padding.
    """
    real = source != pad  # (B, S)
    lengths = real.sum(1)  # (B,)
    if not real.any(1).all():
        row = real.any(1).tolist().index(False)
        raise ValueError(f"source row {row} is an empty sentence: only padding. Remove the pair")
    late = (real[:, 1:] & ~real[:, :-1]).any(1)
    if late.any():
        raise ValueError(
            f"source row {late.tolist().index(True)} has a token after padding. Pad on the right, "
            f"with id {pad} only"
        )
    return lengths


def check_sizes(
    config: Any,
    sizes: tuple[str, ...],
    probabilities: tuple[str, ...] = ("dropout",),
    **choices: tuple[str, ...],
) -> None:
    """Raise `ValueError` for a field of a model's configuration that cannot be.

    Args:
        config: has the fields named; `heads`, if among the sizes, must divide `width`.
        sizes: fields that must be whole numbers of at least 1.
        probabilities: fields that must be at least 0 and below 1.
        choices: for other fields the values that are known.
    """
    for name in sizes:
        value = getattr(config, name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    if "heads" in sizes and config.width % config.heads:
        raise ValueError(f"heads={config.heads} must divide width={config.width}")
    for name in probabilities:
        value = getattr(config, name)
        if not 0.0 <= value < 1.0:
            raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")
    for name, known in choices.items():
        value = getattr(config, name)
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
