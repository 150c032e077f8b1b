"""Exercises of chapter 04: scores, weights, masks, alignment, and one step of the decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.exercises.core import (
    exercise,
    expect,
    expect_close,
    expect_number,
    expect_tensor,
    expect_type,
    expect_unchanged,
)


def pair(value, first: str, second: str):
    """The two tensors of an answer; the message names them where it returns something else."""
    expect_type(value, (tuple, list))
    expect(len(value) == 2, f"Your result has {len(value)} parts, expected {first} and {second}.")
    return value


# --- 4.1 dot_scores -------------------------------------------------------------------------------


@exercise(
    hints=(
        "Row t, column s of the result is the dot product of query t and key s. Which operation "
        "multiplies the rows of one matrix by the rows of another?",
        "`queries @ …` needs the keys with their last two axes exchanged.",
        "With any number of leading axes, count from the end: `transpose(-2, -1)`. `.T` turns all "
        "axes round.",
    )
)
def dot_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """q · k for every pair: (…, T, K), (…, S, K) -> (…, T, S)."""
    return queries @ keys.transpose(-2, -1)


@dot_scores.case
def one_score_for_each_pair(answer):
    scores = answer(torch.randn(2, 3, 4), torch.randn(2, 5, 4))
    expect_tensor(scores, (2, 3, 5), what="the tensor of scores")


@dot_scores.case
def scores_by_hand(answer):
    queries = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]])
    keys = torch.tensor([[[3.0, 1.0], [1.0, 0.0], [0.0, 4.0]]])
    expected = torch.tensor([[[5.0, 1.0, 8.0], [-1.0, 0.0, -4.0]]])
    expect_close(answer(queries, keys), expected, "the tensor of scores")


@dot_scores.case
def leading_axes_stay_apart(answer):
    queries, keys = torch.randn(2, 4, 3, 4), torch.randn(2, 4, 4, 4)  # (B, H, T, K), (B, H, S, K)
    apart = [[dot_scores.answer(queries[b, h], keys[b, h]) for h in range(4)] for b in range(2)]
    expected = torch.stack([torch.stack(heads) for heads in apart])
    expect_close(answer(queries, keys), expected, "the tensor of scores with four axes")
    expect_close(answer(queries[0, 0], keys[0, 0]), apart[0][0], "the tensor of scores, two axes")


@dot_scores.mistake("one_score_for_each_pair", says="Your rows are keys and your columns queries.")
def keys_first(queries, keys):
    return keys @ queries.transpose(-2, -1)


@dot_scores.mistake(
    "one_score_for_each_pair",
    says="You multiply number by number and do not add up: a score is one number a pair.",
)
def not_summed(queries, keys):
    return queries.unsqueeze(-2) * keys.unsqueeze(-3)


@dot_scores.mistake(
    "one_score_for_each_pair",
    says="You have summed over the keys: each key needs a score of its own.",
)
def summed_over_the_keys(queries, keys):
    return (queries.unsqueeze(-2) * keys.unsqueeze(-3)).sum(dim=-2)


@dot_scores.mistake(
    "scores_by_hand", says="You divide by √K. That is the scaled dot product; here we want the dot."
)
def scaled(queries, keys):
    return queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])


@dot_scores.mistake(
    "scores_by_hand", says="You take the *mean* over the width. A dot product is a sum."
)
def mean_over_the_width(queries, keys):
    return (queries.unsqueeze(-2) * keys.unsqueeze(-3)).mean(dim=-1)


@dot_scores.mistake(
    "scores_by_hand",
    says="You reshape the keys where they must be transposed. The shape comes out right, and the "
    "numbers of different keys are mixed.",
)
def reshaped(queries, keys):
    return queries @ keys.reshape(*keys.shape[:-2], keys.shape[-1], keys.shape[-2])


@dot_scores.mistake(
    "scores_by_hand",
    says="You divide by the lengths of the vectors. That is the cosine: a long key no longer "
    "counts more than a short one.",
)
def cosine(queries, keys):
    return torch.cosine_similarity(queries.unsqueeze(-2), keys.unsqueeze(-3), dim=-1)


@dot_scores.mistake(
    "scores_by_hand", says="These are weights already. A score comes before the softmax."
)
def already_weights(queries, keys):
    return dot_scores.answer(queries, keys).softmax(dim=-1)


@dot_scores.mistake(
    "leading_axes_stay_apart",
    says="You exchange the second and third axis. With heads in front these are other axes, and "
    "where the sizes happen to fit, nothing complains. Count from the end.",
)
def axes_counted_from_the_front(queries, keys):
    if keys.dim() == 2:
        return queries @ keys.T
    return queries @ keys.transpose(1, 2)


@dot_scores.alternative
def by_einsum(queries, keys):
    return torch.einsum("...tk,...sk->...ts", queries, keys)


@dot_scores.alternative
def by_broadcasting(queries, keys):
    return (queries.unsqueeze(-2) * keys.unsqueeze(-3)).sum(dim=-1)


# --- 4.2 additive_scores --------------------------------------------------------------------------


@exercise(
    hints=(
        "Write it for one query and one key first. `W @ q` and `U @ k` both have A numbers.",
        "For all queries at once, `queries @ W.T` is (T, A), and the keys give (S, A). Every row "
        "of the one meets every row of the other: give each an axis of length 1 at its place.",
        "`(T, 1, A) + (1, S, A)` broadcasts to (T, S, A). The tanh comes before `v` adds up.",
    )
)
def additive_scores(queries: Tensor, keys: Tensor, W: Tensor, U: Tensor, v: Tensor) -> Tensor:
    """v · tanh(W q + U k) for every pair: (T, Q), (S, K) -> (T, S).

    W: (A, Q), U: (A, K), v: (A,) (Bahdanau et al. 2015, appendix A.1.2).
    """
    asked = (queries @ W.T).unsqueeze(1)  # (T, 1, A)
    offered = (keys @ U.T).unsqueeze(0)  # (1, S, A)
    return torch.tanh(asked + offered) @ v  # (T, S)


def _additive(query=4, key=4, width=4):
    """Queries, keys, W, U, v. Equal widths by default, so that a wrong axis raises nothing."""
    return (
        torch.randn(3, query),
        torch.randn(5, key),
        torch.randn(width, query),
        torch.randn(width, key),
        torch.randn(width),
    )


@additive_scores.case
def a_score_for_each_pair(answer):
    expect_tensor(answer(*_additive()), (3, 5), what="the tensor of scores")


@additive_scores.case
def queries_prefer_different_keys(answer):
    scores = answer(*_additive())
    weights = scores.softmax(dim=-1)
    change = (weights - weights[:1]).abs().max().item()
    expect(
        change > 1e-3,
        "After a softmax over the keys, all queries have the same weights (largest difference "
        f"{change:.1g}): your score does not compare.",
        scores,
    )


@additive_scores.case
def v_weighs_the_units(answer):
    queries, keys, W, U, v = _additive()
    once, twice = answer(queries, keys, W, U, v), answer(queries, keys, W, U, 2 * v)
    off = (twice - 2 * once).abs().max().item()
    message = f"Twice the `v` must give twice the scores; yours are off by up to {off:.2g}."
    expect(off < 1e-4, message, once)


@additive_scores.case
def equal_widths(answer):
    given = _additive()
    expect_close(answer(*given), additive_scores.answer(*given), "the tensor of scores")


@additive_scores.case
def different_widths(answer):
    given = _additive(6, 2, 7)
    expected = additive_scores.answer(*given)
    expect_close(answer(*given), expected, "the tensor of scores where Q, K and A differ")


@additive_scores.mistake("a_score_for_each_pair", says="Your rows are keys: (S, T), not (T, S).")
def keys_as_rows(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, W, U, v).T


@additive_scores.mistake(
    "a_score_for_each_pair",
    says="You keep the A units apart. `v` makes one number of them for each pair.",
)
def units_not_added(queries, keys, W, U, v):
    return v * torch.tanh((queries @ W.T).unsqueeze(1) + keys @ U.T)


@additive_scores.mistake(
    "queries_prefer_different_keys",
    says="The tanh is missing. Without it the score is a part of the query plus a part of the "
    "key, and the softmax over the keys cancels the first.",
)
def no_tanh(queries, keys, W, U, v):
    return ((queries @ W.T).unsqueeze(1) + keys @ U.T) @ v


@additive_scores.mistake(
    "queries_prefer_different_keys",
    says="You take the tanh of each part alone and add afterwards. The two must meet *inside* the "
    "tanh, or the softmax cancels what the query says.",
)
def tanh_of_each_part(queries, keys, W, U, v):
    return (torch.tanh(queries @ W.T).unsqueeze(1) + torch.tanh(keys @ U.T)) @ v


@additive_scores.mistake("queries_prefer_different_keys", says="Your score never reads the query.")
def without_the_query(queries, keys, W, U, v):
    return torch.tanh((0 * queries @ W.T).unsqueeze(1) + keys @ U.T) @ v


@additive_scores.mistake(
    "v_weighs_the_units",
    says="The tanh stands after `v`. Then it squeezes the finished score, which can no longer "
    "exceed 1, and what is inside is linear.",
)
def tanh_after_v(queries, keys, W, U, v):
    return torch.tanh(((queries @ W.T).unsqueeze(1) + keys @ U.T) @ v)


@additive_scores.mistake("v_weighs_the_units", says="You add up the units without weighing them.")
def without_v(queries, keys, W, U, v):
    return torch.tanh((queries @ W.T).unsqueeze(1) + keys @ U.T).sum(dim=-1)


@additive_scores.mistake(
    "equal_widths",
    says="You use the matrices transposed. In W of shape (A, Q) a *row* belongs to a unit. With "
    "equal widths both ways fit, and only the numbers tell.",
)
def transposed_matrices(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, W.T, U.T, v)


@additive_scores.mistake(
    "equal_widths", says="W and U are exchanged: W reads the query, U reads the key."
)
def matrices_exchanged(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, U, W, v)


@additive_scores.mistake("equal_widths", says="You divide by √A. Only the scaled dot product does.")
def divided_by_the_width(queries, keys, W, U, v):
    return additive_scores.answer(queries, keys, W, U, v) / math.sqrt(len(v))


@additive_scores.mistake(
    "different_widths",
    says="You build the units with the width of the *keys*. Q, K and A are three sizes.",
)
def width_of_the_keys(queries, keys, W, U, v):
    width = keys.shape[1]
    return additive_scores.answer(queries, keys, W[:width], U[:width], v[:width])


@additive_scores.alternative
def one_layer_on_both_together(queries, keys, W, U, v):
    both = torch.cat(
        [
            queries.unsqueeze(1).expand(-1, len(keys), -1),
            keys.unsqueeze(0).expand(len(queries), -1, -1),
        ],
        dim=-1,
    )  # (T, S, Q + K)
    return torch.einsum("tsa,a->ts", (both @ torch.cat([W, U], dim=1).T).tanh(), v)


@additive_scores.alternative
def pair_by_pair(queries, keys, W, U, v):
    rows = [[v @ torch.tanh(W @ q + U @ k) for k in keys] for q in queries]
    return torch.stack([torch.stack(row) for row in rows])


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


@attend.mistake("context_and_weights")
def context_only(scores, values, mask):
    return attend.answer(scores, values, mask)[0]


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


@attend.mistake("nothing_at_forbidden_places", says="Your weights do not know the mask.")
def mask_forgotten(scores, values, mask):
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


@attend.mistake(
    "weighted_mean_of_the_values",
    says="Your context uses other weights than those that you return: without the mask.",
)
def context_without_the_mask(scores, values, mask):
    return scores.softmax(dim=-1) @ values, attend.answer(scores, values, mask)[1]


@attend.mistake(
    "weighted_mean_of_the_values",
    says="You choose the best place instead of averaging. A choice has no gradient to learn from.",
)
def best_place_only(scores, values, mask):
    weights = attend.answer(scores, values, mask)[1]
    best = nn.functional.one_hot(weights.argmax(dim=-1), values.shape[1]).float()
    return best @ values, weights


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


# --- 4.4 alignment_error_rate ---------------------------------------------------------------------


@exercise(
    hints=(
        "For one sentence: how many links are in both sets? `a & g` is their intersection.",
        "Three counts over all sentences: right links, links of the model, links of the gold.",
        "Add up first, divide once. A mean over sentences would give a link of a short sentence "
        "more weight.",
    )
)
def alignment_error_rate(
    links: Sequence[set[tuple[int, int]]], gold: Sequence[set[tuple[int, int]]]
) -> float:
    """1 − 2 · |A ∩ G| / (|A| + |G|), with all links of all sentences in one count.

    links, gold: for each sentence a set of pairs (source index, target index).
    (Och & Ney 2003, section 5, with every gold link sure.)
    """
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    total = sum(map(len, links)) + sum(map(len, gold))
    return 1 - 2 * right / total


DIAGONAL = {(0, 0), (1, 1), (2, 2)}


@alignment_error_rate.case
def perfect_and_hopeless(answer):
    expect_number(
        answer([DIAGONAL], [DIAGONAL]), 0.0, "the error rate of the gold links themselves"
    )
    value = answer([{(0, 2), (1, 3), (3, 4)}], [{(0, 0), (1, 1)}])
    expect_number(value, 1.0, "the error rate without a single right link")


@alignment_error_rate.case
def too_many_and_too_few(answer):
    value = answer([{(0, 0), (1, 1), (0, 1), (1, 2)}], [DIAGONAL])
    expect_number(value, 3 / 7, "the error rate with two wrong links and one missing")


@alignment_error_rate.case
def source_comes_first(answer):
    value = answer([{(0, 0), (2, 1), (3, 2), (3, 3)}], [{(0, 0), (2, 1), (3, 2), (1, 3)}])
    expect_number(value, 1 / 4, "the error rate where the order of the words changes")


@alignment_error_rate.case
def a_link_belongs_to_its_sentence(answer):
    here, there = {(0, 0), (1, 1)}, {(0, 1), (1, 0)}
    value = answer([here, there], [there, here])
    expect_number(value, 1.0, "the error rate where each sentence has the links of the other")


@alignment_error_rate.case
def every_link_counts_the_same(answer):
    long = {(i, i) for i in range(9)}
    value = answer([long, {(0, 1)}], [long, {(0, 0)}])
    expect_number(value, 1 / 10, "the error rate with one wrong link of ten")


@alignment_error_rate.case
def a_sentence_without_links(answer):
    value = answer([set(), DIAGONAL], [{(0, 0)}, DIAGONAL])
    expect_number(value, 1 / 7, "the error rate where one sentence got no link")


@alignment_error_rate.mistake(
    "perfect_and_hopeless", says="1 is the best here: you return the F-score, not the error rate."
)
def the_f_score(links, gold):
    return 1 - alignment_error_rate.answer(links, gold)


@alignment_error_rate.mistake(
    "perfect_and_hopeless",
    says="The factor 2 is missing: a right link stands in *both* of the sets that you divide by.",
)
def without_the_factor(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / (sum(map(len, links)) + sum(map(len, gold)))


@alignment_error_rate.mistake(
    "too_many_and_too_few",
    says="You divide by the *gold* links only: recall. A model that links everything with "
    "everything would be perfect.",
)
def recall_only(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / sum(map(len, gold))


@alignment_error_rate.mistake(
    "too_many_and_too_few",
    says="You divide by the links of the *model* only: precision. A model that links one word and "
    "is right would be perfect.",
)
def precision_only(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / sum(map(len, links))


@alignment_error_rate.mistake(
    "too_many_and_too_few",
    says="You divide by the size of the union. That is the Jaccard distance, which is larger.",
)
def by_the_union(links, gold):
    right = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    return 1 - right / sum(len(a | g) for a, g in zip(links, gold, strict=True))


@alignment_error_rate.mistake(
    "too_many_and_too_few", says="You compare *words* that have a link, not links."
)
def target_words_only(links, gold):
    ours = [{t for _, t in a} for a in links]
    return alignment_error_rate.answer(ours, [{t for _, t in g} for g in gold])


@alignment_error_rate.mistake(
    "source_comes_first",
    says="The pairs of one side are turned round. On a diagonal nobody notices; where the order of "
    "the words changes, right links turn wrong.",
)
def turned_round(links, gold):
    return alignment_error_rate.answer([{(t, s) for s, t in a} for a in links], gold)


@alignment_error_rate.mistake(
    "a_link_belongs_to_its_sentence",
    says="You pour the links of all sentences into one heap. (1, 0) of one sentence is not (1, 0) "
    "of another.",
)
def one_heap(links, gold):
    ours = [link for a in links for link in a]
    right = [link for g in gold for link in g]
    return 1 - 2 * sum(link in right for link in ours) / (len(ours) + len(right))


@alignment_error_rate.mistake(
    "every_link_counts_the_same",
    says="You average the error rates of the sentences, so the one link of a short sentence weighs "
    "as much as the nine of a long one. Add up the links first.",
)
def mean_over_sentences(links, gold):
    rates = [alignment_error_rate.answer([a], [g]) for a, g in zip(links, gold, strict=True)]
    return sum(rates) / len(rates)


@alignment_error_rate.mistake(
    "a_sentence_without_links",
    says="You leave out sentences without a link of the model. Their gold links are missing all "
    "the same, and that is an error.",
)
def skips_sentences(links, gold):
    kept = [(a, g) for a, g in zip(links, gold, strict=True) if a]
    return alignment_error_rate.answer([a for a, _ in kept], [g for _, g in kept])


@alignment_error_rate.alternative
def by_the_difference(links, gold):
    ours = {(i, *link) for i, one in enumerate(links) for link in one}
    right = {(i, *link) for i, one in enumerate(gold) for link in one}
    return len(ours ^ right) / (len(ours) + len(right))


# --- 4.5 look (find the bug) ----------------------------------------------------------------------


@exercise(
    hints=(
        "Change the states and look at the weights. Which arguments do the scores depend on?",
        "`asked` has the width of a state, D numbers. The buggy line takes the first S of them as "
        "scores, so position 3 has the same score in every sentence. What should `asked` meet?",
        "The score of state s is `(asked[b] * states[b, s]).sum()`, for all b and s at once: "
        "`unsqueeze` one axis of `asked`, multiply, and sum over D.",
    )
)
def look(
    query: Tensor, previous: Tensor, states: Tensor, W: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Attention with the score asked · state, where asked = W [query; previous].

    query: (B, Q); previous: (B, E), the embedding of the previous word; states: (B, S, D), of the
    encoder; W: (D, Q + E); mask: (B, S), True = a word. Returns context (B, D), weights (B, S).
    """
    asked = torch.cat([query, previous], dim=1) @ W.T  # (B, D)
    scores = (asked.unsqueeze(1) * states).sum(dim=2)  # (B, S)
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)  # (B, S)
    context = (weights.unsqueeze(1) @ states).squeeze(1)  # (B, D)
    return context, weights


