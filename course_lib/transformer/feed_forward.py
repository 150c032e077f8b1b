"""The feed-forward net of a Transformer layer: the same small network at every position."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class FeedForward(nn.Module):
    """max(0, x W₁ + b₁) W₂ + b₂, at each position by itself (Vaswani et al. 2017, equation 2).

    The same two linear maps serve all positions, and no position sees another. The hidden layer
    is wider than the model, four times in the paper.

    Args:
        width: D, of input and output.
        hidden: width of the layer between.
        activation: "relu" as in the paper, or "gelu" (Hendrycks & Gimpel 2016), which GPT and
            BERT took.
    """

    def __init__(self, width: int, hidden: int, activation: str = "relu") -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.hidden = nn.Linear(width, hidden)
        self.output = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) -> (…, D), each vector without a look at the others."""
        return self.output(self.activation(self.hidden(x)))
