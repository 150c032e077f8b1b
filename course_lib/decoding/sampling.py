"""Write by drawing the next token at random: temperature, top-k, top-p."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.decoding.protocol import Decodable, write
from course_lib.text.words import OURS, Specials


def sample(
    model: Decodable,
    source: Tensor,
    max_length: int | Tensor,
    *,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    first: Tensor | None = None,
    specials: Specials = OURS,
) -> list[list[int]]:
    """Draw every token at random, with the model's probabilities (ancestral sampling).

    Args:
        model, source, max_length, first, specials: as in `greedy`.
        generator: where the random numbers come from.
        temperature: log-probabilities are divided by it. Below 1 the likely becomes more likely,
            above 1 less.
        top_k: draw among the k most probable tokens only (Fan et al. 2018), or None.
        top_p: draw among the fewest tokens that together have at least this probability
            (nucleus sampling, Holtzman et al. 2020); 1.0 keeps all. Applied after `top_k`.

    Returns:
        One list of ids per row.
    """
    if not (0 < temperature < float("inf") and (top_k is None or top_k > 0) and 0 < top_p <= 1):
        raise ValueError(
            f"temperature is {temperature}, top_k {top_k} and top_p {top_p}; expected "
            "temperature > 0, top_k >= 1 or None, 0 < top_p <= 1. For the most probable token at "
            "every step, use greedy."
        )

    def draw(log_probs: Tensor) -> Tensor:
        scores = log_probs.float()
        scores = scores - scores.amax(1, keepdim=True)  # 0 stays 0, however cold it is
        probs = truncate((scores / temperature).softmax(dim=1), top_k, top_p)
        drawn = torch.multinomial(probs.to(generator.device), 1, generator=generator)
        return drawn[:, 0].to(log_probs.device)

    return write(model, source, max_length, draw, first, specials)


def truncate(probs: Tensor, top_k: int | None = None, top_p: float = 1.0) -> Tensor:
    """Keep the most probable tokens and let their probabilities sum to one again.

    Args:
        probs: (B, V), rows sum to one.
        top_k: how many tokens to keep, or None.
        top_p: keep the fewest tokens that together have at least this probability.

    Returns:
        (B, V), 0 for tokens that are not kept. The most probable token is always kept.
    """
    ordered, order = probs.sort(dim=1, descending=True, stable=True)
    if top_k is not None:
        ordered[:, top_k:] = 0
        ordered = ordered / ordered.sum(dim=1, keepdim=True)
    if top_p < 1:
        before = ordered.cumsum(dim=1) - ordered  # probability of all that are more probable
        ordered = ordered.masked_fill(before >= top_p, 0)
        ordered = ordered / ordered.sum(dim=1, keepdim=True)
    return torch.zeros_like(probs).scatter(1, order, ordered)
