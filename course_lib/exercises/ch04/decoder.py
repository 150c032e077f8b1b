"""Exercises 4.5 and 4.7: attention inside the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.ch04.weights import pair
from course_lib.exercises.engine.core import exercise, expect, expect_close, expect_tensor

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


@look.mistake("both_questions_count", says="The previous word is forgotten.")
def query_only(query, previous, states, W, mask):
    return look.answer(query, torch.zeros_like(previous), states, W, mask)


@look.mistake(
    "every_weight_and_context",
    says="Query and previous word are joined the other way round than W expects.",
)
def joined_the_other_way(query, previous, states, W, mask):
    return look.answer(previous, query, states, W, mask)


@look.alternative
def state_by_state(query, previous, states, W, mask):
    Wq, Wp = W.split([query.shape[1], previous.shape[1]], dim=1)
    asked = query @ Wq.T + previous @ Wp.T
    scores = torch.stack([torch.linalg.vecdot(asked, state) for state in states.unbind(1)], dim=1)
    exponentials = (scores - scores.amax(1, keepdim=True)).exp() * mask
    weights = exponentials / exponentials.sum(1, keepdim=True)
    return torch.einsum("bs,bsd->bd", weights, states), weights


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


@AttentionStep.mistake(
    "layers_keep_their_names", says="The linear maps of this score have no bias."
)
class WithBiases(StepInParts):
    def __init__(self, embedding, width):
        super().__init__(embedding, width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)


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
    "weights_read_query_and_states",
    says="Your scores never read the encoder's states. This is the bug of Exercise 4.5.",
)
class NeverReadsTheStates(StepInParts):
    def scores(self, hidden, states):
        return super().scores(hidden, torch.zeros_like(states))


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
