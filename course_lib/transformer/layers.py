"""The layers of a Transformer: residual connections and normalization around its two halves.

An encoder layer is self-attention, then the feed-forward network. A decoder layer has attention
to the source between the two. Each of these sub-layers stands in a `Residual`: what goes
in is added to what comes out, and one LayerNorm keeps the numbers in range.

Where the code and the paper (Vaswani et al. 2017, sections 3.1 and 5.4) differ:

- `norm="post"` is the paper's order, `norm="pre"` the one most models took later (Xiong et
  al. 2020): it trains without warm-up, since a path without normalization leads from the loss to
  every layer. It needs one more LayerNorm at the end of the stack.
- LayerNorm divides by the standard deviation of all D numbers (1/D, not 1/(D - 1)) with
  ε = 1e-5 under the root, as `torch.nn.LayerNorm`. The paper names no ε.
- Dropout acts where section 5.4 says, on what a sub-layer gives before it is added.
  `torch.nn.TransformerEncoderLayer` also drops attention weights and hidden units.

Shapes: B batch, S source length, T target length, P positions read before, D model width, H
heads, K head width. Masks are boolean with True = may attend.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.attention.multi_head import KeysValues, MultiHeadAttention
from course_lib.transformer.feed_forward import FeedForward


class Residual(nn.Module):
    """x + sub-layer(x), with a LayerNorm before the sub-layer or after the sum.

        pre     x + dropout(sublayer(norm(x)))
        post    norm(x + dropout(sublayer(x)))

    Used in two steps, so that the sub-layer may take and return what it likes::

        out = sublayer(residual.enter(x))
        x = residual.leave(x, out)

    Args:
        width: D.
        dropout: probability of dropping a number of what the sub-layer gives.
        norm: "pre" or "post".
    """

    def __init__(self, width: int, dropout: float = 0.0, norm: str = "pre") -> None:
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f"norm must be 'pre' or 'post', got {norm!r}")
        self.pre = norm == "pre"
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sub-layer reads: (…, D) -> (…, D)."""
        return self.norm(x) if self.pre else x

    def leave(self, x: Tensor, out: Tensor) -> Tensor:
        """x and what the sub-layer made of it, (…, D) each -> (…, D)."""
        x = x + self.dropout(out)
        return x if self.pre else self.norm(x)


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward network (Vaswani et al. 2017, figure 1, left).

    Args:
        width: D.
        heads: H, a divisor of D.
        hidden: width inside the feed-forward network.
        dropout, norm: see `Residual`.
        activation: see `FeedForward`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(width, heads)
        self.self_residual = Residual(width, dropout, norm)
        self.feed_forward = FeedForward(width, hidden, activation)
        self.feed_residual = Residual(width, dropout, norm)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        *,
        need_weights: bool = False,
        rotary: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, S, D), mask to (B, H, S, S) -> (B, S, D), weights (B, H, S, S) or None.

        `rotary` (S, K) turns the queries and keys (`MultiHeadAttention`).
        """
        read = self.self_residual.enter(x)
        out, weights = self.self_attention(
            read, read, read, mask, need_weights=need_weights, rotary=rotary
        )
        x = self.self_residual.leave(x, out)
        out = self.feed_forward(self.feed_residual.enter(x))
        return self.feed_residual.leave(x, out), weights


class DecoderOutput(NamedTuple):
    """What a decoder layer returns.

    x: (B, T, D). kept: keys and values of all positions up to here, twice (B, H, P + T, K), to be
    given as `past` when the next words are read. weights: (B, H, T, P + T), of self-attention;
    source_weights: (B, H, T, S); both None unless asked for.
    """

    x: Tensor
    kept: KeysValues
    weights: Tensor | None
    source_weights: Tensor | None


class DecoderLayer(nn.Module):
    """Self-attention, attention to the source, feed-forward (Vaswani et al. 2017, figure 1, right).

    Args:
        width, heads, hidden, dropout, norm, activation: as in `EncoderLayer`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(width, heads)
        self.self_residual = Residual(width, dropout, norm)
        self.source_attention = MultiHeadAttention(width, heads)
        self.source_residual = Residual(width, dropout, norm)
        self.feed_forward = FeedForward(width, hidden, activation)
        self.feed_residual = Residual(width, dropout, norm)

    def forward(
        self,
        x: Tensor,
        states: Tensor,
        mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        *,
        need_weights: bool = False,
        rotary: Tensor | None = None,
    ) -> DecoderOutput:
        """Read a whole target at once.

        Args:
            x: (B, T, D).
            states: (B, S, D), what the encoder gives.
            mask: broadcastable to (B, H, T, T), most often `causal_mask(T)`.
            source_mask: broadcastable to (B, H, T, S), most often (B, 1, 1, S).
            need_weights: also return the weights of both attentions.
            rotary: (T, K), turns queries and keys of self-attention (`MultiHeadAttention`).
        """
        source = self.prepare(states)
        return self.read(x, source, mask, source_mask, need_weights=need_weights, rotary=rotary)

    def prepare(self, states: Tensor) -> KeysValues:
        """Keys and values of the source, once a sentence: (B, S, D) -> twice (B, H, S, K)."""
        return self.source_attention.prepare(states, states)

    def read(
        self,
        x: Tensor,
        source: KeysValues,
        mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        *,
        past: KeysValues | None = None,
        need_weights: bool = False,
        rotary: Tensor | None = None,
    ) -> DecoderOutput:
        """As `forward`, after P positions whose keys and values are in `past`.

        `source` comes from `prepare`. The mask broadcasts to (B, H, T, P + T); a single
        new position needs none. `rotary` (T, K) belongs to the new positions: the keys in `past`
        are turned already. The source is not turned, since its positions are of another sentence.
        """
        read = self.self_residual.enter(x)
        kept = self.self_attention.prepare(read, read, rotary)  # twice (B, H, T, K)
        if past is not None:
            kept = (torch.cat([past[0], kept[0]], 2), torch.cat([past[1], kept[1]], 2))
        out, weights = self.self_attention.from_prepared(
            read, *kept, mask, need_weights=need_weights, rotary=rotary
        )
        x = self.self_residual.leave(x, out)
        out, source_weights = self.source_attention.from_prepared(
            self.source_residual.enter(x), *source, source_mask, need_weights=need_weights
        )
        x = self.source_residual.leave(x, out)
        x = self.feed_residual.leave(x, self.feed_forward(self.feed_residual.enter(x)))
        return DecoderOutput(x, kept, weights, source_weights)
