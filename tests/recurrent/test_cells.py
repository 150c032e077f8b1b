"""The cells by hand against torch.nn, in values and in gradients, and what a state promises."""

import pytest
import torch
from torch import nn

from course_lib.recurrent.cells import (
    GRUCell,
    LSTMCell,
    RNNCell,
    init_recurrent_,
    open_forget_gate_,
    unroll,
)

CELLS = {
    "rnn": (RNNCell, nn.RNNCell, nn.RNN),
    "gru": (GRUCell, nn.GRUCell, nn.GRU),
    "lstm": (LSTMCell, nn.LSTMCell, nn.LSTM),
}


def hidden(state):
    return state[0] if isinstance(state, tuple) else state


@pytest.fixture(params=sorted(CELLS))
def kind(request):
    torch.manual_seed(0)
    return request.param


def test_one_step_equals_torch_in_values_and_gradients(kind):
    ours, theirs, _ = CELLS[kind]
    mine, other = ours(5, 7), theirs(5, 7)
    mine.load_state_dict(other.state_dict())
    results = []
    for cell in (mine, other):
        torch.manual_seed(1)
        inputs = torch.randn(3, 5, requires_grad=True)
        before = torch.randn(3, 7, requires_grad=True)
        memory = torch.randn(3, 7, requires_grad=True)
        after = cell(inputs, (before, memory) if kind == "lstm" else before)
        outputs = after if kind == "lstm" else (after,)
        weights = [torch.randn(3, 7) for _ in outputs]
        loss = sum((o * w).sum() for o, w in zip(outputs, weights, strict=True))
        leaves = [inputs, before, *([memory] if kind == "lstm" else []), *cell.parameters()]
        results.append((outputs, torch.autograd.grad(loss, leaves)))
    torch.testing.assert_close(results[0], results[1])


def test_unrolled_cell_equals_the_torch_layer(kind):
    ours, _, layer = CELLS[kind]
    sequence = layer(5, 7, batch_first=True)
    cell = ours(5, 7)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in sequence.state_dict().items()})
    inputs = torch.randn(3, 11, 5)
    states, last = unroll(cell, inputs)
    expected, expected_last = sequence(inputs)
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(hidden(last), hidden(expected_last)[0])
    ours_grad = torch.autograd.grad(states.square().sum(), list(cell.parameters()))
    theirs_grad = torch.autograd.grad(expected.square().sum(), list(sequence.parameters()))
    torch.testing.assert_close(ours_grad, theirs_grad)


def test_gradient_check(kind):
    cell = CELLS[kind][0](2, 3).double()
    inputs = torch.randn(2, 4, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: unroll(cell, x)[0], (inputs,))


def test_reading_in_two_parts_equals_reading_at_once(kind):
    cell = CELLS[kind][0](5, 7)
    inputs = torch.randn(3, 10, 5)
    whole, last = unroll(cell, inputs)
    first, state = unroll(cell, inputs[:, :4])
    second, end = unroll(cell, inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, last)


def test_a_later_input_leaves_earlier_states_unchanged(kind):
    cell = CELLS[kind][0](5, 7)
    inputs = torch.randn(3, 10, 5)
    changed = inputs.clone()
    changed[:, 6] += 1
    before, after = unroll(cell, inputs)[0], unroll(cell, changed)[0]
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6], after[:, 6])
    assert not torch.allclose(before[:, 9], after[:, 9])


def test_lstm_keeps_its_memory_when_the_gates_say_so():
    cell = LSTMCell(2, 3)
    with torch.no_grad():
        cell.bias_ih.zero_()
        cell.bias_ih[0:3] = -50  # write nothing
        cell.bias_ih[3:6] = 50  # keep everything
    memory = torch.randn(1, 3)
    _, (_, end) = unroll(cell, torch.randn(1, 40, 2), (torch.zeros(1, 3), memory))
    torch.testing.assert_close(end, memory)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 5)])
def test_a_wrong_input_shape_is_named(kind, shape):
    with pytest.raises(ValueError, match=r"expects inputs of shape \(B, 5\), got \(3"):
        CELLS[kind][0](5, 7)(torch.zeros(shape))


@pytest.mark.parametrize("which", [0, 2])
def test_init_recurrent_is_orthogonal_with_an_open_forget_gate(kind, which):
    module = CELLS[kind][which](5, 6)
    init_recurrent_(module)
    named = {k.removesuffix("_l0"): v for k, v in module.named_parameters()}
    for block in named["weight_hh"].split(6):
        torch.testing.assert_close(block @ block.T, torch.eye(6), atol=1e-5, rtol=0)
    ones = named["bias_ih"].sum().item()
    assert ones == (6 if kind == "lstm" else 0)
    assert named["bias_hh"].abs().sum() == 0


def test_open_forget_gate_keeps_more_and_refuses_other_cells():
    torch.manual_seed(0)
    layer = nn.LSTM(5, 6, batch_first=True)
    inputs, start = torch.randn(1, 1, 5), (torch.zeros(1, 1, 6), torch.ones(1, 1, 6) * 10)
    kept = layer(inputs, start)[1][1].mean()
    open_forget_gate_(layer, 5.0)
    assert layer(inputs, start)[1][1].mean() > kept + 1
    with pytest.raises(ValueError, match="no forget gate"):
        open_forget_gate_(nn.GRU(5, 6))
