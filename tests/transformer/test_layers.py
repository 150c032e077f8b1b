"""Encoder and decoder layers, against torch on copied weights and by their properties."""

import pytest
import torch
from torch import nn

from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.transformer.layers import DecoderLayer, EncoderLayer, Residual
from tests.twins import check_equal, shake
from tools.bench import twins

D, H, F = 12, 3, 20
NORMS = pytest.mark.parametrize("norm", ["pre", "post"])
PADDING = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
MASKS = causal_mask(4), PADDING[:, None, None]
TORCH_MASKS = {
    "tgt_mask": ~causal_mask(4),
    "memory_key_padding_mask": to_torch_key_padding(PADDING),
}


def inputs():
    torch.manual_seed(1)
    return [torch.randn(2, n, D, dtype=torch.double, requires_grad=True) for n in (4, 5)]


@NORMS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", [EncoderLayer, DecoderLayer])
def test_layer_equals_torch(kind, norm, activation, masked):
    ours = shake(kind(D, H, F, norm=norm, activation=activation))
    options = {"dropout": 0.0, "norm_first": norm == "pre", "activation": activation}
    twin = getattr(nn, f"Transformer{kind.__name__}")
    theirs = twin(D, H, F, batch_first=True, **options).double()
    twins.copy(twins.of_layers(ours, theirs))
    x, states = given = inputs()
    if kind is EncoderLayer:
        given = [states]
        out, weights = ours(states, MASKS[1] if masked else None)
        assert weights is None
        padding = to_torch_key_padding(PADDING) if masked else None
        expected = theirs(states, src_key_padding_mask=padding)
    else:
        out = ours(x, states, *(MASKS if masked else ())).x
        expected = theirs(x, states, **(TORCH_MASKS if masked else {}))
    check_equal(out, expected, given, twins.of_layers(ours, theirs))


@NORMS
@torch.no_grad()
def test_asking_for_weights_changes_nothing_else(norm):
    x, states = inputs()
    layer = shake(EncoderLayer(D, H, F, norm=norm))
    out, weights = layer(states, MASKS[1], need_weights=True)
    torch.testing.assert_close(out, layer(states, MASKS[1])[0])
    read = layer.self_residual.enter(states)
    expected = layer.self_attention(read, read, read, MASKS[1], need_weights=True)[1]
    torch.testing.assert_close(weights, expected)
    layer = shake(DecoderLayer(D, H, F, norm=norm))
    full, plain = layer(x, states, *MASKS, need_weights=True), layer(x, states, *MASKS)
    torch.testing.assert_close(full.x, plain.x)
    assert plain.weights is None and plain.source_weights is None
    assert full.weights.shape == (2, H, 4, 4) and full.weights.triu(1).abs().max() == 0
    assert full.source_weights.shape == (2, H, 4, 5)
    assert full.source_weights[1, ..., 3:].abs().max() == 0


@NORMS
@pytest.mark.parametrize("cuts", [(1, 2, 3), (2,), (3,)])
@torch.no_grad()
def test_pieces_with_kept_keys_equal_the_whole(norm, cuts):
    layer, (x, states) = shake(DecoderLayer(D, H, F, norm=norm)), inputs()
    whole = layer(x, states, causal_mask(4), need_weights=True)
    source, past, outs = layer.prepare(states), None, []
    for start, end in zip((0, *cuts), (*cuts, 4), strict=True):
        mask = causal_mask(4)[start:end, :end]
        out = layer.read(x[:, start:end], source, mask, past=past, need_weights=True)
        torch.testing.assert_close(out.weights, whole.weights[:, :, start:end, :end])
        past = out.kept
        outs.append(out.x)
    torch.testing.assert_close(torch.cat(outs, dim=1), whole.x)
    torch.testing.assert_close(past, whole.kept)


def test_where_the_norm_stands():
    x, out = torch.randn(2, 3, D), torch.randn(2, 3, D)
    pre, post = Residual(D), Residual(D, norm="post")  # the default is pre
    assert torch.equal(pre.leave(x, out), x + out)
    assert torch.equal(pre.enter(x), pre.norm(x))
    assert post.enter(x) is x
    after = post.leave(x, out)
    torch.testing.assert_close(after.mean(-1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    # By the variance with 1/D, not 1/(D - 1)
    variance = after.var(-1, correction=0)
    torch.testing.assert_close(variance, torch.ones(2, 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", [EncoderLayer, DecoderLayer])
def test_dropout_acts_on_what_is_added_only(kind):
    torch.manual_seed(0)
    residual = Residual(1000, dropout=0.25)
    left = residual.leave(torch.full((1000,), 5.0), torch.ones(1000)) - 5
    assert ((left == 0) | (left - 1 / 0.75).abs().lt(1e-5)).all()
    assert 0.2 < (left == 0).float().mean() < 0.3
    residual.eval()
    assert torch.equal(residual.leave(torch.zeros(1000), torch.ones(1000)), torch.ones(1000))
    layer, (x, states) = kind(D, H, F).double(), inputs()
    for module in layer.modules():
        if isinstance(module, nn.Dropout):
            module.p = 1.0  # nothing is added at all
    assert torch.equal(layer(x, None if kind is EncoderLayer else states)[0], x)
    dropouts = [m.p for m in kind(D, H, F, dropout=0.25).modules() if isinstance(m, nn.Dropout)]
    assert dropouts == [0.25] * (2 if kind is EncoderLayer else 3)
    assert {m.p for m in kind(D, H, F).modules() if isinstance(m, nn.Dropout)} == {0.0}


def test_wrong_choices_are_named():
    with pytest.raises(ValueError, match="'pre' or 'post', got 'before'"):
        EncoderLayer(D, H, F, norm="before")
