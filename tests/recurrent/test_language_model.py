"""The recurrent language model: what state, gradient and vocabulary promise."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_lib.recurrent.language_model import (
    RNNLanguageModel,
    RNNLanguageModelConfig,
    detach,
    parameter_count,
)

CELLS = ("rnn", "gru", "lstm")


def build(vocabulary=20, **changes) -> RNNLanguageModel:
    torch.manual_seed(0)
    return RNNLanguageModel(RNNLanguageModelConfig(vocabulary, **({"width": 16} | changes)))


@pytest.fixture(params=CELLS)
def model(request):
    return build(cell=request.param)


def tokens(rows=3, length=9):
    return torch.randint(4, 20, (rows, length), generator=torch.Generator().manual_seed(1))


def test_a_later_token_leaves_earlier_predictions_unchanged(model):
    read, changed = tokens(), tokens()
    changed[:, 5] = (changed[:, 5] - 3) % 16 + 4
    before, after = model(read)[0], model(changed)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_reading_in_pieces_or_step_by_step_equals_reading_at_once(model):
    read = tokens()
    whole, last = model(read)
    first, state = model(read[:, :4])
    second, end = model(read[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, last)
    state = model.init_state(read[:, :0])
    for position in range(9):
        log_probs, state = model.step(read[:, position], state)
        torch.testing.assert_close(log_probs, whole[:, position].log_softmax(-1))
    warm, _ = model.step(read[:, 4], model.init_state(read[:, :4]))
    torch.testing.assert_close(warm, whole[:, 4].log_softmax(-1))


def test_reorder_moves_whole_rows(model):
    read, index = tokens(), torch.tensor([2, 0, 0])
    state = model.init_state(read[:, :5])
    moved, _ = model.step(read[index, 5], model.reorder(state, index))
    straight, _ = model.step(read[:, 5], state)
    torch.testing.assert_close(moved, straight[index])
    assert model.reorder(None, index) is None


def test_detach_keeps_values_and_cuts_the_gradient(model):
    read = tokens()
    _, state = model(read[:, :4])
    cut = detach(state)
    torch.testing.assert_close(cut, state)
    parts = cut if isinstance(cut, tuple) else (cut,)
    assert not any(part.requires_grad for part in parts)
    for _ in range(2):  # the first graph is not needed again
        model(read[:, 4:], detach(cut))[0].sum().backward()
    assert detach(None) is None


def test_overfits_one_batch(model):
    read = tokens(4, 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        logits, _ = model(read[:, :-1])
        loss = cross_entropy(logits.transpose(1, 2), read[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.5:
            break
    assert loss.item() < 0.5, "uniform guessing has a loss of 3.0"


def test_dropout_acts_on_the_embedding_and_on_the_last_state():
    model = build(dropout=0.5)
    torch.manual_seed(0)
    states, _ = model.states(tokens())
    drop = torch.nn.functional.dropout  # the same draws, in the same order
    torch.manual_seed(0)
    dropped = drop(model.embedding(tokens()), 0.5)
    torch.testing.assert_close(states, model.rnn(dropped)[0])
    torch.manual_seed(0)
    drop(model.embedding(tokens()), 0.5)
    expected = model.output(drop(states, 0.5))
    torch.manual_seed(0)
    torch.testing.assert_close(model(tokens())[0], expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
def test_counted_parameters_are_the_real_ones(cell, tied):
    model = build(50, width=12, cell=cell, layers=2, tied=tied)
    assert parameter_count(model.config) == sum(p.numel() for p in model.parameters())
    assert (model.output.weight is model.embedding.weight) == tied


@pytest.mark.parametrize("cell", CELLS)
def test_no_other_width_matches_better(cell):
    gru = parameter_count(RNNLanguageModelConfig(1000, 24, "gru"))
    matched = RNNLanguageModelConfig.matched(1000, cell, gru_width=24)
    off = [abs(parameter_count(RNNLanguageModelConfig(1000, w, cell)) - gru) for w in range(1, 99)]
    assert abs(parameter_count(matched) - gru) == min(off)
    assert matched.cell == cell and (matched.width == 24) == (cell == "gru")


@pytest.mark.parametrize("tied", [False, True])
def test_first_weights(tied):
    model = build(500, width=64, cell="lstm", tied=tied)
    assert 0.099 < model.output.weight.max() <= 0.1 and -0.1 <= model.output.weight.min() < -0.099
    assert tied or model.embedding.weight.std().item() == pytest.approx(1, abs=0.02)
    assert model.output.bias.abs().max() == 0
    assert torch.equal(model.rnn.bias_ih_l0[64:128], torch.ones(64))


@pytest.mark.parametrize("wrong", [20, -1])
def test_a_wrong_token_id_is_named_with_the_valid_range(model, wrong):
    with pytest.raises(ValueError, match=rf"id {wrong}; the model knows ids 0 to 19"):
        model(torch.tensor([[4, wrong, 5]]))


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"layers": 0}, {"cell": "elman"}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_config_refuses(wrong):
    with pytest.raises(ValueError, match="must be"):
        RNNLanguageModelConfig(20, **wrong)


def test_presets():
    plain = RNNLanguageModelConfig(9, 128, "gru", 1, 0.0, False)
    assert len({RNNLanguageModelConfig(9), plain}) == 1  # frozen, so it can stand in a set
    assert RNNLanguageModelConfig.tiny(9, "rnn") == RNNLanguageModelConfig(9, 16, "rnn")
