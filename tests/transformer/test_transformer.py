"""Multi-head attention and the feed-forward network, against torch and against plain loops."""

import pytest
import torch
from test_attention import LargestTensor
from torch import nn
from torch.nn import functional as F

from course_lib.attention.attend import attend
from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.transformer.feed_forward import FeedForward

D, H = 12, 3
BOTH = pytest.mark.parametrize("need_weights", [True, False])


def build(width=D, heads=H, *, bias=True, seed=0) -> MultiHeadAttention:
    torch.manual_seed(seed)
    layer = MultiHeadAttention(width, heads, bias=bias).double()
    for name, parameter in layer.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)  # torch's start at 0 would hide a lost bias
    return layer


def torch_twin(layer: MultiHeadAttention) -> nn.MultiheadAttention:
    """torch's layer with the same weights."""
    bias = layer.query.bias is not None
    twin = nn.MultiheadAttention(layer.width, layer.heads, bias=bias, batch_first=True).double()
    maps = (layer.query, layer.key, layer.value)
    with torch.no_grad():
        twin.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        twin.out_proj.weight.copy_(layer.output.weight)
        if bias:
            twin.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
            twin.out_proj.bias.copy_(layer.output.bias)
    return twin


def inputs(t=4, s=5, width=D, batch=2):
    shapes = ((batch, t, width), (batch, s, width), (batch, s, width))
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]


