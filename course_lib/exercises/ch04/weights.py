"""Exercises 4.3 and 4.6: from scores to weights, with a mask."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    expect_type,
    expect_unchanged,
)


def pair(value, first: str, second: str):
    """The two tensors of an answer; the message names them where it returns something else."""
    expect_type(value, (tuple, list))
    expect(len(value) == 2, f"Your result has {len(value)} parts, expected {first} and {second}.")
    return value


# --- 4.3 attend -----------------------------------------------------------------------------------


@exercise(
    hints=(
        "Three steps: make the forbidden scores harmless, softmax over the source, weighted sum.",
        "`scores.masked_fill(~mask, -torch.inf)` makes a new tensor, and exp(−∞) = 0 removes the "
        "forbidden places.",
        "A row of −∞ only gives 0/0. Find these rows with `mask.any(-1, keepdim=True)`, give them "
        "any finite scores *before* the softmax, and set their weights to 0 after it.",
    )
)
def attend(scores: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over the source where the mask is True, then the weighted mean of the values.

    scores: (B, T, S), left unchanged; values: (B, S, D); mask: (B, T, S) bool, True = may look.
    Returns context (B, T, D) and weights (B, T, S); where a row of the mask is False throughout,
    both are 0, and no gradient is NaN.
    """
    somewhere = mask.any(dim=-1, keepdim=True)  # (B, T, 1)
    allowed = scores.masked_fill(~mask, -torch.inf).masked_fill(~somewhere, 0.0)
    weights = allowed.softmax(dim=-1).masked_fill(~somewhere, 0.0)  # (B, T, S)
    return weights @ values, weights


def _attention(*, empty: bool = False):
    """Scores (2, 3, 5), values (2, 5, 4), and a mask that forbids something in every row."""
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    mask = torch.stack([mask, mask.roll(2, dims=1)])
    if empty:
        mask[0, 1] = mask[1, 2] = False
    return torch.randn(2, 3, 5), torch.randn(2, 5, 4), mask


@attend.case
def context_and_weights(answer):
    context, weights = pair(answer(*_attention()), "the context", "the weights")
    expect_tensor(context, (2, 3, 4), what="the context")
    expect_tensor(weights, (2, 3, 5), what="the tensor of weights")


@attend.case
def arguments_are_left_alone(answer):
    scores, values, mask = _attention()
    before = scores.clone(), mask.clone()
    answer(scores, values, mask)
    expect_unchanged(scores, before[0], "the tensor of scores")
    expect_unchanged(mask, before[1], "the mask")


@attend.case
def one_unit_of_attention_a_query(answer):
    _, weights = answer(*_attention())
    total = weights.sum(dim=-1)
    off = (total - 1).abs().max().item()
    message = f"The weights of one query over the source must sum to 1; yours are off by {off:.2g}."
    expect(off < 1e-4, message, weights)


@attend.case
def nothing_at_forbidden_places(answer):
    scores, values, mask = _attention()
    _, weights = answer(scores, values, mask)
    most = weights.masked_fill(mask, 0.0).max().item()
    message = f"A place where the mask is False gets a weight of {most:.2g}."
    expect(most == 0, message, weights)


@attend.case
def weighted_mean_of_the_values(answer):
    scores, values, mask = _attention()
    context, weights = answer(scores, values, mask)
    expected_context, expected = attend.answer(scores, values, mask)
    expect_close(weights, expected, "the tensor of weights")
    expect_close(context, expected_context, "the context")


@attend.case
def large_scores(answer):
    scores, values, mask = _attention()
    _, weights = answer(200 * scores, values, mask)
    expected = attend.answer(200 * scores, values, mask)[1]
    expect_close(weights, expected, "the tensor of weights at scores of a few hundred")


@attend.case
def nothing_to_look_at(answer):
    scores, values, mask = _attention(empty=True)
    context, weights = answer(scores, values, mask)
    rows = [(0, 1), (1, 2)]
    empty_weights = torch.stack([weights[row] for row in rows])
    nan = " It is NaN: a softmax over −∞ alone is 0/0." if empty_weights.isnan().any() else ""
    expect(
        not empty_weights.any(),
        "A query that may look nowhere must have weights of 0." + nan,
        empty_weights,
    )
    expect_close(context, attend.answer(scores, values, mask)[0], "the context beside empty rows")


