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


@pytest.fixture(params=CELLS)
def kind(request):
    torch.manual_seed(0)
    return request.param


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def test_one_step_equals_torch_in_values_and_gradients(kind):
    ours, theirs, _ = CELLS[kind]
    mine, other = ours(5, 7), theirs(5, 7)
    mine.load_state_dict(other.state_dict())
    results = []
    for cell in (mine, other):
        torch.manual_seed(1)
        inputs, before, memory = (torch.randn(3, n, requires_grad=True) for n in (5, 7, 7))
        given = [before, memory] if kind == "lstm" else [before]
        after = parts(cell(inputs, tuple(given) if kind == "lstm" else before))
        loss = sum((part * torch.randn(3, 7)).sum() for part in after)
        results.append((after, torch.autograd.grad(loss, [inputs, *given, *cell.parameters()])))
    torch.testing.assert_close(*results)


def test_unrolled_cell_equals_the_torch_layer_also_in_two_parts(kind):
    ours, _, layer = CELLS[kind]
    sequence, cell = layer(5, 7, batch_first=True), ours(5, 7)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in sequence.state_dict().items()})
    inputs = torch.randn(3, 11, 5)
    states, last = unroll(cell, inputs)
    expected, expected_last = sequence(inputs)
    torch.testing.assert_close(states, expected)
    torch.testing.assert_close(parts(last), tuple(part[0] for part in parts(expected_last)))
    gradients = [
        torch.autograd.grad(out.square().sum(), list(module.parameters()))
        for out, module in ((states, cell), (expected, sequence))
    ]
    torch.testing.assert_close(*gradients)
    first, state = unroll(cell, inputs[:, :4])
    second, end = unroll(cell, inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), states)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 5), (3, 5, 5)])
def test_a_wrong_input_shape_is_named(kind, shape):
    with pytest.raises(ValueError, match=r"expects inputs of shape \(B, 5\), got \(3"):
        CELLS[kind][0](5, 7)(torch.zeros(shape))


def test_torch_s_own_start_is_uniform_within_the_root_of_the_width(kind):
    for parameter in CELLS[kind][0](80, 100).parameters():
        assert 0.08 < parameter.abs().max() <= 0.1
        assert parameter.mean().abs() < 0.02


@pytest.mark.parametrize("which", [0, 2])
def test_init_recurrent_is_orthogonal_with_an_open_forget_gate(kind, which):
    module = CELLS[kind][which](50, 60)
    init_recurrent_(module)
    named = {k.removesuffix("_l0"): v for k, v in module.named_parameters()}
    for block in named["weight_hh"].split(60):
        torch.testing.assert_close(block @ block.T, torch.eye(60), atol=1e-5, rtol=0)
    bound = (6 / (50 + 60)) ** 0.5
    assert 0.97 * bound < named["weight_ih"].abs().max() <= bound
    forget = torch.zeros_like(named["bias_ih"])
    if kind == "lstm":
        forget[60:120] = 1
    assert torch.equal(named["bias_ih"], forget) and named["bias_hh"].abs().sum() == 0


def test_open_forget_gate_sets_its_total_bias_and_refuses_other_cells():
    layer = nn.LSTM(5, 6)
    before = layer.bias_ih_l0[:6].clone()
    open_forget_gate_(layer, 5.0)
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[6:12].tolist() == [5.0] * 6
    assert torch.equal(layer.bias_ih_l0[:6], before)
    with pytest.raises(ValueError, match="no forget gate"):
        open_forget_gate_(nn.GRU(5, 6))
