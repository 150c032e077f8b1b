"""Three kinds of layer, (B, T, D) -> (B, T, D), whose costs the chapter compares."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.attend import attend_fast
from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.recurrent.cells import LSTMCell, unroll

KERNEL = 3
LAYERS = ("lstm", "convolution", "attention", "attention_explicit", "attention_bare")


class Convolution(nn.Module):
    """`nn.Conv1d` as long as its input.

    Causal: an output reads its own position and the k - 1 before it, `dilation` apart.
    """

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, KERNEL, dilation=dilation)
        self.reach = (KERNEL - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x.transpose(1, 2), (self.reach, 0))  # (B, D, reach + T)
        return self.convolution(padded).transpose(1, 2)


class LSTM(nn.Module):
    """`nn.LSTM`, the states only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class LSTMByHand(nn.Module):
    """The loop over the `LSTMCell` of chapter 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = LSTMCell(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return unroll(self.cell, x)[0]


class OneHead(nn.Module):
    """Self-attention with one head and its four linear maps.

    `explicit` writes out all n² weights; otherwise torch's fast path is taken.
    """

    def __init__(self, width: int, explicit: bool = False) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads=1)
        self.explicit = explicit

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=self.explicit)[0]


class BareAttention(nn.Module):
    """What the table counts: no linear maps, the input is queries, keys and values."""

    def forward(self, x: Tensor) -> Tensor:
        return attend_fast(x, x, x)


def build(layer: str, width: int) -> nn.Module:
    """A layer of `LAYERS`."""
    kinds: dict[str, Callable[[int], nn.Module]] = {
        "lstm": LSTM,
        "convolution": Convolution,
        "attention": OneHead,
        "attention_explicit": lambda width: OneHead(width, explicit=True),
        "attention_bare": lambda width: BareAttention(),
    }
    return kinds[layer](width)


def multiplications(layer: str, length: int, width: int) -> int:
    """Multiplications of matrix products in one forward pass, B = 1; with their constants."""
    n, d = length, width
    counts = {
        "lstm": 8 * n * d * d,  # four gates, from the input and from the state
        "convolution": KERNEL * n * d * d,
        "attention": 4 * n * d * d + 2 * n * n * d,
        "attention_explicit": 4 * n * d * d + 2 * n * n * d,
        "attention_bare": 2 * n * n * d,
    }
    return counts[layer]