def _look(query=4, previous=4, width=8, length=5):
    """Query, previous, states, W, mask of three sentences, the last two with padding."""
    mask = torch.arange(length) < torch.tensor([[length], [length - 2], [length - 1]])
    return (
        torch.randn(3, query),
        torch.randn(3, previous),
        torch.randn(3, length, width),
        torch.randn(width, query + previous) / 2,
        mask,
    )


@look.case
def a_context_and_weights(answer):
    context, weights = pair(answer(*_look()), "the context", "the weights")
    expect_tensor(context, (3, 8), what="the context")
    expect_tensor(weights, (3, 5), what="the tensor of weights")


@look.case
def weights_read_the_states(answer):
    query, previous, states, W, mask = _look()
    _, weights = answer(query, previous, states, W, mask)
    _, others = answer(query, previous, torch.randn_like(states), W, mask)
    change = (weights - others).abs().max().item()
    message = "Other encoder states, the same weights: the scores do not read the source."
    expect(change > 1e-4, message, weights)


@look.case
def weights_follow_the_states(answer):
    query, previous, states, W, mask = _look()
    order = torch.tensor([2, 0, 1, 3, 4])  # moves real words only
    _, weights = answer(query, previous, states, W, mask)
    _, moved = answer(query, previous, states[:, order], W, mask)
    off = (moved - weights[:, order]).abs().max().item()
    message = (
        "When two states change places, their weights must go along; yours differ by up to "
        f"{off:.2g}."
    )
    expect(off < 1e-4, message, weights)


