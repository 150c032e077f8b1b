"""The recurrent language model: what state, gradient and vocabulary promise."""

import pytest
import torch

from course_lib.recurrent.language_model import (
    RNNLanguageModel,
    RNNLanguageModelConfig,
    detach,
    parameter_count,
)

CELLS = ("rnn", "gru", "lstm")


@pytest.fixture(params=CELLS)
def model(request):
    torch.manual_seed(0)
    return RNNLanguageModel(RNNLanguageModelConfig.tiny(20, request.param))


def tokens(rows=3, length=9):
    return torch.randint(4, 20, (rows, length), generator=torch.Generator().manual_seed(1))


def test_a_later_token_leaves_earlier_predictions_unchanged(model):
    read = tokens()
    changed = read.clone()
    changed[:, 5] = (changed[:, 5] - 3) % 16 + 4
    before, after = model(read)[0], model(changed)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_reading_in_pieces_equals_reading_at_once(model):
    read = tokens()
    whole, last = model(read)
    first, state = model(read[:, :4])
    second, end = model(read[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, last)


def test_step_follows_the_protocol(model):
    read = tokens()
    whole = model(read)[0].log_softmax(-1)
    state = model.init_state(read[:, :0])
    for position in range(read.shape[1]):
        log_probs, state = model.step(read[:, position], state)
        torch.testing.assert_close(log_probs, whole[:, position])
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3))
    warm, _ = model.step(read[:, 4], model.init_state(read[:, :4]))
    torch.testing.assert_close(warm, whole[:, 4])


def test_reorder_moves_whole_rows(model):
    read = tokens()
    index = torch.tensor([2, 0, 0])
    state = model.init_state(read[:, :5])
    moved, _ = model.step(read[index, 5], model.reorder(state, index))
    straight, _ = model.step(read[:, 5], state)
    torch.testing.assert_close(moved, straight[index])


def test_detach_keeps_values_and_cuts_the_gradient(model):
    read = tokens()
    _, state = model(read[:, :4])
    cut = detach(state)
    torch.testing.assert_close(cut, state)
    parts = cut if isinstance(cut, tuple) else (cut,)
    assert not any(part.requires_grad for part in parts)
    model(read[:, 4:], cut)[0].sum().backward()
    model.zero_grad()
    model(read[:, 4:], detach(cut))[0].sum().backward()  # the first graph is not needed again


def test_detach_of_no_state_is_no_state():
    assert detach(None) is None


def test_overfits_one_batch(model):
    read = tokens(4, 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        logits, _ = model(read[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), read[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5, "uniform guessing has a loss of 3.0"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
def test_counted_parameters_are_the_real_ones(cell, tied):
    config = RNNLanguageModelConfig(50, width=12, cell=cell, layers=2, tied=tied)
    real = sum(p.numel() for p in RNNLanguageModel(config).parameters())
    assert parameter_count(config) == real


@pytest.mark.parametrize("cell", CELLS)
def test_matched_sizes_are_within_two_percent(cell):
    gru = parameter_count(RNNLanguageModelConfig(1000, 96, "gru"))
    other = parameter_count(RNNLanguageModelConfig.matched(1000, cell, gru_width=96))
    assert abs(other - gru) / gru < 0.02


def test_tied_weights_are_one_tensor():
    model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8, tied=True))
    assert model.output.weight is model.embedding.weight


@pytest.mark.parametrize("wrong", [20, 99, -1])
def test_a_wrong_token_id_is_named_with_the_valid_range(model, wrong):
    read = tokens()
    read[1, 3] = wrong
    with pytest.raises(ValueError, match=rf"id {wrong}; the model knows ids 0 to 19"):
        model(read)


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"layers": 0}, {"cell": "elman"}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_config_refuses(wrong):
    with pytest.raises(ValueError, match="must be"):
        RNNLanguageModelConfig(20, **wrong)
