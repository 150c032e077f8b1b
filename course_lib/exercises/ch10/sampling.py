"""Exercises 10.1 to 10.3: temperature, top-k, top-p."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

# --- 10.1 temper ----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Temperature changes the scores before the softmax, not the probabilities after it.",
        "Which scores are closer to each other: divided by 2, or multiplied?",
    )
)
def temper(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities at a temperature: logits (B, V) -> (B, V), rows sum to one.

    At 1 they are the model's own. Below 1 the likely becomes more likely, above 1 less.
    """
    return (logits / temperature).softmax(dim=-1)


@temper.case
def rows_are_distributions(answer):
    found = answer(torch.randn(3, 7), 0.7)
    expect_tensor(found, (3, 7))
    expect_close(found.sum(-1), torch.ones(3), "the sum of a row")


@temper.case
def one_leaves_the_model_alone(answer):
    logits = torch.randn(2, 6)
    expect_close(answer(logits, 1.0), logits.softmax(-1), "the probabilities at temperature 1")


@temper.case
def cold_is_sure_and_hot_is_not(answer):
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    cold, hot = answer(logits, 0.1)[0, 0], answer(logits, 10.0)[0, 0]
    expect(cold > hot, "At temperature 0.1 the best token should be likelier than at 10.", cold)


@temper.case
def the_values(answer):
    logits = torch.randn(4, 9)
    for temperature in (0.5, 2.0):
        right = temper.answer(logits, temperature)
        expect_close(answer(logits, temperature), right, f"the values at {temperature}")


@temper.mistake(
    "rows_are_distributions",
    says="You divide the probabilities, so that they no longer sum to one. Divide the scores.",
)
def of_probabilities(logits, temperature):
    return logits.softmax(-1) / temperature


@temper.mistake("one_leaves_the_model_alone", says="At temperature 1 nothing may change.")
def of_sizes(logits, temperature):
    return (logits.abs() / temperature).softmax(-1)


@temper.mistake("cold_is_sure_and_hot_is_not", says="Your temperature works the other way round.")
def inverted(logits, temperature):
    return (logits * temperature).softmax(-1)


@temper.mistake(
    "the_values", says="The root is not in the definition: divide by the temperature itself."
)
def root(logits, temperature):
    return (logits / temperature**0.5).softmax(-1)


@temper.alternative
def by_powers(logits, temperature):
    powers = logits.softmax(-1) ** (1 / temperature)
    return powers / powers.sum(-1, keepdim=True)


# --- 10.2 keep_top_k ------------------------------------------------------------------------------


@exercise(
    hints=(
        "How probable is the k-th most probable token of each row?",
        "`probs.topk(k)` gives values and places. After cutting, a row must sum to one again.",
    )
)
def keep_top_k(probs: Tensor, k: int) -> Tensor:
    """Keep the k most probable tokens of each row: (B, V) -> (B, V), rows sum to one.

    All others get exactly 0. No two tokens of a row are equally probable; 1 <= k <= V.
    """
    values, places = probs.topk(k, dim=-1)
    return torch.zeros_like(probs).scatter(-1, places, values / values.sum(-1, keepdim=True))


@keep_top_k.case
def sums_to_one(answer):
    found = answer(torch.randn(3, 8).softmax(-1), 3)
    expect_tensor(found, (3, 8))
    expect_close(found.sum(-1), torch.ones(3), "the sum of a row")


@keep_top_k.case
def exactly_k_are_left(answer):
    found = answer(torch.randn(4, 10).softmax(-1), 3)
    expect_close((found > 0).sum(-1), torch.full((4,), 3), "how many tokens are left in a row")


@keep_top_k.case
def they_are_the_best_ones_in_their_places(answer):
    probs = torch.randn(4, 10).softmax(-1)
    expect_close(answer(probs, 4), keep_top_k.answer(probs, 4), "the probabilities with k = 4")


@keep_top_k.mistake(
    "sums_to_one", says="What you cut away is missing: the rest must sum to one again."
)
def not_renormalized(probs, k):
    least = probs.topk(k, dim=-1).values[:, -1:]
    return probs * (probs >= least)


@keep_top_k.mistake(
    "exactly_k_are_left", says="The k-th best itself must stay: compare with ≥, not with >."
)
def without_the_last(probs, k):
    kept = probs * (probs > probs.topk(k, dim=-1).values[:, -1:])
    return kept / kept.sum(-1, keepdim=True)


@keep_top_k.mistake(
    "exactly_k_are_left",
    says="You set scores of 0 for what is cut and then apply a softmax. exp(0) is 1, not 0.",
)
def softmax_of_zeros(probs, k):
    kept = probs * (probs >= probs.topk(k, dim=-1).values[:, -1:])
    return kept.softmax(-1)


@keep_top_k.mistake(
    "they_are_the_best_ones_in_their_places",
    says="You keep the first k of the vocabulary, not the k most probable.",
)
def first_of_the_vocabulary(probs, k):
    kept = probs.clone()
    kept[:, k:] = 0
    return kept / kept.sum(-1, keepdim=True)