PADDING = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
CAUSAL = causal_mask(5)[1:]  # (4, 5)
# ours, and what torch wants for the same
MASKS = {
    "none": (None, {}),
    "padding": (
        PADDING[:, None, None],
        {"key_padding_mask": to_torch_key_padding(PADDING)},
    ),
    "causal": (CAUSAL, {"attn_mask": ~CAUSAL}),
    "both": (
        PADDING[:, None, None] & CAUSAL,
        {"key_padding_mask": to_torch_key_padding(PADDING), "attn_mask": ~CAUSAL},
    ),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("bias", [True, False])
@BOTH
def test_equals_torch_on_copied_weights(mask, bias, need_weights):
    layer = build(bias=bias)
    twin = torch_twin(layer)
    given = inputs()
    ours, masks = MASKS[mask]
    out, weights = layer(*given, ours, need_weights=need_weights)
    expected, their_weights = twin(*given, average_attn_weights=False, **masks)
    torch.testing.assert_close(out, expected)
    if need_weights:
        torch.testing.assert_close(weights, their_weights)
    else:
        assert weights is None

    target = torch.randn_like(out)
    parameters = [p for m in (layer.query, layer.key, layer.value) for p in m.parameters()]
    names = ("weight", "bias") if bias else ("weight",)
    theirs = [getattr(twin, f"in_proj_{name}") for name in names]
    last = list(layer.output.parameters()), list(twin.out_proj.parameters())
    mine = torch.autograd.grad((out * target).sum(), given + parameters + last[0])
    other = torch.autograd.grad((expected * target).sum(), given + theirs + last[1])
    inner = mine[3 : 3 + len(parameters)]
    packed = [torch.cat(inner[i :: len(names)]) for i in range(len(names))]
    joined = [*mine[:3], *packed, *mine[3 + len(parameters) :]]
    for ours, theirs in zip(joined, other, strict=True):
        torch.testing.assert_close(ours, theirs)


@BOTH
@torch.no_grad()
def test_equals_a_loop_over_heads(need_weights):
    layer = build()
    queries, keys, values = inputs()
    mask = torch.rand(2, H, 4, 5) < 0.7  # another mask for each head
    outputs, looks = [], []
    for head in range(H):
        rows = slice(4 * head, 4 * head + 4)
        parts = [
            x @ m.weight[rows].T + m.bias[rows]
            for m, x in ((layer.query, queries), (layer.key, keys), (layer.value, values))
        ]
        context, weights = attend(*parts, mask[:, head])
        outputs.append(context)
        looks.append(weights)
    expected = torch.cat(outputs, dim=-1) @ layer.output.weight.T + layer.output.bias
    out, weights = layer(queries, keys, values, mask, need_weights=need_weights)
    torch.testing.assert_close(out, expected)
    if need_weights:
        torch.testing.assert_close(weights, torch.stack(looks, dim=1))


@BOTH
def test_nothing_to_attend_to_gives_the_bias_and_no_nan(need_weights):
    layer, given = build(), inputs()
    mask = torch.ones(2, 1, 4, 5, dtype=torch.bool)
    mask[1, :, 2] = False
    out, weights = layer(*given, mask, need_weights=need_weights)
    assert torch.equal(out[1, 2], layer.output.bias)
    assert not torch.equal(out[1, 1], layer.output.bias)
    if need_weights:
        assert weights[1, :, 2].abs().max() == 0
    for gradient in torch.autograd.grad(out.square().sum(), [*given, *layer.parameters()]):
        assert gradient.isfinite().all()


@BOTH
def test_a_masked_position_is_never_read(need_weights):
    layer, (queries, keys, values) = build(), inputs()
    mask = PADDING[:, None, None]
    before, _ = layer(queries, keys, values, mask, need_weights=need_weights)
    changed = [x.detach().clone() for x in (keys, values)]
    for x in changed:
        x[1, 3:] = 1e3
    after, _ = layer(queries, *changed, mask, need_weights=need_weights)
    torch.testing.assert_close(after, before)


@torch.no_grad()
def test_unmasked_self_attention_is_permutation_equivariant():
    layer, x = build(), inputs()[1]
    order = torch.tensor([3, 0, 4, 2, 1])
    out, weights = layer(x, x, x, need_weights=True)
    moved, moved_weights = layer(x[:, order], x[:, order], x[:, order], need_weights=True)
    torch.testing.assert_close(moved, out[:, order])
    torch.testing.assert_close(moved_weights, weights[:, :, order][..., order])
    causal = causal_mask(5)
    first, _ = layer(x, x, x, causal)
    second, _ = layer(x[:, order], x[:, order], x[:, order], causal)
    assert (second - first[:, order]).abs().max() > 1e-3


def test_causal_self_attention_leaves_the_past_alone():
    layer, x = build(), inputs()[1]
    before, _ = layer(x, x, x, causal_mask(5))
    later = x.detach().clone()
    later[:, 3] += 1
    after, _ = layer(later, later, later, causal_mask(5))
    assert torch.equal(after[:, :3], before[:, :3])
    assert (after[:, 3:] - before[:, 3:]).abs().amax(-1).min() > 1e-3


def test_heads_look_at_different_places():
    _, weights = build()(*inputs(), need_weights=True)
    assert (weights[:, 0] - weights[:, 1]).abs().max() > 0.01
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, H, 4, dtype=torch.double))