@look.case
def padding_is_not_looked_at(answer):
    query, previous, states, W, mask = _look()
    _, weights = answer(query, previous, states, W, mask)
    most = weights.masked_fill(mask, 0.0).max().item()
    message = f"Padding gets a weight of {most:.2g}: the repair has lost the mask."
    expect(most == 0, message, weights)


@look.case
def both_questions_count(answer):
    query, previous, states, W, mask = _look()
    _, weights = answer(query, previous, states, W, mask)
    for what, asks in (
        ("query", (torch.randn_like(query), previous)),
        ("previous word", (query, torch.randn_like(previous))),
    ):
        change = (answer(*asks, states, W, mask)[1] - weights).abs().max().item()
        message = f"Another {what}, the same weights: your scores do not read the {what}."
        expect(change > 1e-4, message, weights)


@look.case
def every_weight_and_context(answer):
    for sizes in ({}, {"query": 5, "previous": 2, "width": 3, "length": 6}):
        given = _look(**sizes)
        context, weights = answer(*given)
        expected_context, expected = look.answer(*given)
        what = " of a sentence longer than D" if sizes else ""
        expect_close(weights, expected, "the tensor of weights" + what)
        expect_close(context, expected_context, "the context" + what)


@look.mistake("a_context_and_weights", says="The context keeps an axis of length 1.")
def context_keeps_an_axis(query, previous, states, W, mask):
    _, weights = look.answer(query, previous, states, W, mask)
    return weights.unsqueeze(1) @ states, weights