@attend.case
def gradients_are_numbers(answer):
    scores, values, mask = _attention(empty=True)
    scores.requires_grad_(), values.requires_grad_()
    context, _ = answer(scores, values, mask)
    loss = context.square().sum()
    if loss.requires_grad:
        loss.backward()
    for what, one in (("scores", scores), ("values", values)):
        message = f"No gradient reaches the {what}: a model with them cannot learn."
        expect(one.grad is not None, message, what)
    bad = [int(one.grad.isnan().sum()) for one in (scores, values)]
    expect(
        sum(bad) == 0,
        f"The result is right, but {sum(bad)} of its gradients are NaN. One step of training "
        "carries them into the parameters.",
        bad,
    )


@attend.mistake("context_and_weights", says="You return the weights first.")
def weights_first(scores, values, mask):
    context, weights = attend.answer(scores, values, mask)
    return weights, context


@attend.mistake("arguments_are_left_alone")
def in_place(scores, values, mask):
    scores.masked_fill_(~mask, -torch.inf)
    return attend.answer(scores, values, mask)


@attend.mistake(
    "one_unit_of_attention_a_query",
    says="Your weights sum to 1 over the *queries*. Attention normalizes over the *keys*: the "
    "source positions share one unit for each query.",
)
def softmax_over_the_queries(scores, values, mask):
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1).nan_to_num(0.0)
    return weights @ values, weights


@attend.mistake(
    "one_unit_of_attention_a_query",
    says="You remove the forbidden places *after* the softmax. What they had is then missing.",
)
def masked_after_the_softmax(scores, values, mask):
    weights = scores.softmax(dim=-1) * mask
    return weights @ values, weights


@attend.mistake(
    "nothing_at_forbidden_places",
    says="Your mask looks inverted: only the forbidden places have weight. True means *may look*, "
    "and `masked_fill` fills where it is given True.",
)
def inverted(scores, values, mask):
    return attend.answer(scores, values, ~mask)


@attend.mistake(
    "nothing_at_forbidden_places",
    says="You set forbidden *scores* to 0, or to a number close to it. That is a score like any "
    "other: exp(0) = 1.",
)
def filled_with_zero(scores, values, mask):
    weights = scores.masked_fill(~mask, 0.0).softmax(dim=-1)
    return weights @ values, weights


@attend.mistake(
    "weighted_mean_of_the_values",
    says="Your context uses other weights than those that you return: without the mask.",
)
def context_without_the_mask(scores, values, mask):
    return scores.softmax(dim=-1) @ values, attend.answer(scores, values, mask)[1]


@attend.mistake(
    "large_scores",
    says="exp of a large score overflows. Subtract the largest score of the row first, or call "
    "the softmax of torch, which does.",
)
def exponentials_by_hand(scores, values, mask):
    exponentials = scores.exp() * mask
    weights = exponentials / exponentials.sum(dim=-1, keepdim=True)
    return weights @ values, weights


@attend.mistake("nothing_to_look_at")
def no_thought_of_empty_rows(scores, values, mask):
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    return weights @ values, weights


@attend.mistake(
    "nothing_to_look_at",
    says="A row of equal scores has *uniform* weights, also where every score is −10⁹: the query "
    "looks everywhere it must not, and no NaN gives it away.",
)
def a_large_negative_number(scores, values, mask):
    weights = scores.masked_fill(~mask, -1e9).softmax(dim=-1)
    return weights @ values, weights


@attend.mistake(
    "gradients_are_numbers",
    says="You add −∞ to the scores and replace the NaN afterwards. The way back still passes "
    "through the softmax of −∞ alone.",
)
def repaired_afterwards(scores, values, mask):
    added = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
    weights = (scores + added).softmax(dim=-1).nan_to_num(0.0)
    return weights @ values, weights


@attend.mistake("gradients_are_numbers")
def weights_cut_off(scores, values, mask):
    weights = attend.answer(scores.detach(), values, mask)[1]
    return weights @ values, weights


@attend.alternative
def by_exponentials(scores, values, mask):
    allowed = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    exponentials = (allowed - allowed.amax(dim=-1, keepdim=True)).exp() * mask
    weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return torch.einsum("bts,bsd->btd", weights, values), weights


@attend.alternative
def zero_rows_after_a_large_number(scores, values, mask):
    weights = scores.masked_fill(~mask, -1e9).softmax(dim=-1) * mask
    return torch.bmm(weights, values), weights


# --- 4.6 source_weights (find the bugs) -----------------------------------------------------------


