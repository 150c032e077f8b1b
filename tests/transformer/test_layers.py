"""Encoder and decoder layers, against torch on copied weights and by their properties."""

import pytest
import torch
from torch import nn

from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.transformer.layers import DecoderLayer, EncoderLayer, Residual

D, H, F = 12, 3, 20
NORMS = pytest.mark.parametrize("norm", ["pre", "post"])
PADDING = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])


def shake(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random numbers also where biases start at 0 and norms at 1, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
            parameter.add_(0.3 * noise)
    return module


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    maps = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        theirs.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def copy_layer(ours, theirs) -> None:
    copy_attention(ours.self_attention, theirs.self_attn)
    residuals = [ours.self_residual, ours.feed_residual]
    if isinstance(ours, DecoderLayer):
        copy_attention(ours.source_attention, theirs.multihead_attn)
        residuals.insert(1, ours.source_residual)
    theirs.linear1.load_state_dict(ours.feed_forward.hidden.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.output.state_dict())
    for i, residual in enumerate(residuals):
        getattr(theirs, f"norm{i + 1}").load_state_dict(residual.norm.state_dict())


def gradients_of_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention):
    maps = (ours.query, ours.key, ours.value)
    yield torch.cat([m.weight.grad for m in maps]), theirs.in_proj_weight.grad
    yield torch.cat([m.bias.grad for m in maps]), theirs.in_proj_bias.grad
    yield from gradients_of(ours.output, theirs.out_proj)


def gradients_of(ours: nn.Module, theirs: nn.Module):
    pairs = zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
    for (name, mine), (other, their) in pairs:
        assert name == other
        yield mine.grad, their.grad


def gradients_of_layer(ours, theirs):
    yield from gradients_of_attention(ours.self_attention, theirs.self_attn)
    residuals = [ours.self_residual, ours.feed_residual]
    if isinstance(ours, DecoderLayer):
        yield from gradients_of_attention(ours.source_attention, theirs.multihead_attn)
        residuals.insert(1, ours.source_residual)
    yield from gradients_of(ours.feed_forward.hidden, theirs.linear1)
    yield from gradients_of(ours.feed_forward.output, theirs.linear2)
    for i, residual in enumerate(residuals):
        yield from gradients_of(residual.norm, getattr(theirs, f"norm{i + 1}"))


def build(kind, twin, norm="pre", activation="relu"):
    torch.manual_seed(0)
    ours = shake(kind(D, H, F, norm=norm, activation=activation))
    theirs = twin(
        D, H, F, dropout=0.0, norm_first=norm == "pre", activation=activation, batch_first=True
    ).double()
    copy_layer(ours, theirs)
    return ours, theirs


def inputs():
    torch.manual_seed(1)
    return [torch.randn(2, n, D, dtype=torch.double, requires_grad=True) for n in (4, 5)]


def check_equal(out, expected, given, ours, theirs):
    torch.testing.assert_close(out, expected)
    target = torch.randn_like(out)
    first = torch.autograd.grad((out * target).sum(), given, retain_graph=True)
    second = torch.autograd.grad((expected * target).sum(), given, retain_graph=True)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)
    (out * target).sum().backward()
    (expected * target).sum().backward()
    for a, b in gradients_of_layer(ours, theirs):
        torch.testing.assert_close(a, b)


@NORMS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("masked", [True, False])
def test_encoder_layer_equals_torch(norm, activation, masked):
    ours, theirs = build(EncoderLayer, nn.TransformerEncoderLayer, norm, activation)
    x = inputs()[1]
    out, weights = ours(x, PADDING[:, None, None] if masked else None)
    assert weights is None
    padding = to_torch_key_padding(PADDING) if masked else None
    check_equal(out, theirs(x, src_key_padding_mask=padding), [x], ours, theirs)


@NORMS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("masked", [True, False])
def test_decoder_layer_equals_torch(norm, activation, masked):
    ours, theirs = build(DecoderLayer, nn.TransformerDecoderLayer, norm, activation)
    x, states = inputs()
    out = ours(x, states, *((causal_mask(4), PADDING[:, None, None]) if masked else ()))
    masks = {"tgt_mask": ~causal_mask(4), "memory_key_padding_mask": to_torch_key_padding(PADDING)}
    expected = theirs(x, states, **(masks if masked else {}))
    check_equal(out.x, expected, [x, states], ours, theirs)


@NORMS
@torch.no_grad()
def test_asking_for_weights_changes_nothing_else(norm):
    ours, _ = build(EncoderLayer, nn.TransformerEncoderLayer, norm)
    x, states = inputs()
    out, weights = ours(states, PADDING[:, None, None], need_weights=True)
    torch.testing.assert_close(out, ours(states, PADDING[:, None, None])[0])
    assert weights.shape == (2, H, 5, 5)
    assert weights[1, ..., 3:].abs().max() == 0
    ours, _ = build(DecoderLayer, nn.TransformerDecoderLayer, norm)
    masks = causal_mask(4), PADDING[:, None, None]
    full = ours(x, states, *masks, need_weights=True)
    torch.testing.assert_close(full.x, ours(x, states, *masks).x)
    assert full.weights.shape == (2, H, 4, 4)
    assert full.source_weights.shape == (2, H, 4, 5)
    assert full.weights.triu(1).abs().max() == 0
    assert full.source_weights[1, ..., 3:].abs().max() == 0


@NORMS
@pytest.mark.parametrize("cuts", [(1, 2, 3), (2,), (3,)])
@torch.no_grad()
def test_pieces_with_kept_keys_equal_the_whole(norm, cuts):
    layer, _ = build(DecoderLayer, nn.TransformerDecoderLayer, norm)
    x, states = inputs()
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
    pre, post = Residual(D, norm="pre"), Residual(D, norm="post")
    assert torch.equal(pre.leave(x, out), x + out)
    torch.testing.assert_close(pre.enter(x).mean(-1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    assert post.enter(x) is x
    after = post.leave(x, out)
    torch.testing.assert_close(after.mean(-1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    # By the variance with 1/D, not 1/(D - 1)
    variance = after.var(-1, correction=0)
    torch.testing.assert_close(variance, torch.ones(2, 3), atol=1e-3, rtol=0)


def test_dropout_acts_on_what_is_added_only():
    torch.manual_seed(0)
    residual = Residual(1000, dropout=0.25)
    left = residual.leave(torch.full((1000,), 5.0), torch.ones(1000)) - 5
    assert ((left == 0) | (left - 1 / 0.75).abs().lt(1e-5)).all()
    assert 0.2 < (left == 0).float().mean() < 0.3
    residual.eval()
    assert torch.equal(residual.leave(torch.zeros(1000), torch.ones(1000)), torch.ones(1000))


def test_wrong_choices_are_named():
    with pytest.raises(ValueError, match="'pre' or 'post', got 'before'"):
        EncoderLayer(D, H, F, norm="before")
    with pytest.raises(ValueError, match="heads must divide"):
        DecoderLayer(D, 5, F)