@look.mistake(
    "weights_read_the_states",
    says="This is the bug as it was. The scores come from the decoder alone, so position 3 gets "
    "its weight whatever word stands there.",
)
def as_it_was(query, previous, states, W, mask):
    asked = torch.cat([query, previous], dim=1) @ W.T
    scores = asked[:, : states.shape[1]]
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return (weights.unsqueeze(1) @ states).squeeze(1), weights


@look.mistake(
    "weights_read_the_states",
    says="Every position gets the same score: you add up `asked` and leave the states out.",
)
def the_same_for_all(query, previous, states, W, mask):
    asked = torch.cat([query, previous], dim=1) @ W.T
    scores = asked.sum(dim=1, keepdim=True).expand(-1, states.shape[1])
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return (weights.unsqueeze(1) @ states).squeeze(1), weights


@look.mistake(
    "weights_follow_the_states",
    says="Half a repair: you add something of the states to the old scores. The old part still "
    "belongs to the position, not to the word.",
)
def added_to_the_old_scores(query, previous, states, W, mask):
    asked = torch.cat([query, previous], dim=1) @ W.T
    scores = asked[:, : states.shape[1]] + (asked.unsqueeze(1) * states).sum(dim=2)
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)
    return (weights.unsqueeze(1) @ states).squeeze(1), weights