@torch.no_grad()
def test_prepared_keys_give_the_same():
    layer, (queries, keys, values) = build(), inputs()
    prepared = layer.prepare(keys, values)
    assert [x.shape for x in prepared] == [(2, H, 5, D // H)] * 2
    pieces = [layer.prepare(keys[:, i : i + 1], values[:, i : i + 1]) for i in range(5)]
    grown = [torch.cat(parts, dim=2) for parts in zip(*pieces, strict=True)]
    expected = layer(queries, keys, values, CAUSAL, need_weights=True)
    for given in (prepared, grown):
        ours = layer.from_prepared(queries, *given, CAUSAL, need_weights=True)
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("masked", [True, False])
def test_fast_path_never_holds_all_weights_of_a_long_text(masked):
    length = 2048
    layer, x = MultiHeadAttention(16, 2), torch.randn(1, length, 16)
    mask = (torch.arange(length) < length - 7)[None, None, None] if masked else None
    with LargestTensor() as seen:
        layer(x, x, x, mask)[0].sum().backward()
    assert seen.numbers < 64 * length
    with LargestTensor() as seen:
        layer(x, x, x, mask, need_weights=True)
    assert seen.numbers >= 2 * length**2  # the measure works


def test_nothing_is_stored_and_inputs_stay():
    layer, given = build(), inputs()
    held = [set(vars(module)) for module in layer.modules()]
    copies = [x.detach().clone() for x in given]
    layer(*given, CAUSAL, need_weights=True)
    layer(*given)
    assert [set(vars(module)) for module in layer.modules()] == held
    assert list(layer.buffers()) == []
    assert all(torch.equal(a, b) for a, b in zip(given, copies, strict=True))


def test_parameter_names():
    parts = ("query", "key", "value", "output")
    expected = [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]
    assert list(build().state_dict()) == expected
    assert list(FeedForward(4, 8).state_dict()) == [
        "hidden.weight",
        "hidden.bias",
        "output.weight",
        "output.bias",
    ]
    assert sum(p.numel() for p in MultiHeadAttention(512, 8).parameters()) == 4 * 512 * 513


@pytest.mark.parametrize(("width", "heads"), [(12, 5), (12, 0), (0, 1), (4, 8), (12, -3)])
def test_heads_must_divide_the_width(width, heads):
    with pytest.raises(ValueError, match=f"width is {width} and heads is {heads}.*must divide"):
        MultiHeadAttention(width, heads)


@BOTH
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(4, 5), TypeError, "boolean with True = may attend, got torch.float32"),
        (torch.ones(4, 5).long(), TypeError, "torch.int64"),
        (torch.ones(4, 4).bool(), ValueError, r"\(4, 4\) does not broadcast.*\(2, 3, 4, 5\)"),
        (torch.ones(2, 5).bool(), ValueError, "does not broadcast"),  # padding without its place
        (torch.ones(2, 4, 5).bool(), ValueError, r"mask\[:, None\] for \(B, T, S\)"),
        (torch.ones(3, 4, 5).bool(), ValueError, r"mask\[None\] for \(H, T, S\)"),
        (torch.ones(2, 2, 4, 5).bool(), ValueError, "does not broadcast"),
        (torch.ones(1, 2, 3, 4, 5).bool(), ValueError, "does not broadcast"),
    ],
)
def test_wrong_masks_are_named(mask, error, message, need_weights):
    with pytest.raises(error, match=message):
        build()(*inputs(), mask, need_weights=need_weights)


def test_as_many_sentences_as_heads_does_not_slip_through():
    given = inputs(batch=H)  # (B, T, S) has the shape of (H, T, S)
    with pytest.raises(ValueError, match="ambiguous"):
        build()(*given, torch.ones(H, 4, 5).bool())


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@torch.no_grad()
def test_feed_forward_works_position_by_position(activation):
    torch.manual_seed(0)
    layer = FeedForward(6, 24, activation).double()
    x = torch.randn(2, 5, 6, dtype=torch.double)
    act = {"relu": lambda h: h.clamp(min=0), "gelu": lambda h: h * torch.special.ndtr(h)}
    expected = torch.empty_like(x)
    for b in range(2):
        for t in range(5):
            inside = layer.hidden.weight @ x[b, t] + layer.hidden.bias
            expected[b, t] = layer.output.weight @ act[activation](inside) + layer.output.bias
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x[1, 3]), expected[1, 3])


def test_feed_forward_equals_torch_in_the_encoder_layer():
    theirs = nn.TransformerEncoderLayer(6, 2, 24, dropout=0.0).double()
    layer = FeedForward(6, 24).double()
    layer.hidden.load_state_dict(theirs.linear1.state_dict())
    layer.output.load_state_dict(theirs.linear2.state_dict())
    x = torch.randn(2, 5, 6, dtype=torch.double)
    torch.testing.assert_close(layer(x), theirs.linear2(F.relu(theirs.linear1(x))))
