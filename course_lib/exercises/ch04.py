"""Exercises of chapter 04: scores, weights with a mask, alignment, attention inside a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.exercises.engine.core import exercise, expect, expect_close, say

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


@dot_scores.same_as_answer("the tensor of scores", grad=True)
def a_batch_of_sentences():
    yield torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    yield torch.randn(1, 1, 2), torch.randn(1, 2, 2)


@dot_scores.same_as_answer("the tensor of scores")
def any_number_of_leading_axes():
    yield torch.randn(3, 4), torch.randn(5, 4)
    yield torch.randn(2, 4, 3, 4), torch.randn(2, 4, 4, 4)  # (B, H, T, K), (B, H, S, K)


dot_scores.mistake(
    "a_batch_of_sentences",
    "You divide by √K. That is the scaled dot product; here we want the dot.",
    "transpose(-2, -1) -> transpose(-2, -1) / queries.shape[-1] ** 0.5",
)
dot_scores.mistake(
    "a_batch_of_sentences",
    "You reshape the keys where they must be transposed. The shape comes out right, and the "
    "numbers of different keys are mixed.",
    "keys.transpose(-2, -1) -> keys.reshape(*keys.shape[:-2], keys.shape[-1], keys.shape[-2])",
)
dot_scores.mistake(
    "any_number_of_leading_axes",
    "You exchange the second and third axis. With heads in front, or without a batch, these are "
    "other axes. Count from the end.",
    "transpose(-2, -1) -> transpose(1, 2)",
)

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


def _additive(query: int, key: int, width: int, asked: int = 3) -> tuple[Tensor, ...]:
    sizes = ((asked, query), (5, key), (width, query), (width, key), (width,))
    return tuple(torch.randn(size) for size in sizes)


@additive_scores.same_as_answer("the tensor of scores", grad=True)
def equal_widths():
    yield _additive(4, 4, 4)  # a wrong axis raises nothing here


@additive_scores.same_as_answer("the tensor of scores where Q, K and A differ")
def different_widths():
    yield _additive(6, 2, 7)
    yield _additive(2, 5, 3, 5)
    yield _additive(3, 2, 4, 1)


additive_scores.mistake(
    "equal_widths",
    "The tanh is missing. Without it the score is a part of the query plus a part of the key, and "
    "the softmax over the keys cancels the first.",
    "torch.tanh(asked + offered) -> (asked + offered)",
)
additive_scores.mistake(
    "equal_widths",
    "The tanh stands after `v`. Then it squeezes the finished score, which can no longer exceed 1, "
    "and what is inside is linear.",
    "torch.tanh(asked + offered) @ v -> torch.tanh((asked + offered) @ v)",
)
additive_scores.mistake(
    "equal_widths",
    "You use the matrices transposed. In W of shape (A, Q) a *row* belongs to a unit. With equal "
    "widths both ways fit, and only the numbers tell.",
    "queries @ W.T -> queries @ W ;; keys @ U.T -> keys @ U",
)

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


def _attention(queries: int = 3, length: int = 5, *, empty: bool = False, times: float = 1.0):
    """Scores, values and a mask that forbids something in every row, or all in some."""
    mask = torch.rand(2, queries, length) < 0.6
    mask[..., 1], mask[..., -1] = True, False
    mask[:, 0, 0] = False
    if empty:
        mask[0, 1] = mask[1, 0] = False
    return times * torch.randn(mask.shape), torch.randn(2, length, 4), mask


@attend.same_as_answer("your result")
def masked_softmax_over_the_source():
    yield _attention()
    yield _attention(4, 4)


@attend.same_as_answer("your result at scores of a few hundred")
def large_scores():
    yield _attention(times=200.0)
    scores, values, mask = _attention()
    yield scores - 500, values, mask


@attend.same_as_answer("your result beside a query that may look nowhere")
def nothing_to_look_at():
    yield _attention(empty=True)


@attend.same_as_answer("your result beside a query that may look nowhere", grad=True)
def gradients_are_numbers():
    yield _attention(2, 6, empty=True)


attend.mistake(
    "masked_softmax_over_the_source",
    "Your weights sum to 1 over the *queries*. Attention normalizes over the *keys*: the source "
    "positions share one unit for each query.",
    lambda scores, values, mask: _by_weights(
        scores.masked_fill(~mask, -torch.inf).softmax(dim=1).nan_to_num(0.0), values
    ),
)
attend.mistake(
    "masked_softmax_over_the_source",
    "Your mask looks inverted: only the forbidden places have weight. True means *may look*, and "
    "`masked_fill` fills where it is given True.",
    "somewhere = mask.any -> mask = ~mask; somewhere = mask.any",
)
attend.mistake(
    "masked_softmax_over_the_source",
    "You remove the forbidden places *after* the softmax. What they had is then missing.",
    lambda scores, values, mask: _by_weights(scores.softmax(dim=-1) * mask, values),
)
attend.mistake(
    "nothing_to_look_at",
    "A row of equal scores has *uniform* weights, also where every score is −10⁹: the query looks "
    "everywhere it must not, and no NaN gives it away.",
    lambda scores, values, mask: _by_weights(
        scores.masked_fill(~mask, -1e9).softmax(dim=-1), values
    ),
)


def _by_weights(weights: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    return weights @ values, weights


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


@alignment_error_rate.same_as_answer("the error rate")
def of_one_sentence():
    diagonal = {(0, 0), (1, 1), (2, 2)}
    yield [diagonal], [diagonal]
    yield [{(0, 2), (1, 3), (3, 4)}], [{(0, 0), (1, 1)}]
    yield [{(0, 0), (1, 1), (0, 1), (1, 2)}], [diagonal]
    yield [{(0, 0), (2, 1), (3, 2), (3, 3)}], [{(0, 0), (2, 1), (3, 2), (1, 3)}]


@alignment_error_rate.same_as_answer("the error rate")
def every_link_counts_the_same_in_its_sentence():
    long = {(i, i) for i in range(9)}
    yield [long, {(0, 1)}], [long, {(0, 0)}]
    yield [{(1, 2), (3, 0)}], [{(2, 1), (3, 0)}]
    yield [{(0, 0), (1, 1)}, {(0, 1), (1, 0)}], [{(0, 1), (1, 0)}, {(0, 0), (1, 1)}]
    yield [{(0, 0)}, long, {(1, 0)}], [{(0, 0)}, {(0, 0), (8, 8)}, {(1, 0), (2, 0)}]


@alignment_error_rate.same_as_answer("the error rate where one sentence got no link")
def a_sentence_without_links():
    yield [set(), {(0, 0), (1, 1)}], [{(0, 0)}, {(0, 0), (1, 1)}]


alignment_error_rate.mistake(
    "of_one_sentence",
    "1 is the best here: you return the F-score, not the error rate.",
    "1 - 2 * -> 2 *",
)
alignment_error_rate.mistake(
    "of_one_sentence",
    "The factor 2 is missing: a right link stands in *both* of the sets that you divide by.",
    "1 - 2 * right -> 1 - right",
)
alignment_error_rate.mistake(
    "of_one_sentence",
    "You divide by the size of the union. That is the Jaccard distance, which is larger.",
    "1 - 2 * right / total -> 1 - right / sum(len(a | g) for a, g in zip(links, gold))",
)
alignment_error_rate.mistake(
    "every_link_counts_the_same_in_its_sentence",
    "You average the error rates of the sentences, so the one link of a short sentence weighs as "
    "much as the nine of a long one. Add up the links first.",
    lambda links, gold: (
        sum(1 - 2 * len(a & g) / (len(a) + len(g)) for a, g in zip(links, gold, strict=True))
        / len(gold)
    ),
)

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


def _look(query=4, previous=4, width=8, length=5, sentences=3) -> tuple[Tensor, ...]:
    """Query, previous, states, W, and a mask that hides the end of all but the first sentence."""
    lengths = length - torch.arange(sentences)[:, None].clamp(max=length - 1)
    return (
        torch.randn(sentences, query),
        torch.randn(sentences, previous),
        torch.randn(sentences, length, width),
        torch.randn(width, query + previous) / 2,
        torch.arange(length) < lengths,
    )


@look.case
def weights_follow_the_states(answer):
    query, previous, states, W, _ = _look()
    mask = torch.ones(3, 5, dtype=torch.bool)
    order = torch.tensor([2, 0, 1, 4, 3])
    results = [answer(query, previous, given, W, mask) for given in (states, states[:, order])]
    for found in results:
        kind = isinstance(found, (tuple, list)) and len(found) == 2
        expect(kind, "Return two tensors: the context and the weights.", found)
    weights, moved = (found[1] for found in results)
    off = (moved - weights[:, order]).abs().max().item()
    expect(
        off < 1e-4,
        say(
            "When states change places, their weights must go along; yours differ by up to "
            "{off:.2g}. Do your scores read the source?",
            off=off,
        ),
        weights,
    )


@look.same_as_answer("your result", grad=True)
def every_weight_and_context():
    yield _look()
    yield _look(5, 2, 3, 6)
    yield _look(2, 3, 4, 4, sentences=1)


look.mistake(
    "weights_follow_the_states",
    "This is the bug as it was. The scores come from the decoder alone, so position 3 gets its "
    "weight whatever word stands there.",
    "(asked.unsqueeze(1) * states).sum(dim=2) -> asked[:, : states.shape[1]]",
)
look.mistake(
    "every_weight_and_context",
    "The repair has lost the mask: padding is looked at.",
    ".masked_fill(~mask, -torch.inf) -> ",
)

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


def _padded(*lengths: int, targets: int, longest: int) -> tuple[Tensor, Tensor]:
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), targets, longest), mask


@source_weights.case
def each_query_has_one_unit(answer):
    weights = answer(*_padded(5, 2, 4, targets=3, longest=5))
    total = weights.sum(dim=-1)
    sums = say("Yours sum to between {low:.2f} and {high:.2f}.", low=total.min(), high=total.max())
    if total.isnan().any():
        sums = "Yours contain NaN."
    message = ("The weights of one query must sum to 1 over the source.", sums)
    expect((total - 1).abs().max() < 1e-4, message, weights)


@source_weights.same_as_answer("the tensor of weights", grad=True)
def words_only():
    yield _padded(5, 2, 4, targets=3, longest=5)  # B = T: a mask without its axis raises nothing
    yield _padded(1, 6, targets=4, longest=6)
    yield _padded(3, targets=1, longest=4)
    scores, mask = _padded(6, 5, targets=2, longest=6)
    yield scores + 200, mask.roll(1, dims=1)  # large scores, padding in front


source_weights.mistake(
    "each_query_has_one_unit",
    "The softmax still runs over the *target*: the queries compete for a word, instead of the "
    "words for a query.",
    "dim=-1 -> dim=1 ;; -torch.inf -> -1e9",
)
source_weights.mistake(
    "words_only",
    "The axis is right. The mask is still inverted: what is hidden are the words.",
    "~source_mask -> source_mask ;; -torch.inf -> -1e9",
)
source_weights.mistake(
    "words_only",
    "The mask (B, S) lies on the axes (T, S): every sentence is masked like all others, and target "
    "word 1 like sentence 1. It raises nothing where B = T. Give the mask its own axis.",
    "source_mask[:, None, :], -torch.inf -> source_mask, -1e9",
)
source_weights.mistake(
    "words_only",
    "You take the softmax of a softmax. The second makes all weights nearly equal.",
    "scores.softmax(dim=-1) -> scores.softmax(dim=-1).softmax(dim=-1)",
)

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


def _run(step_class, embedded: Tensor, hidden: Tensor, states: Tensor, mask: Tensor):
    """One step with weights larger than at random, so that attention is far from uniform."""
    torch.manual_seed(3)
    embedding, width = embedded.shape[1], hidden.shape[1]
    weights = AttentionStep.answer(embedding, width).state_dict()
    step = step_class(embedding, width)
    step.load_state_dict({name: 3.0 * tensor for name, tensor in weights.items()})
    step(*(one.flip(0) for one in (embedded, hidden, states, mask)))  # a step before, of others
    step.train(len(hidden) > 2)  # both modes are asked for: they must not differ
    return step(embedded, hidden, states, mask)


def _inputs(sentences: int, embedding: int, width: int, length: int) -> tuple[Tensor, ...]:
    lengths = length - 2 * torch.arange(sentences)[:, None] % length
    mask = torch.arange(length) < lengths
    sizes = ((sentences, embedding), (sentences, width), (sentences, length, width))
    return *(torch.randn(size) for size in sizes), mask


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@AttentionStep.case
def layers_keep_their_names(answer):
    ours = {name: tuple(w.shape) for name, w in AttentionStep.answer(5, 7).named_parameters()}
    yours = {name: tuple(w.shape) for name, w in answer(5, 7).named_parameters()}
    missing, extra = sorted(ours.keys() - yours.keys()), sorted(yours.keys() - ours.keys())
    message = (
        "The parameters have other names.",
        say("Missing: {names}.", names=_listed(missing)) if missing else "",
        say("Not known: {names}.", names=_listed(extra)) if extra else "",
    )
    expect(not missing and not extra, message, list(yours))
    other = [name for name in ours if ours[name] != yours[name]]
    shapes = say("These parameters have other shapes: {names}.", names=_listed(other))
    expect(not other, shapes, list(yours))


@AttentionStep.case
def the_state_before_the_word_asks(answer):
    torch.manual_seed(4)
    embedded, hidden, states, mask = _inputs(3, 8, 8, 6)
    results = [_run(answer, word, hidden, states, mask) for word in (embedded, torch.randn(3, 8))]
    for found in results:
        kind = isinstance(found, (tuple, list)) and len(found) == 2
        expect(kind, "Return two tensors: the next state and the weights.", found)
    change = (results[0][1] - results[1][1]).abs().max().item()
    expect_close(
        results[1][1],
        results[0][1],
        say(
            "the tensor of weights after another word (the state before it cannot know it; largest "
            "change {change:.2g})",
            change=change,
        ),
    )


@AttentionStep.same_as_answer("the tensor of weights", call=_run, see=lambda pair: pair[1])
def the_weights():
    yield _inputs(3, 8, 8, 6)  # the word is as wide as the state: a mix-up raises nothing
    yield _inputs(2, 5, 4, 7)
    yield _inputs(4, 5, 6, 1)  # one word in each source


@AttentionStep.same_as_answer("the next state", call=_run, see=lambda pair: pair[0], grad=True)
def the_next_state():
    yield _inputs(3, 8, 8, 6)
    yield _inputs(1, 5, 4, 7)


AttentionStep.mistake(
    "the_state_before_the_word_asks",
    "You run the cell first and ask with the state after the word, as Luong et al. (2015) do. Here "
    "the state before the word asks.",
    "self.query(hidden).unsqueeze(1) -> self.query(self.cell(torch.cat([embedded, 0 * hidden], "
    "dim=-1), hidden)).unsqueeze(1)",
)
AttentionStep.mistake(
    "the_weights",
    "The tanh is missing. The score then is a sum of two parts, and the softmax cancels the part "
    "of the query.",
    "mixed = torch.tanh -> mixed = ",
)
AttentionStep.mistake(
    "the_next_state",
    "The cell reads [embedded; context]. You join them the other way round, and the widths fit all "
    "the same.",
    "[embedded, context] -> [context, embedded]",
)
AttentionStep.mistake(
    "the_next_state",
    "Your context is a mean of the *keys*, U h. Values are what is read: the states.",
    "weights.unsqueeze(1) @ states -> weights.unsqueeze(1) @ self.key(states)",
)