@look.mistake("padding_is_not_looked_at")
def without_the_mask(query, previous, states, W, mask):
    return look.answer(query, previous, states, W, torch.ones_like(mask))


@look.mistake(
    "padding_is_not_looked_at",
    says="Your mask looks inverted: True is a *word*, and words may be looked at.",
)
def mask_inverted(query, previous, states, W, mask):
    scores = ((torch.cat([query, previous], dim=1) @ W.T).unsqueeze(1) * states).sum(dim=2)
    weights = scores.masked_fill(mask, -1e9).softmax(dim=1)
    return (weights.unsqueeze(1) @ states).squeeze(1), weights


@look.mistake("both_questions_count", says="The previous word is forgotten.")
def query_only(query, previous, states, W, mask):
    return look.answer(query, torch.zeros_like(previous), states, W, mask)


@look.mistake("both_questions_count", says="The query, the decoder's own state, is forgotten.")
def previous_word_only(query, previous, states, W, mask):
    return look.answer(torch.zeros_like(query), previous, states, W, mask)


@look.mistake(
    "every_weight_and_context",
    says="Query and previous word are joined the other way round than W expects.",
)
def joined_the_other_way(query, previous, states, W, mask):
    return look.answer(previous, query, states, W, mask)


@look.mistake(
    "every_weight_and_context", says="You divide by √D. The score here is the dot product itself."
)
def scaled_by_the_width(query, previous, states, W, mask):
    return look.answer(query, previous, states, W / math.sqrt(len(W)), mask)