@exercise(
    hints=(
        "Sum the result over its last axis, and look at the columns of padding. Two questions: "
        "which places are filled, and which places share one unit?",
        "`masked_fill` fills where it is given True. Here True means a *word*.",
        "`dim` names the axis along which the weights sum to 1. One query shares its unit among "
        "the source positions, the last axis.",
    )
)
def source_weights(scores: Tensor, source_mask: Tensor) -> Tensor:
    """Attention weights over the source: (B, T, S), (B, S) -> (B, T, S).

    source_mask: bool, True = a word, False = padding; each sentence has at least one word.
    """
    scores = scores.masked_fill(~source_mask[:, None, :], -torch.inf)
    return scores.softmax(dim=-1)


def _scores_and_padding():
    """As many target words as sentences, so that a mask at the wrong place raises nothing."""
    lengths = torch.tensor([[5], [2], [4]])
    return torch.randn(3, 3, 5), torch.arange(5) < lengths


@source_weights.case
def a_weight_for_each_score(answer):
    expect_tensor(answer(*_scores_and_padding()), (3, 3, 5), what="the tensor of weights")


@source_weights.case
def each_query_has_one_unit(answer):
    weights = answer(*_scores_and_padding())
    total = weights.sum(dim=-1)
    sums = f"sum to between {total.min():.2f} and {total.max():.2f}"
    if total.isnan().any():
        sums = "contain NaN"
    expect(
        (total - 1).abs().max() < 1e-4,
        f"The weights of one query must sum to 1 over the source. Yours {sums}.",
        weights,
    )


@source_weights.case
def padding_has_no_weight(answer):
    scores, mask = _scores_and_padding()
    weights = answer(scores, mask)
    most = weights.masked_fill(mask[:, None, :], 0.0).max().item()
    expect(most == 0, f"A place of padding gets a weight of {most:.2g}.", weights)


@source_weights.case
def the_words_keep_their_weights(answer):
    scores, mask = _scores_and_padding()
    expected = source_weights.answer(scores, mask)
    expect_close(answer(scores, mask), expected, "the tensor of weights")


@source_weights.case
def the_scores_stay(answer):
    scores, mask = _scores_and_padding()
    before = scores.clone()
    answer(scores, mask)
    expect_unchanged(scores, before, "the tensor of scores")


@source_weights.mistake(
    "a_weight_for_each_score",
    says="Your mask has four axes. That is its form for scores with heads, (B, H, T, S).",
)
def mask_for_heads(scores, source_mask):
    return scores.masked_fill(~source_mask[:, None, None, :], -torch.inf).softmax(dim=-1)


@source_weights.mistake(
    "each_query_has_one_unit",
    says="These are both bugs as they were: the words are hidden instead of the padding, and the "
    "softmax runs over the target.",
)
def both_as_they_were(scores, source_mask):
    return scores.masked_fill(source_mask[:, None, :], -1e9).softmax(dim=1)


@source_weights.mistake(
    "each_query_has_one_unit",
    says="The mask is right now. The softmax still runs over the *target*: the queries compete for "
    "a word, instead of the words for a query.",
)
def only_the_mask_repaired(scores, source_mask):
    return scores.masked_fill(~source_mask[:, None, :], -1e9).softmax(dim=1)


@source_weights.mistake(
    "padding_has_no_weight",
    says="The axis is right now. The mask is still inverted: what is hidden are the words.",
)
def only_the_axis_repaired(scores, source_mask):
    return scores.masked_fill(source_mask[:, None, :], -1e9).softmax(dim=-1)


@source_weights.mistake(
    "padding_has_no_weight",
    says="The mask (B, S) lies on the axes (T, S): every sentence is masked like all others, and "
    "target word 1 like sentence 1. It raises nothing where B = T. Give the mask its own axis.",
)
def mask_without_its_axis(scores, source_mask):
    return scores.masked_fill(~source_mask, -1e9).softmax(dim=-1)


@source_weights.mistake(
    "the_words_keep_their_weights",
    says="You take the softmax of a softmax. The second makes all weights nearly equal.",
)
def softmax_twice(scores, source_mask):
    return source_weights.answer(scores.softmax(dim=-1), source_mask)


@source_weights.mistake("the_scores_stay")
def filled_in_place(scores, source_mask):
    return scores.masked_fill_(~source_mask[:, None, :], -torch.inf).softmax(dim=-1)


@source_weights.alternative
def renormalized(scores, source_mask):
    weights = scores.softmax(dim=-1) * source_mask.unsqueeze(1)
    return weights / weights.sum(dim=-1, keepdim=True)
