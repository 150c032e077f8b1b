"""Attention: look at all encoder states, weighted, instead of at one fixed vector.

Every kind of attention here is a *score* followed by the same three lines: softmax over the
source, weighted sum of the values. So there is one function, `attend`, and four scores:

    additive     v · tanh(W q + U k)    Bahdanau et al. (2015), appendix A.1.2
    dot          q · k                  Luong et al. (2015), section 3.1
    general      q · W k                Luong et al. (2015), section 3.1
    scaled_dot   q · k / √K             Vaswani et al. (2017), equation 1

`attend_fast` beside it gives the same context without the weights: all that training needs.

Shapes: B batch, S source length, T target length, D width of the values, K width of queries and
keys, A width inside the additive score; "…" is any number of leading dimensions, such as (B,) or
(B, H) with heads. Masks are boolean with True = may attend, as everywhere (`masks`). Weights are
returned, never stored on a module.

Weights of the linear maps start with the default of `torch.nn.Linear`, uniform in ±1/√fan_in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.masks import fit_mask, masked_softmax

# (…, T, K) and (…, S, K) -> (…, T, S); a function or a module
Score = Callable[[Tensor, Tensor], Tensor]


def dot(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k for every pair: (…, T, K), (…, S, K) -> (…, T, S) (Luong et al. 2015, section 3.1)."""
    return queries @ keys.transpose(-2, -1)


def scaled_dot(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k / √K: (…, T, K), (…, S, K) -> (…, T, S) (Vaswani et al. 2017, equation 1).

    The sum of K products of independent numbers with variance 1 has variance K. Divided by √K it
    has variance 1 again, whatever the width, and the softmax does not saturate.
    """
    # Dividing the queries is T·K divisions, dividing the scores would be T·S.
    return dot(queries / math.sqrt(queries.shape[-1]), keys)


class GeneralScore(nn.Module):
    """q · W k, which also fits queries and keys of different widths (Luong et al. 2015, 3.1)."""

    def __init__(self, query_width: int, key_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, key_width, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(…, T, query_width), (…, S, key_width) -> (…, T, S)."""
        # q · W k = (Wᵀ q) · k, and there are fewer queries than keys: one, while decoding.
        return dot(self.query(queries), keys)


class AdditiveScore(nn.Module):
    """v · tanh(W q + U k): a small network reads both (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        query_width, key_width: of the vectors to be compared; they may differ.
        width: A, the units of the network.
    """

    def __init__(self, query_width: int, key_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(key_width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(…, T, query_width), (…, S, key_width) -> (…, T, S)."""
        return self.from_prepared(queries, self.prepare(keys))

    def prepare(self, keys: Tensor) -> Tensor:
        """U k: (…, S, key_width) -> (…, S, A). Independent of the query, so once a sentence."""
        return self.key(keys)

    def from_prepared(self, queries: Tensor, prepared: Tensor) -> Tensor:
        """The same score from U k: (…, T, query_width), (…, S, A) -> (…, T, S)."""
        mixed = self.query(queries).unsqueeze(-2) + prepared.unsqueeze(-3)  # (…, T, S, A)
        return self.energy(torch.tanh(mixed)).squeeze(-1)  # (…, T, S)


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    score: Score = scaled_dot,
) -> tuple[Tensor, Tensor]:
    """For each query, the mean of the values, weighted by how well their keys fit the query.

    Args:
        queries: (…, T, K).
        keys: (…, S, K), with the leading dimensions of the queries.
        values: (…, S, D), one for each key; may have a width of their own.
        mask: bool, True = may attend; broadcasts to (…, T, S). A padding mask (B, S) goes in as
            `mask[:, None, :]`.
        score: gives (…, T, S) from queries and keys; see the top of this file.

    Returns:
        The context (…, T, D) and the weights (…, T, S). Each row of weights sums to one over the
        source. A query that may attend to nothing gets weights and context of exactly 0.
    """
    check_shapes(queries, keys, values)
    scores = score(queries, keys)  # (…, T, S)
    weights = masked_softmax(scores, mask)  # (…, T, S)
    return weights @ values, weights  # (…, T, D)


def attend_fast(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """The context of `attend` with the scaled dot product, without its weights: (…, T, D).

    torch's `scaled_dot_product_attention` never holds all (T, S) weights at once. It gives equal
    numbers as long as all values are finite: a NaN behind the mask stays hidden in one of the two
    and not in the other.

    Args:
        queries, keys, values, mask: as in `attend`.
        causal: position t sees the keys 0 to t. The kernel skips what it hides; no mask then.
        dropout: probability with which a weight is dropped.
    """
    check_shapes(queries, keys, values)
    if mask is not None:
        fit_mask(mask, (*queries.shape[:-1], keys.shape[-2]))
    rest, dtype = (mask, causal, dropout), queries.dtype
    if not (queries.requires_grad and dtype.itemsize == 2 and queries.device.type == "cpu"):
        return _four_dimensions(queries, keys, values, *rest)
    # The backward pass of the 16-bit kernel is slow on a processor, so it gets 32 bits. A pass
    # both ways at 64, 128 and 512 keys takes 30, 33 and 46 ms in 16 bits, 9, 14 and 48 ms in 32.
    # (`attend` in 16 bits: 3, 5 and 41 ms; with a causal mask and dropout, as GPT trains, 11, 34
    # and 93 ms against 18, 32 and 178. 4,096 tokens, 4 heads of width 32, torch 2.13, bfloat16.)
    with torch.autocast("cpu", enabled=False):
        return _four_dimensions(queries.float(), keys.float(), values.float(), *rest).to(dtype)


def _four_dimensions(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    causal: bool,
    dropout: float,
) -> Tensor:
    """torch chooses its frugal kernels for exactly four dimensions only."""
    if queries.dim() < 4:
        given = (queries[None], keys[None], values[None])
        return _four_dimensions(*given, mask, causal, dropout)[0]
    if mask is not None:
        # Not expanded: the kernels broadcast a mask without writing it out as (…, T, S).
        mask = mask[(None,) * (4 - mask.dim())]
    return F.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, is_causal=causal, dropout_p=dropout
    )


def check_shapes(queries: Tensor, keys: Tensor, values: Tensor) -> None:
    """Raise `ValueError` where leading dimensions would be broadcast without a word."""
    leading = queries.shape[:-2]
    if min(queries.dim(), keys.dim(), values.dim()) < 2 or not (
        leading == keys.shape[:-2] == values.shape[:-2] and keys.shape[-2] == values.shape[-2]
    ):
        raise ValueError(
            f"queries, keys and values have shapes {tuple(queries.shape)}, {tuple(keys.shape)} "
            f"and {tuple(values.shape)}, expected (…, T, K), (…, S, K) and (…, S, D) with the "
            "same leading dimensions: one value for each key."
        )