@look.mistake(
    "every_weight_and_context",
    says="You use W transposed. A *row* of W belongs to one number of `asked`.",
)
def transposed(query, previous, states, W, mask):
    square = W.shape[0] == W.shape[1]
    return look.answer(query, previous, states, W.T if square else W, mask)


@look.alternative
def state_by_state(query, previous, states, W, mask):
    Wq, Wp = W.split([query.shape[1], previous.shape[1]], dim=1)
    asked = query @ Wq.T + previous @ Wp.T
    scores = torch.stack([torch.linalg.vecdot(asked, state) for state in states.unbind(1)], dim=1)
    exponentials = (scores - scores.amax(1, keepdim=True)).exp() * mask
    weights = exponentials / exponentials.sum(1, keepdim=True)
    return torch.einsum("bs,bsd->bd", weights, states), weights


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
    "each_query_has_one_unit",
    says="The mask is right now. The softmax runs over the target, where a column of padding is "
    "−∞ throughout: 0/0.",
)
def only_the_mask_with_infinity(scores, source_mask):
    return scores.masked_fill(~source_mask[:, None, :], -torch.inf).softmax(dim=1)


@source_weights.mistake(
    "each_query_has_one_unit", says="The softmax runs over the *batch*: sentences share a unit."
)
def over_the_batch(scores, source_mask):
    return scores.masked_fill(~source_mask[:, None, :], -1e9).softmax(dim=0)


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


@source_weights.mistake("padding_has_no_weight", says="The mask is not used any more.")
def no_mask_at_all(scores, source_mask):
    return scores.softmax(dim=-1)


@source_weights.mistake(
    "the_words_keep_their_weights",
    says="You give every word the same weight. The scores decide how much each gets.",
)
def uniform(scores, source_mask):
    return source_weights.answer(torch.zeros_like(scores), source_mask)


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


@source_weights.alternative
def sentence_by_sentence(scores, source_mask):
    weights = torch.zeros_like(scores)
    for b, words in enumerate(source_mask.sum(dim=1).tolist()):
        weights[b, :, :words] = scores[b, :, :words].softmax(dim=1)
    return weights


# --- 4.7 AttentionStep ----------------------------------------------------------------------------


