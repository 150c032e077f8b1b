"""Exercise 9.3: a recurrent network whose state-to-state weights are thinned out in training."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.engine.core import (
    exercise,
    expect,
    expect_close,
    expect_tensor,
    expect_unchanged,
)


@exercise(
    hints=(
        "The mask belongs to the matrix: it has the shape of `w_state`. When in the pass is it "
        "drawn, and how often?",
        "Make a *new*, thinned matrix before the loop and use it at every step. The raw one stays "
        "as it is: the optimizer owns it.",
        "Weights that are kept are divided by 1 - p. In evaluation, or with p = 0, the raw matrix "
        "is used.",
    )
)
def weight_dropped_rnn(
    x: Tensor, w_input: Tensor, w_state: Tensor, p: float, training: bool
) -> Tensor:
    """h_t = tanh(W x_t + U h_{t-1}) from h_0 = 0, with weights of U dropped in training.

    x (B, T, E), w_input W (D, E), w_state U (D, D) -> all states (B, T, D). In training each
    weight of U is dropped with probability p for the whole pass, the others are divided by 1 - p.
    """
    thinned = w_state
    if training and p > 0:
        thinned = w_state * (torch.rand(w_state.shape) >= p).float() / (1 - p)
    h, states = torch.zeros(x.shape[0], w_state.shape[0]), []
    for step in range(x.shape[1]):
        h = torch.tanh(x[:, step] @ w_input.T + h @ thinned.T)  # (B, D)
        states.append(h)
    return torch.stack(states, dim=1)  # (B, T, D)


def _network() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(3, 5, 2), 0.5 * torch.randn(6, 2), 0.5 * torch.randn(6, 6)


def _each_its_own() -> tuple[Tensor, Tensor, Tensor]:
    """A network in which each number of the state depends on itself only, with a steady input."""
    x = torch.full((4, 6, 1), 0.3)
    return x, torch.ones(40, 1), 0.5 * torch.eye(40)


@weight_dropped_rnn.case
def all_states(answer):
    expect_tensor(answer(*_network(), 0.5, True), (3, 5, 6))


@weight_dropped_rnn.case
def evaluation_is_the_plain_network(answer):
    network = _network()
    wanted = weight_dropped_rnn.answer(*network, 0.0, False)
    expect_close(answer(*network, 0.5, False), wanted, "the result in evaluation mode")
    expect_close(answer(*network, 0.0, True), wanted, "the result in training with p = 0")


@weight_dropped_rnn.case
def weights_are_not_changed_in_place(answer):
    x, w_input, w_state = _network()
    before = w_state.clone()
    answer(x, w_input, w_state, 0.5, True)
    expect_unchanged(w_state, before, "the matrix `w_state`")


@weight_dropped_rnn.case
def first_state_is_untouched(answer):
    network = _network()
    wanted = weight_dropped_rnn.answer(*network, 0.0, False)[:, 0]
    found = answer(*network, 0.5, True)
    expect_tensor(found, (3, 5, 6))
    expect_close(found[:, 0], wanted, "the first state in training (no weight of U acts on it)")


@weight_dropped_rnn.case
def same_weights_for_the_whole_batch(answer):
    states = answer(*_each_its_own(), 0.5, True)
    expect_tensor(states, (4, 6, 40))
    expect(
        torch.allclose(states, states[:1].expand_as(states), atol=1e-5),
        "Four equal sentences get different states, although one matrix reads them all.",
        states,
    )


@weight_dropped_rnn.case
def same_weights_at_every_step(answer):
    states = answer(*_each_its_own(), 0.5, True)[0]  # (T, D): each number is alone
    alone = torch.tanh(torch.tensor(0.3))
    dropped = (states[1:] - alone).abs() < 1e-5  # without its weight a number starts anew
    steady = (dropped == dropped[:1]).all()
    expect(steady, "A weight that is dropped at one step is back at another.", states)


@weight_dropped_rnn.case
def kept_weights_grow(answer):
    x, w_input, w_state = _each_its_own()
    second = answer(x, w_input, w_state, 0.5, True)[0, 1]  # (D,)
    first = torch.tanh(torch.tensor(0.3))
    right = [torch.tanh(0.3 + weight * first) for weight in (0.0, 1.0)]
    near = torch.stack([(second - one).abs() for one in right]).amin(0)
    expect(
        (near < 1e-4).all(),
        "With p = 0.5 a weight of 0.5 acts either as 0 or as 1. Some of yours act otherwise.",
        second,
    )
    share = ((second - right[0]).abs() < 1e-4).float().mean().item()
    expect(0.2 < share < 0.8, f"With p = 0.5, {share:.0%} of the weights are dropped.", second)


@weight_dropped_rnn.case
def single_weights_are_dropped(answer):
    x, w_input, w_state = torch.randn(3, 4, 2), torch.randn(8, 2), 0.3 * torch.randn(8, 8)
    w_state.requires_grad_(True)
    found = answer(x, w_input, w_state, 0.5, True)
    expect(
        found.requires_grad,
        "No gradient reaches `w_state`: it cannot learn. A `detach`, `.data` or `no_grad` cuts the "
        "thinned matrix off from the raw one.",
        found.requires_grad,
    )
    found.sum().backward()
    gone = w_state.grad == 0  # a dropped weight gets no gradient in this pass
    lines = [*gone.all(0).tolist(), *gone.all(1).tolist()]
    expect(
        gone.any() and not gone.all() and not any(lines),
        "A dropped weight has gradient 0. In yours the zeros are whole rows or columns, or there "
        "are none: single weights of the matrix should be dropped.",
        gone,
    )


@weight_dropped_rnn.mistake("all_states", says="You return the last state. All are asked for.")
def last_only(x, w_input, w_state, p, training):
    return weight_dropped_rnn.answer(x, w_input, w_state, p, training)[:, -1]


@weight_dropped_rnn.mistake(
    "evaluation_is_the_plain_network",
    says="You drop in evaluation too. Perplexity would be measured on a damaged network, and be "
    "another one each time.",
)
def also_in_evaluation(x, w_input, w_state, p, training):
    return weight_dropped_rnn.answer(x, w_input, w_state, p, True)


@weight_dropped_rnn.mistake(
    "weights_are_not_changed_in_place",
    says="You thin out the matrix itself. After some passes nothing is left of it.",
)
def in_place(x, w_input, w_state, p, training):
    if training:
        with torch.no_grad():
            w_state.mul_((torch.rand(w_state.shape) >= p).float() / (1 - p))
    return weight_dropped_rnn.answer(x, w_input, w_state, 0.0, False)


@weight_dropped_rnn.mistake(
    "first_state_is_untouched", says="You thin out W as well. Only the state-to-state weights go."
)
def both_matrices(x, w_input, w_state, p, training):
    if training:
        w_input = torch.nn.functional.dropout(w_input, p)
    return weight_dropped_rnn.answer(x, w_input, w_state, p, training)


@weight_dropped_rnn.mistake(
    "same_weights_for_the_whole_batch",
    says="You drop numbers of the state, sentence by sentence. DropConnect drops weights.",
)
def states_dropped(x, w_input, w_state, p, training):
    h, states = torch.zeros(x.shape[0], w_state.shape[0]), []
    for step in range(x.shape[1]):
        before = torch.nn.functional.dropout(h, p, training)
        h = torch.tanh(x[:, step] @ w_input.T + before @ w_state.T)
        states.append(h)
    return torch.stack(states, dim=1)


@weight_dropped_rnn.mistake(
    "same_weights_at_every_step",
    says="You draw a new mask at each step. One mask serves the whole pass.",
)
def anew_at_each_step(x, w_input, w_state, p, training):
    h, states = torch.zeros(x.shape[0], w_state.shape[0]), []
    for step in range(x.shape[1]):
        thinned = torch.nn.functional.dropout(w_state, p, training)
        h = torch.tanh(x[:, step] @ w_input.T + h @ thinned.T)
        states.append(h)
    return torch.stack(states, dim=1)


@weight_dropped_rnn.mistake(
    "kept_weights_grow", says="What is kept is not divided by 1 - p: in evaluation the states grow."
)
def not_scaled(x, w_input, w_state, p, training):
    if training:
        w_state = w_state * (torch.rand(w_state.shape) >= p).float()
    return weight_dropped_rnn.answer(x, w_input, w_state, 0.0, False)


@weight_dropped_rnn.mistake("single_weights_are_dropped")
def whole_columns(x, w_input, w_state, p, training):
    if training and p > 0:
        w_state = w_state * (torch.rand(w_state.shape[1]) >= p).float() / (1 - p)
    return weight_dropped_rnn.answer(x, w_input, w_state, 0.0, False)


@weight_dropped_rnn.mistake("single_weights_are_dropped")
def cut_off(x, w_input, w_state, p, training):
    return weight_dropped_rnn.answer(x, w_input, w_state.detach(), p, training)


@weight_dropped_rnn.alternative
def with_the_cell_of_torch(x, w_input, w_state, p, training):
    thinned = torch.nn.functional.dropout(w_state, p, training)
    h, states = x.new_zeros(x.shape[0], w_state.shape[0]), []
    for inputs in x.unbind(1):
        h = torch.rnn_tanh_cell(inputs, h, w_input, thinned)
        states.append(h)
    return torch.stack(states, 1)
