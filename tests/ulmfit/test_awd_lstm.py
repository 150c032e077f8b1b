"""The AWD-LSTM: without noise a plain LSTM, and each noise exactly what its name says."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from course_lib.recurrent.language_model import detach
from course_lib.ulmfit.model import (
    AWDConfig,
    AWDLanguageModel,
    Dropouts,
    VariationalDropout,
    WeightDropLSTM,
    drop_words,
)

V = 20
NO_NOISE = Dropouts().times(0)
NAMES = tuple(Dropouts.__dataclass_fields__)


def only(**places) -> Dropouts:
    return Dropouts(**(dict.fromkeys(NAMES, 0.0) | places))


def model(dropouts: Dropouts = NO_NOISE) -> AWDLanguageModel:
    torch.manual_seed(0)
    return AWDLanguageModel(AWDConfig.tiny(V, dropouts))


def tokens(rows=3, length=9):
    return torch.randint(4, V, (rows, length), generator=torch.Generator().manual_seed(1))


# --- without noise ------------------------------------------------------------------------------


class Plain(nn.Module):
    """The same network in bare torch.nn: embedding, a stack of LSTMs, the tied product."""

    def __init__(self, ours: AWDLanguageModel) -> None:
        super().__init__()
        sizes = ours.config.sizes()
        self.embedding = nn.Embedding(V, ours.config.embedding)
        self.layers = nn.ModuleList(nn.LSTM(*size, batch_first=True) for size in sizes)
        self.bias = nn.Parameter(torch.zeros(V))
        with torch.no_grad():
            for mine, given in zip(self.parameters(), in_order(ours), strict=True):
                mine.copy_(given)

    def forward(self, ids, states):
        x, after = self.embedding(ids), []
        for layer, state in zip(self.layers, states, strict=True):
            x, state = layer(x, state)
            after.append(state)
        return x @ self.embedding.weight.T + self.bias, after


def in_order(ours: AWDLanguageModel) -> list[nn.Parameter]:
    layers = [parameter for layer in ours.body.layers for parameter in layer.parameters()]
    body = [ours.body.embedding.weight, *layers]
    # nn.Module lists its own parameters before those of its parts: the bias first.
    return [ours.head.bias, *body]


@pytest.mark.parametrize("training", [True, False])
def test_without_noise_it_is_a_stack_of_plain_lstms(training):
    ours = model().train(training)
    plain, read = Plain(ours), tokens()
    mine, theirs, state, states = [], [], None, [None] * 3
    for piece in (read[:, :4], read[:, 4:]):
        logits, state = ours(piece, state)
        expected, states = plain(piece, states)
        mine.append(logits)
        theirs.append(expected)
    torch.testing.assert_close(torch.cat(mine, 1), torch.cat(theirs, 1))
    torch.testing.assert_close(state, tuple(part for pair in states for part in pair))
    for logits in (mine, theirs):
        scored = torch.cat(logits, 1)[:, :-1].flatten(0, 1)
        functional.cross_entropy(scored, read[:, 1:].flatten()).backward()
    for one, other in zip(in_order(ours), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("place", NAMES)
def test_each_place_makes_noise_in_training_only(place):
    noisy = model(only(**{place: 0.5}))
    assert not torch.allclose(noisy(tokens())[0], noisy(tokens())[0])
    assert torch.equal(noisy.eval()(tokens())[0], model()(tokens())[0])


def test_a_later_token_leaves_earlier_predictions_unchanged():
    ours, read = model(), tokens()
    changed = read.clone()
    changed[:, 5] = (changed[:, 5] - 3) % 16 + 4
    before, after = ours(read)[0], ours(changed)[0]
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


# --- weight drop --------------------------------------------------------------------------------


def spied(monkeypatch) -> list[list[torch.Tensor]]:
    """The weights that each fast call of the library is given."""
    calls, fast = [], torch.lstm
    monkeypatch.setattr(torch, "lstm", lambda *a: calls.append(a[2]) or fast(*a))
    return calls


def test_weight_drop_takes_one_mask_a_pass_on_state_weights_only(monkeypatch):
    torch.manual_seed(0)
    layer, calls = WeightDropLSTM(8, 32, 0.4), spied(monkeypatch)
    x = torch.randn(2, 7, 8)
    layer(x), layer(x)
    assert len(calls) == 2  # one call for 7 steps: the same matrix at all of them
    for given in calls:
        raw = layer.weight_hh_l0
        dropped = given[1] == 0
        assert 0.3 < dropped.float().mean() < 0.5
        torch.testing.assert_close(given[1][~dropped], raw[~dropped] / 0.6)
        assert given[0] is layer.weight_ih_l0
        assert given[2] is layer.bias_ih_l0 and given[3] is layer.bias_hh_l0
    assert not torch.equal(calls[0][1] == 0, calls[1][1] == 0)


def test_weight_drop_equals_a_plain_lstm_with_the_thinned_matrix(monkeypatch):
    torch.manual_seed(0)
    layer, calls = WeightDropLSTM(8, 12, 0.5), spied(monkeypatch)
    x = torch.randn(2, 7, 8)
    state = (torch.randn(1, 2, 12), torch.randn(1, 2, 12))
    plain = nn.LSTM(8, 12, batch_first=True)
    for given in (None, state):
        out, after = layer(x, given)
        thinned = dict(layer.state_dict()) | {"weight_hh_l0": calls[-1][1].detach()}
        plain.load_state_dict(thinned)
        expected, ending = plain(x, given)
        torch.testing.assert_close(out, expected)
        torch.testing.assert_close(after, ending)


def test_gradients_reach_the_raw_weights_that_were_kept(monkeypatch):
    torch.manual_seed(0)
    layer, calls = WeightDropLSTM(8, 12, 0.5), spied(monkeypatch)
    layer(torch.randn(2, 7, 8))[0].sum().backward()
    kept = calls[0][1] != 0
    gradient = layer.weight_hh_l0.grad
    assert (gradient[~kept] == 0).all() and (gradient[kept] != 0).float().mean() > 0.9
    raw = layer.weight_hh_l0.detach().clone()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    changed = layer.weight_hh_l0 != raw
    assert not changed[~kept].any() and changed.any()


def test_weight_drop_leaves_the_parameters_alone_and_nothing_behind(monkeypatch):
    torch.manual_seed(0)
    layer, plain = WeightDropLSTM(8, 12, 0.5), nn.LSTM(8, 12, batch_first=True)
    plain.load_state_dict(layer.state_dict())  # the same names, none more
    x = torch.randn(2, 7, 8)
    layer(x)
    assert torch.equal(layer.weight_hh_l0, plain.weight_hh_l0)
    calls = spied(monkeypatch)
    layer.eval()
    torch.testing.assert_close(layer(x), plain(x))
    assert calls == []


# --- the other kinds of noise --------------------------------------------------------------------


def test_variational_dropout_has_one_mask_for_all_times():
    torch.manual_seed(0)
    drop, x = VariationalDropout(0.4), torch.ones(50, 6, 20)
    out = drop(x)
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert not torch.equal(out[0], out[1])  # each row of the batch its own
    assert 0.35 < (out == 0).float().mean() < 0.45
    torch.testing.assert_close(out.unique(), torch.tensor([0.0, 1 / 0.6]))
    drop.eval()
    assert drop(x) is x


def test_embedding_dropout_equals_masking_the_matrix():
    matrix = torch.randn(10, 3)
    ids = torch.randint(0, 10, (4, 6))
    torch.manual_seed(3)
    ours = drop_words(matrix[ids], ids, 10, 0.5)
    torch.manual_seed(3)
    mask = functional.dropout(torch.ones(10), 0.5)
    torch.testing.assert_close(ours, (matrix * mask[:, None])[ids])


def test_dropouts_scale():
    assert Dropouts(0.1, 0.2, 0.3, 0.4, 0.5).times(0.5) == Dropouts(0.05, 0.1, 0.15, 0.2, 0.25)


# --- tied weights, sizes, saving -----------------------------------------------------------------


def test_tied_weights_are_one_parameter_counted_once():
    ours = model()
    assert ours.head.weight is ours.body.embedding.weight
    sizes = [(8, 12), (12, 12), (12, 8)]
    layers = sum(4 * out * (inputs + out + 2) for inputs, out in sizes)
    assert ours.config.sizes() == sizes
    assert sum(p.numel() for p in ours.parameters()) == V * 8 + V + layers
    ours(tokens())[0].sum().backward()
    both = ours.body.embedding.weight.grad.clone()
    ours.zero_grad()
    ours.head(ours.body(tokens())[0].detach()).sum().backward()
    assert not torch.allclose(both, ours.body.embedding.weight.grad)  # it came from both uses


# --- the state -----------------------------------------------------------------------------------


def test_step_and_reorder_follow_the_protocol():
    ours, read = model().eval(), tokens()
    whole = ours(read)[0].log_softmax(-1)
    state = ours.init_state(read[:, :0])
    assert state is None and ours.reorder(None, torch.tensor([0])) is None
    for position in range(read.shape[1]):
        log_probs, state = ours.step(read[:, position], state)
        torch.testing.assert_close(log_probs, whole[:, position])
    index = torch.tensor([2, 0, 0])
    state = ours.init_state(read[:, :5])
    moved, _ = ours.step(read[index, 5], ours.reorder(state, index))
    torch.testing.assert_close(moved, ours.step(read[:, 5], state)[0][index])
    assert detach(state)[0].equal(state[0])


def test_wrong_tokens_and_sizes_are_refused():
    with pytest.raises(ValueError, match="ids 0 to 19"):
        model()(torch.full((1, 2), V))
    with pytest.raises(ValueError, match="layers must be"):
        AWDConfig(V, layers=0)


def test_sizes_and_first_weights():
    assert AWDConfig(V, 8, 12, 1).sizes() == [(8, 8)]
    embedding = model().body.embedding.weight
    assert embedding.abs().max() <= 0.1 and embedding.std().item() == pytest.approx(0.058, rel=0.1)
