"""Positions: what self-attention does not know by itself, the order of the words.

Three ways to tell it, each as old as a paper:

    sinusoidal   added to the embeddings, fixed     Vaswani et al. (2017), section 3.5
    learned      added to the embeddings, trained   Gehring et al. (2017), section 3.1
    rotary       queries and keys are rotated       Su et al. (2021), section 3.2

Positions are added (or rotated) once. In the first two they go into the embeddings, below the
first layer; in the third into the queries and keys of every layer, never into the values.

Shapes: B batch, T positions, D model width, K width of queries and keys; "…" is any number of
leading dimensions. The first position is 0. `start` is the position of the first row, for models
that read a sentence in pieces, as in decoding word by word.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sinusoidal(
    length: int,
    width: int,
    *,
    start: int = 0,
    base: float = 10_000.0,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Sines and cosines of the position, from fast ones to slow ones (Vaswani et al. 2017, 3.5).

        PE(pos, 2i)     = sin(pos / 10000^(2i / D))
        PE(pos, 2i + 1) = cos(pos / 10000^(2i / D))

    So sine and cosine alternate, as in the paper; other programs write all sines first, which is
    the same code with its columns in another order. The wavelengths grow from 2π to almost
    10000 · 2π. Whatever the position, going k positions further is one fixed rotation of each pair.

    Args:
        length: T, how many positions.
        width: D, an even number.
        start: the first position.
        base: the longest wavelength is almost 2π times this.
        dtype, device: of the result; torch's defaults if None. The angles are computed in double
            precision: in single precision those of far positions would be off.

    Returns:
        (T, D), all numbers within ±1.
    """
    if width < 2 or width % 2:
        raise ValueError(
            f"width is {width}, expected an even number: each frequency fills two places, "
            "a sine and a cosine."
        )
    position = torch.arange(start, start + length)  # (T,)
    frequency = base ** -(torch.arange(0, width, 2, dtype=torch.double) / width)  # (D / 2,)
    angle = position[:, None] * frequency  # (T, D / 2)
    table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)  # (T, D)
    return table.to(device=device, dtype=dtype or torch.get_default_dtype())


class SinusoidalPositions(nn.Module):
    """Add `sinusoidal` to the embeddings. Nothing to train, nothing kept, no last position.

    Args:
        width: D, an even number.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sinusoidal(1, width)  # says so now if the width does not do
        self.width = width

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(B, T, D), its first position -> x + positions, (B, T, D)."""
        check_vectors(x)
        return x + sinusoidal(x.shape[-2], self.width, start=start, dtype=x.dtype, device=x.device)


class LearnedPositions(nn.Module):
    """Add a vector for each position, trained like an embedding (Gehring et al. 2017, 3.1).

    A position never seen in training has a vector that was never trained, and beyond
    `max_length` there is none at all. The vectors start as those of `torch.nn.Embedding`,
    normal(0, 1), which makes them about √2 times as long as the sinusoidal ones.

    Args:
        max_length: how many positions there are.
        width: D.
    """

    def __init__(self, max_length: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(max_length, width)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(B, T, D), its first position -> x + positions, (B, T, D)."""
        check_vectors(x)
        known, length = self.embedding.num_embeddings, x.shape[-2]
        if start < 0 or start + length > known:
            raise ValueError(
                f"Positions {start} to {start + length - 1} are asked for; there are vectors for "
                f"0 to {known - 1}. Shorten the input, or build LearnedPositions with a larger "
                "max_length and train it on inputs that long."
            )
        return x + self.embedding.weight[start : start + length]


def rotate(x: Tensor, start: int = 0, base: float = 10_000.0) -> Tensor:
    """Rotary positions: turn each pair of numbers by an angle that grows with the position.

    Su et al. (2021), equations 14 to 16 and 34: the pair (2i, 2i + 1) of position m turns by
    m / 10000^(2i / K), which are the angles of `sinusoidal`. Rotate queries and keys, not
    values: the dot product of the two then depends on how far apart they stand, m - n, and not on
    where. Lengths are kept.

    Args:
        x: (…, T, K), queries or keys, split into heads if there are heads. K is even.
        start: the position of the first row.
        base: a larger one turns more slowly; models for long texts have up to a million.

    Returns:
        The same shape.
    """
    check_vectors(x)
    table = sinusoidal(*x.shape[-2:], start=start, base=base, dtype=x.dtype, device=x.device)
    return turn(x, table)


def turn(x: Tensor, table: Tensor) -> Tensor:
    """`rotate` with a table at hand, for models that rotate in every layer by the same angles.

    Args:
        x: (…, T, K).
        table: (T, K), sines and cosines of the angles by turns, as `sinusoidal` gives them.
    """
    sin, cos = table[:, 0::2], table[:, 1::2]  # (T, K / 2) each
    first, second = x[..., 0::2], x[..., 1::2]  # (…, T, K / 2) each
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.flatten(-2)  # (…, T, K)


def check_vectors(x: Tensor) -> None:
    """Raise `TypeError` for token ids, to which positions would be added without a word."""
    if not x.is_floating_point():
        raise TypeError(f"Positions belong to vectors, got {x.dtype}. Embed the token ids first.")