@exercise(
    hints=(
        "The order is: ask, weigh, read, write. Which state can ask before the word is written?",
        "`self.query(hidden)` is (B, D), `self.key(states)` is (B, S, D). An axis of length 1 in "
        "the first lets them meet; `self.energy` of the tanh is (B, S, 1).",
        "The context is the weighted sum of the *states*. The cell takes `torch.cat([embedded, "
        "context], dim=-1)` and the old state.",
    )
)
class AttentionStep(nn.Module):
    """One decoder step: look at the source, then update the state.

    Bahdanau et al. (2015), appendix A.1.2, with the GRU cell of torch.
    """

    def __init__(self, embedding: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)  # W
        self.key = nn.Linear(width, width, bias=False)  # U
        self.energy = nn.Linear(width, 1, bias=False)  # v
        self.cell = nn.GRUCell(embedding + width, width)  # reads [embedded; context]

    def forward(
        self, embedded: Tensor, hidden: Tensor, states: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, E), (B, D), (B, S, D), (B, S) -> next hidden (B, D), weights (B, S).

        hidden: the state before the word; mask: True = a word.
        """
        mixed = torch.tanh(self.query(hidden).unsqueeze(1) + self.key(states))  # (B, S, D)
        scores = self.energy(mixed).squeeze(-1)  # (B, S)
        weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)  # (B, S)
        context = (weights.unsqueeze(1) @ states).squeeze(1)  # (B, D)
        return self.cell(torch.cat([embedded, context], dim=-1), hidden), weights


def _step(answer, embedding=8):
    """A step with weights of its own, and its arguments: embedded, hidden, states, mask.

    The word is as wide as the state by default, so that a mix-up raises nothing.
    """
    step = answer(embedding, 8)
    with torch.no_grad():  # larger than at random, so that the weights are far from uniform
        for parameter in step.parameters():
            parameter.mul_(3.0)
    mask = torch.arange(6) < torch.tensor([[6], [3], [5]])
    return step, (torch.randn(3, embedding), torch.randn(3, 8), torch.randn(3, 6, 8), mask)


@AttentionStep.case
def next_state_and_weights(answer):
    step, given = _step(answer)
    hidden, weights = pair(step(*given), "the next state", "the weights")
    expect_tensor(hidden, (3, 8), what="the next state")
    expect_tensor(weights, (3, 6), what="the tensor of weights")


@AttentionStep.case
def layers_keep_their_names(answer):
    ours = {name: tuple(w.shape) for name, w in AttentionStep.answer(5, 7).named_parameters()}
    yours = {name: tuple(w.shape) for name, w in answer(5, 7).named_parameters()}
    missing, extra = sorted(ours.keys() - yours.keys()), sorted(yours.keys() - ours.keys())
    named = f" Missing: {', '.join(missing) or 'none'}. Not known: {', '.join(extra) or 'none'}."
    expect(not missing and not extra, "The parameters have other names." + named, list(yours))
    other = [name for name in ours if ours[name] != yours[name]]
    expect(not other, f"These parameters have other shapes: {', '.join(other)}.", list(yours))


@AttentionStep.case
def weights_are_shared_out_over_the_words(answer):
    step, given = _step(answer)
    _, weights = step(*given)
    off = (weights.sum(dim=-1) - 1).abs().max().item()
    expect(off < 1e-4, f"The weights of a sentence sum to 1; yours are off by {off:.2g}.", weights)
    most = weights.masked_fill(given[3], 0.0).max().item()
    expect(most == 0, f"Padding gets a weight of {most:.2g}.", weights)


@AttentionStep.case
def weights_read_query_and_states(answer):
    step, (embedded, hidden, states, mask) = _step(answer)
    _, weights = step(embedded, hidden, states, mask)
    for what, changed in (
        ("Other encoder states", (hidden, torch.randn_like(states))),
        ("Another state of the decoder", (torch.randn_like(hidden), states)),
    ):
        change = (step(embedded, *changed, mask)[1] - weights).abs().max().item()
        message = f"{what}, the same weights: your scores do not read both."
        expect(change > 1e-4, message, weights)


@AttentionStep.case
def the_state_before_the_word_asks(answer):
    step, (embedded, hidden, states, mask) = _step(answer)
    _, weights = step(embedded, hidden, states, mask)
    _, others = step(torch.randn_like(embedded), hidden, states, mask)
    change = (weights - others).abs().max().item()
    message = (
        "The state before the word cannot know the word that is read now, but your weights change "
        f"with `embedded`, by up to {change:.2g}."
    )
    expect(change < 1e-5, message, weights)


@AttentionStep.case
def the_context_enters_the_state(answer):
    step, (embedded, hidden, states, mask) = _step(answer)
    after, _ = step(embedded, hidden, states, mask)
    change = (step(embedded, hidden, torch.randn_like(states), mask)[0] - after).abs().max().item()
    message = "Other encoder states, the same next state: what you looked at is not read."
    expect(change > 1e-4, message, after)


@AttentionStep.case
def the_same_numbers(answer):
    for embedding in (8, 5):
        step, given = _step(answer, embedding)
        ours = AttentionStep.answer(embedding, 8)
        ours.load_state_dict(step.state_dict())
        expected_hidden, expected = ours(*given)
        hidden, weights = step(*given)
        expect_close(weights, expected, "the tensor of weights")
        expect_close(hidden, expected_hidden, "the next state")


class StepInParts(nn.Module):
    """The same step in parts, so that each mistake below changes one of them."""

    def __init__(self, embedding, width):
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)
        self.cell = nn.GRUCell(embedding + width, width)

    def scores(self, hidden, states):
        asked = self.query(hidden)[:, None].expand_as(states)
        return torch.tanh(asked + self.key(states)) @ self.energy.weight[0]

    def weigh(self, scores, mask):
        return scores.masked_fill(~mask, -torch.inf).softmax(-1)

    def context(self, weights, states):
        return torch.einsum("bs,bsd->bd", weights, states)

    def write(self, embedded, context, hidden):
        return self.cell(torch.cat([embedded, context], dim=1), hidden)

    def forward(self, embedded, hidden, states, mask):
        weights = self.weigh(self.scores(hidden, states), mask)
        return self.write(embedded, self.context(weights, states), hidden), weights


AttentionStep.alternative(StepInParts)


@AttentionStep.mistake("next_state_and_weights", says="You return the weights first.")
class WeightsFirst(StepInParts):
    def forward(self, embedded, hidden, states, mask):
        hidden, weights = super().forward(embedded, hidden, states, mask)
        return weights, hidden


@AttentionStep.mistake("next_state_and_weights", says="The weights keep an axis of length 1.")
class WeightsKeepAnAxis(StepInParts):
    def forward(self, embedded, hidden, states, mask):
        hidden, weights = super().forward(embedded, hidden, states, mask)
        return hidden, weights.unsqueeze(1)


@AttentionStep.mistake("layers_keep_their_names")
class OtherNames(nn.Module):
    def __init__(self, embedding, width):
        super().__init__()
        self.step = StepInParts(embedding, width)

    def forward(self, *given):
        return self.step(*given)


@AttentionStep.mistake(
    "layers_keep_their_names", says="The linear maps of this score have no bias."
)
class WithBiases(StepInParts):
    def __init__(self, embedding, width):
        super().__init__(embedding, width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)


@AttentionStep.mistake("weights_are_shared_out_over_the_words", says="The mask is not used.")
class NoMask(StepInParts):
    def weigh(self, scores, mask):
        return scores.softmax(dim=-1)


@AttentionStep.mistake(
    "weights_are_shared_out_over_the_words",
    says="Your mask looks inverted: the words are hidden, the padding is looked at.",
)
class Inverted(StepInParts):
    def weigh(self, scores, mask):
        return scores.masked_fill(mask, -1e9).softmax(dim=-1)


@AttentionStep.mistake(
    "weights_are_shared_out_over_the_words",
    says="You remove the padding after the softmax, and its share is missing.",
)
class MaskedTooLate(StepInParts):
    def weigh(self, scores, mask):
        return scores.softmax(dim=-1) * mask


@AttentionStep.mistake(
    "weights_are_shared_out_over_the_words",
    says="Your softmax runs over the *sentences* of the batch: axis 0 is B here.",
)
class OverTheBatch(StepInParts):
    def weigh(self, scores, mask):
        return scores.masked_fill(~mask, -1e9).softmax(dim=0)


@AttentionStep.mistake(
    "weights_read_query_and_states",
    says="Your scores never read the encoder's states. This is the bug of Exercise 4.5.",
)
class NeverReadsTheStates(StepInParts):
    def scores(self, hidden, states):
        return super().scores(hidden, torch.zeros_like(states))


@AttentionStep.mistake(
    "weights_read_query_and_states",
    says="Your scores never read the state of the decoder, so every word looks at the same place.",
)
class NeverReadsTheQuery(StepInParts):
    def scores(self, hidden, states):
        return super().scores(torch.zeros_like(hidden), states)


@AttentionStep.mistake(
    "weights_read_query_and_states",
    says="The tanh is missing. The score then is a sum of two parts, and the softmax cancels the "
    "part of the query.",
)
class NoTanh(StepInParts):
    def scores(self, hidden, states):
        return self.energy(self.query(hidden)[:, None] + self.key(states)).squeeze(-1)


@AttentionStep.mistake(
    "the_state_before_the_word_asks",
    says="You run the cell first and ask with the state after the word, as Luong et al. (2015) do. "
    "Here the state before the word asks.",
)
class StateAfterAsks(StepInParts):
    def forward(self, embedded, hidden, states, mask):
        after = self.write(embedded, torch.zeros_like(hidden), hidden)
        weights = self.weigh(self.scores(after, states), mask)
        return self.write(embedded, self.context(weights, states), hidden), weights


@AttentionStep.mistake(
    "the_state_before_the_word_asks",
    says="The weights that you return are those of the *next* step: they are computed once more, "
    "with the new state.",
)
class WeightsOfTheNextStep(StepInParts):
    def forward(self, embedded, hidden, states, mask):
        hidden, _ = super().forward(embedded, hidden, states, mask)
        return hidden, self.weigh(self.scores(hidden, states), mask)


@AttentionStep.mistake(
    "the_context_enters_the_state",
    says="The cell gets the old state twice and the context never. The widths happen to fit.",
)
class HiddenInsteadOfContext(StepInParts):
    def write(self, embedded, context, hidden):
        return super().write(embedded, hidden, hidden)


@AttentionStep.mistake(
    "the_same_numbers",
    says="The cell reads [embedded; context]. You join them the other way round, and the widths "
    "fit all the same.",
)
class JoinedTheOtherWay(StepInParts):
    def write(self, embedded, context, hidden):
        return self.cell(torch.cat([context, embedded], dim=1), hidden)


@AttentionStep.mistake(
    "the_same_numbers",
    says="Your context is a mean of the *keys*, U h. Values are what is read: the states.",
)
class ContextOfTheKeys(StepInParts):
    def context(self, weights, states):
        return super().context(weights, self.key(states))


@AttentionStep.mistake(
    "the_same_numbers",
    says="You read the last state, whatever the weights say. That is the fixed vector again.",
)
class LastState(StepInParts):
    def context(self, weights, states):
        return states[:, -1]


@AttentionStep.mistake(
    "the_same_numbers",
    says="The cell starts from zeros at every step: it is not given the old state.",
)
class ForgetsItsState(StepInParts):
    def write(self, embedded, context, hidden):
        return super().write(embedded, context, torch.zeros_like(hidden))


@AttentionStep.mistake(
    "the_same_numbers", says="Query and key are exchanged: W reads the decoder, U the encoder."
)
class QueryAndKeyExchanged(StepInParts):
    def scores(self, hidden, states):
        mixed = torch.tanh(self.key(hidden)[:, None] + self.query(states))
        return self.energy(mixed).squeeze(-1)
