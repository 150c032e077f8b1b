"""Attention with several heads: what carries numbers from position to position.

The other half of a Transformer layer, `course_lib.transformer.feed_forward`, works at each
position by itself. Chapter 05 takes the recurrence away with the two; chapter 06 stacks them.

Shapes: B batch, T positions that ask, S positions that are asked, D model width, H heads,
K = D / H head width. Masks are boolean with True = may attend, broadcastable to (B, H, T, S)
(`course_lib.attention.masks`). Weights are returned, never stored on a module.

Weights of the linear maps start with the default of `torch.nn.Linear`, uniform in ±1/√fan_in.
"""

from __future__ import annotations

from torch import Tensor, nn

from course_lib.attention.attend import attend, attend_fast
from course_lib.attention.positions import turn

KeysValues = tuple[Tensor, Tensor]  # twice (B, H, S, K), as `MultiHeadAttention.prepare` gives


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each with its own view (Vaswani et al. 2017, 3.2.2).

        head_h  = Attention(Q W_h^Q, K W_h^K, V W_h^V)
        output  = Concat(head_1, …, head_H) W^O

    The matrices W_h of all heads are kept as one linear map of width D, whose rows K·h to
    K·h + K - 1 belong to head h. Self-attention is `layer(x, x, x)`. With one head there is
    nothing to split, but the four maps stay.

    Unlike the paper's formula the maps have a bias, as in most programs; `bias=False` takes it
    out.

    Args:
        width: D.
        heads: H, a divisor of D.
        bias: whether the four linear maps add a vector.
    """

    def __init__(self, width: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        if width < 1 or heads < 1 or width % heads:
            raise ValueError(
                f"width is {width} and heads is {heads}: each head takes width / heads numbers, "
                "so heads must divide the width."
            )
        self.width = width
        self.heads = heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        need_weights: bool = False,
        rotary: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Each of T positions takes from S positions what its heads look for.

        Args:
            queries: (B, T, D).
            keys: (B, S, D).
            values: (B, S, D), most often the same tensor as the keys.
            mask: bool, True = may attend; broadcasts to (B, H, T, S). A causal mask (T, S) goes
                in as it is, a padding mask (B, S) as `mask[:, None, None, :]`, a mask
                (B, T, S) as `mask[:, None]`.
            need_weights: also return the weights. Without them, `attend_fast` never holds all of
                them at once.
            rotary: (T, K), the table of `course_lib.attention.positions.turn`, for self-attention
                with rotary positions: queries and keys are turned, values are not.

        Returns:
            The output (B, T, D), and the weights (B, H, T, S) of each head or None. A position
            that may attend to nothing gets weights of 0, and the bias of `output` as its
            output.
        """
        keys, values = self.prepare(keys, values, rotary)
        return self.from_prepared(
            queries, keys, values, mask, need_weights=need_weights, rotary=rotary
        )

    def prepare(self, keys: Tensor, values: Tensor, rotary: Tensor | None = None) -> KeysValues:
        """Keys and values as the heads see them: twice (B, S, D) -> twice (B, H, S, K).

        They do not depend on the queries. So whoever asks the same positions again, as a decoder
        does at every word, can keep them.
        """
        keys, values = self._split(self.key(keys)), self._split(self.value(values))
        return (keys if rotary is None else turn(keys, rotary)), values

    def from_prepared(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None = None,
        *,
        need_weights: bool = False,
        rotary: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """As `forward`, with keys and values (B, H, S, K) from `prepare`."""
        if mask is not None and mask.dim() == 3:
            raise ValueError(
                f"A mask of shape {tuple(mask.shape)} is ambiguous beside weights (B, H, T, S): "
                "is its first dimension the batch or the heads? Write mask[:, None] for "
                "(B, T, S), mask[None] for (H, T, S)."
            )
        queries = self._split(self.query(queries))  # (B, H, T, K)
        if rotary is not None:
            queries = turn(queries, rotary)
        if need_weights:
            heads, weights = attend(queries, keys, values, mask)  # (B, H, T, K), (B, H, T, S)
        else:
            heads, weights = attend_fast(queries, keys, values, mask), None
        joined = heads.transpose(1, 2).flatten(2)  # (B, T, D)
        return self.output(joined), weights

    def _split(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, K)"""
        return x.unflatten(-1, (self.heads, self.width // self.heads)).transpose(1, 2)