@keep_top_k.mistake(
    "they_are_the_best_ones_in_their_places",
    says="The probabilities are sorted now, so they stand at the ids of other tokens. Put each "
    "one back into its place.",
)
def left_sorted(probs, k):
    kept = probs.sort(dim=-1, descending=True).values
    kept[:, k:] = 0
    return kept / kept.sum(-1, keepdim=True)


@keep_top_k.alternative
def by_a_border(probs, k):
    kept = probs * (probs >= probs.topk(k, dim=-1).values[:, -1:])
    return kept / kept.sum(-1, keepdim=True)


# --- 10.3 keep_top_p ------------------------------------------------------------------------------


@exercise(
    hints=(
        "Sort from the most to the least probable, then add up. Where is p reached?",
        "A token stays if what stands *before* it sums to less than p. So the first always stays.",
        "`sort` gives places as well as values. `scatter` with them brings every value back.",
    )
)
def keep_top_p(probs: Tensor, p: float) -> Tensor:
    """Keep the fewest tokens that together have at least probability p: (B, V) -> (B, V).

    The nucleus of Holtzman et al. (2020). All other tokens get exactly 0, rows sum to one, and the
    most probable token always stays. No two tokens of a row are equally probable; 0 < p <= 1.
    """
    ordered, places = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered * (before < p)
    return torch.zeros_like(probs).scatter(-1, places, kept / kept.sum(-1, keepdim=True))


def _mixed() -> Tensor:
    """Two rows that need two and three tokens for 0.75, the likely ones not in front."""
    return torch.tensor([[0.05, 0.1, 0.15, 0.7], [0.25, 0.1, 0.4, 0.25 - 1e-3]]) / torch.tensor(
        [[1.0], [0.999]]
    )


@keep_top_p.case
def sums_to_one(answer):  # noqa: F811
    found = answer(torch.randn(3, 8).softmax(-1), 0.8)
    expect_tensor(found, (3, 8))
    expect_close(found.sum(-1), torch.ones(3), "the sum of a row")


@keep_top_p.case
def the_best_always_stays(answer):
    found = answer(torch.tensor([[0.03, 0.9, 0.07]]), 0.5)
    right = torch.tensor([[0.0, 1.0, 0.0]])
    expect_close(found, right, "the probabilities where one token alone has more than p")


@keep_top_p.case
def the_fewest_that_reach_p(answer):
    found = answer(_mixed(), 0.75)
    expect_close(found > 0, keep_top_p.answer(_mixed(), 0.75) > 0, "the set of tokens that stay")


@keep_top_p.case
def the_values(answer):  # noqa: F811
    probs = (2 * torch.randn(6, 20)).softmax(-1)
    for p in (0.3, 0.9):
        expect_close(answer(probs, p), keep_top_p.answer(probs, p), f"the values with p = {p}")


@keep_top_p.mistake(
    "sums_to_one", says="What you cut away is missing: the rest must sum to one again."
)
def cut_only(probs, p):
    ordered, places = probs.sort(dim=-1, descending=True)
    kept = ordered * (ordered.cumsum(-1) - ordered < p)
    return torch.zeros_like(probs).scatter(-1, places, kept)


@keep_top_p.mistake(
    "the_best_always_stays",
    says="You keep tokens while the sum *with* them is below p. The one that crosses p is missing: "
    "where the first token alone has more than p, nothing is left.",
)
def without_the_one_that_crosses(probs, p):
    ordered, places = probs.sort(dim=-1, descending=True)
    kept = ordered * (ordered.cumsum(-1) < p)
    total = kept.sum(-1, keepdim=True).clamp(min=1e-9)
    kept = torch.where(kept.sum(-1, keepdim=True) > 0, kept / total, torch.full_like(kept, 1 / 3))
    return torch.zeros_like(probs).scatter(-1, places, kept)


@keep_top_p.mistake(
    "the_best_always_stays",
    says="You add up in the order of the vocabulary. Sort first: which tokens stay must depend on "
    "their probabilities, not on their ids.",
)
def before_sorting(probs, p):
    kept = probs * (probs.cumsum(-1) - probs < p)
    return kept / kept.sum(-1, keepdim=True)


@keep_top_p.mistake(
    "the_fewest_that_reach_p",
    says="You keep tokens whose own probability is above 1 − p. It is their sum that counts.",
)
def each_by_itself(probs, p):
    best = probs == probs.amax(-1, keepdim=True)
    kept = probs * ((probs > 1 - p) | best)
    return kept / kept.sum(-1, keepdim=True)


@keep_top_p.mistake(
    "the_values",
    says="The set is right, but every token of it has the same probability now.",
)
def uniform(probs, p):
    kept = (keep_top_p.answer(probs, p) > 0).float()
    return kept / kept.sum(-1, keepdim=True)


@keep_top_p.alternative
def row_by_row(probs, p):
    rows = []
    for row in probs:
        kept, total = torch.zeros_like(row), 0.0
        for place in row.argsort(descending=True).tolist():
            kept[place] = row[place]
            total += row[place].item()
            if total >= p:
                break
        rows.append(kept / kept.sum())
    return torch.stack(rows)
