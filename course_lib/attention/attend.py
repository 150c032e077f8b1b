"""Attention: look at all encoder states, weighted, instead of at one fixed vector.

Every kind of attention here is a *score* followed by the same three lines: softmax over the
source, weighted sum of the values. So there is one function, :func:`attend`, and four scores:

    additive     v · tanh(W q + U k)    Bahdanau et al. (2015), appendix A.1.2
    dot          q · k                  Luong et al. (2015), section 3.1
    general      q · W k                Luong et al. (2015), section 3.1
    scaled_dot   q · k / √K             Vaswani et al. (2017), equation 1

Below it stands the translator of chapter 02 with attention: the same encoder, and a decoder whose
vector c is a new one, c_t, at every step.

Shapes: B batch, S source length, T target length, E embedding width, D model width, K width of
queries and keys, A width inside the additive score, L layers, V target vocabulary; "…" is any
number of leading dimensions, such as (B,) or (B, H) with heads. Masks are boolean with True = may
attend, as everywhere (``course_lib.attention.masks``). Weights are returned, never stored on a
module.

Weights of the linear maps start with the default of ``torch.nn.Linear``, uniform in ±1/√fan_in.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.attention.masks import fit_mask, masked_softmax

SHORT_16_BIT = 512  # keys; see ``attend``

# (…, T, K) and (…, S, K) -> (…, T, S); a function or a module
Score = Callable[[Tensor, Tensor], Tensor]


def dot(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k for every pair: (…, T, K), (…, S, K) -> (…, T, S) (Luong et al. 2015, section 3.1).

    Raises:
        ValueError: queries and keys differ in width.
    """
    _check_same_width(queries, keys)
    return queries @ keys.transpose(-2, -1)


def scaled_dot(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k / √K: (…, T, K), (…, S, K) -> (…, T, S) (Vaswani et al. 2017, equation 1).

    The sum of K products of independent numbers with variance 1 has variance K. Divided by √K it
    has variance 1 again, whatever the width, and the softmax does not saturate.

    Raises:
        ValueError: queries and keys differ in width.
    """
    # Dividing the queries is T·K divisions, dividing the scores would be T·S.
    return dot(queries / math.sqrt(queries.shape[-1]), keys)


class GeneralScore(nn.Module):
    """q · W k, which also fits queries and keys of different widths (Luong et al. 2015, 3.1)."""

    def __init__(self, query_width: int, key_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, key_width, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(…, T, query_width), (…, S, key_width) -> (…, T, S).

        Raises:
            ValueError: a width is not the one that the score was built for.
        """
        _check_width("queries", queries, self.query.in_features)
        _check_width("keys", keys, self.query.out_features)
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
        """(…, T, query_width), (…, S, key_width) -> (…, T, S).

        Raises:
            ValueError: a width is not the one that the score was built for.
        """
        return self.from_prepared(queries, self.prepare(keys))

    def prepare(self, keys: Tensor) -> Tensor:
        """U k: (…, S, key_width) -> (…, S, A). Independent of the query, so once a sentence."""
        _check_width("keys", keys, self.key.in_features)
        return self.key(keys)

    def from_prepared(self, queries: Tensor, prepared: Tensor) -> Tensor:
        """The same score from U k: (…, T, query_width), (…, S, A) -> (…, T, S)."""
        _check_width("queries", queries, self.query.in_features)
        _check_width("prepared keys", prepared, self.key.out_features)
        mixed = self.query(queries).unsqueeze(-2) + prepared.unsqueeze(-3)  # (…, T, S, A)
        return self.energy(torch.tanh(mixed)).squeeze(-1)  # (…, T, S)


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    *,
    score: Score = scaled_dot,
    need_weights: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """For each query, the mean of the values, weighted by how well their keys fit the query.

    Args:
        queries: (…, T, K).
        keys: (…, S, K), with the leading dimensions of the queries.
        values: (…, S, D), one for each key; may have a width of their own.
        mask: bool, True = may attend; broadcasts to (…, T, S). A padding mask (B, S) goes in as
            ``mask[:, None, :]``.
        score: gives (…, T, S) from queries and keys; see the top of this file.
        need_weights: False returns None for the weights. ``dot`` and ``scaled_dot`` then take
            the fast path, ``torch.nn.functional.scaled_dot_product_attention``, whose kernels
            never hold all (T, S) weights at once where values are as wide as keys and two
            dimensions lead at most. Both paths give equal results; the other scores know the
            explicit path only. Training in 16 bits on a CPU stays on the explicit path up to
            `SHORT_16_BIT` keys: the backward pass of the kernels is several times slower there.

    Returns:
        The context (…, T, D) and the weights (…, T, S). Each row of weights sums to one over the
        source. A query that may attend to nothing gets weights and context of exactly 0.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: shapes that do not belong together, or a mask that does not broadcast.
    """
    leading, length = queries.shape[:-2], keys.shape[-2]
    if min(queries.dim(), keys.dim(), values.dim()) < 2 or not (
        leading == keys.shape[:-2] == values.shape[:-2] and length == values.shape[-2]
    ):
        raise ValueError(
            f"queries, keys and values have shapes {tuple(queries.shape)}, {tuple(keys.shape)} "
            f"and {tuple(values.shape)}, expected (…, T, K), (…, S, K) and (…, S, D) with the "
            "same leading dimensions: one value for each key."
        )
    shape = (*leading, queries.shape[-2], length)  # (…, T, S)
    if mask is not None:
        fit_mask(mask, shape)
    if not need_weights and score in (dot, scaled_dot) and not _explicit_is_faster(queries, length):
        _check_same_width(queries, keys)
        scale = 1.0 if score is dot else None  # None: 1 / √K
        return _fused(queries, keys, values, mask, scale), None
    scores = score(queries, keys)
    if scores.shape != shape:
        raise ValueError(
            f"The score returned shape {tuple(scores.shape)}, expected {shape}: one number for "
            "each query and key."
        )
    weights = scores.softmax(-1) if mask is None else masked_softmax(scores, mask)  # (…, T, S)
    return weights @ values, weights if need_weights else None


def _explicit_is_faster(queries: Tensor, length: int) -> bool:
    """Measured with torch 2.13: 5 times at 64 keys, 2 times at 256, equal at 1,024."""
    training = torch.is_grad_enabled() and queries.requires_grad
    return (
        training
        and queries.device.type == "cpu"
        and queries.dtype == torch.bfloat16
        and length <= SHORT_16_BIT
    )


def _fused(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scale: float | None
) -> Tensor:
    """torch's attention, which chooses its frugal kernels for exactly four dimensions only."""
    if queries.dim() < 4:
        return _fused(queries[None], keys[None], values[None], mask, scale)[0]
    if mask is not None and mask.dim() < 4:
        # Not expanded: the kernels broadcast a mask without writing it out as (…, T, S).
        mask = mask[(None,) * (4 - mask.dim())]
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=scale)


def _check_same_width(queries: Tensor, keys: Tensor) -> None:
    if queries.shape[-1] != keys.shape[-1]:
        raise ValueError(
            f"queries have width {queries.shape[-1]}, keys have width {keys.shape[-1]}; a dot "
            "product needs the same. Project one of them, or use AdditiveScore or GeneralScore."
        )


def _check_width(what: str, vectors: Tensor, width: int) -> None:
    if vectors.shape[-1] != width:
        raise ValueError(
            f"{what} have width {vectors.shape[-1]}, but this score was built for {width}."
        )
