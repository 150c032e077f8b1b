"""Masks with one meaning: boolean, True = may attend (for padding: True = a real token).

This is the convention of `torch.nn.functional.scaled_dot_product_attention`. A mask broadcasts
to the scores (B, H, T, S) or, without heads, to (B, T, S).
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def padding_mask(ids: Tensor, pad: int = 0) -> Tensor:
    """True where a sentence has a real token.

    Args:
        ids: (B, S) token ids.
        pad: the id of padding.

    Returns:
        (B, S) bool. To mask scores, put it in its place: `mask[:, None, :]` beside (B, T, S),
        `mask[:, None, None, :]` beside (B, H, T, S).
    """
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise TypeError(f"padding_mask reads token ids, got {ids.dtype}. Pass the (B, S) ids.")
    return ids != pad


def causal_mask(length: int, device: torch.device | str | None = None) -> Tensor:
    """True where a position may see: itself and what precedes it.

    Returns:
        (T, T) bool; row t has True at columns 0 to t.
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def fit_mask(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """The mask broadcast to the shape of the scores, without a copy."""
    _check_bool(mask)
    try:
        return mask.expand(shape)
    except RuntimeError as error:
        raise ValueError(
            f"A mask of shape {tuple(mask.shape)} does not broadcast to scores of shape "
            f"{tuple(shape)}."
        ) from error


def masked_softmax(scores: Tensor, mask: Tensor | None, dim: int = -1) -> Tensor:
    """Softmax over the places where the mask is True; all other weights are exactly 0.

    Where a row has nothing to attend to, all its weights are 0 (not NaN), and so are the
    gradients. A large negative number instead of −∞ would give such a row uniform weights, and
    overflow in half precision.

    Args:
        scores: any shape, for example (B, T, S). Not changed.
        mask: bool, True = may attend; broadcasts to the shape of the scores; None: all may.
        dim: the dimension whose weights sum to one.

    Returns:
        Weights in the shape of the scores.
    """
    if mask is None:
        return scores.softmax(dim=dim)
    fit_mask(mask, scores.shape)
    mask = mask[(None,) * (scores.dim() - mask.dim())]  # aligned, and no larger than it was given
    somewhere = mask.any(dim=dim, keepdim=True)
    # A row of −∞ only has the softmax 0/0. Such rows get harmless scores before the softmax, so
    # that neither the values nor the gradients ever meet a NaN, and weights of 0 after it.
    hidden = torch.zeros_like(somewhere, dtype=scores.dtype).masked_fill(somewhere, -torch.inf)
    return torch.where(mask, scores, hidden).softmax(dim=dim) * somewhere


def to_torch_key_padding(mask: Tensor) -> Tensor:
    """The `key_padding_mask` of `torch.nn.MultiheadAttention`, which means the opposite.

    Args:
        mask: (B, S) bool, True = a real token.

    Returns:
        (B, S) bool, True = padding, to be ignored.
    """
    _check_bool(mask)
    return ~mask


def _check_bool(mask: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(
            f"A mask is boolean with True = may attend, got {mask.dtype}. Turn 0/1 numbers into "
            "a mask with mask.bool(); turn an additive mask (0 and -inf) with mask == 0."
        )
