"""Multi-head attention, against torch and against plain loops."""

import pytest
import torch
from torch import nn

from course_lib.attention.attend import attend
from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.attention.positions import sinusoidal, turn
from tests.memory import largest_tensor
from tests.twins import check_equal, shake
from tools.bench import twins

D, H = 12, 3
BOTH = pytest.mark.parametrize("need_weights", [True, False])
PADDING = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
CAUSAL = causal_mask(5)[1:]  # (4, 5)
# ours, and what torch wants for the same
MASKS = {
    "none": (None, {}),
    "padding": (PADDING[:, None, None], {"key_padding_mask": to_torch_key_padding(PADDING)}),
    "causal": (CAUSAL, {"attn_mask": ~CAUSAL}),
    "both": (
        PADDING[:, None, None] & CAUSAL,
        {"key_padding_mask": to_torch_key_padding(PADDING), "attn_mask": ~CAUSAL},
    ),
}


def build(bias: bool = True) -> MultiHeadAttention:
    torch.manual_seed(0)
    return shake(MultiHeadAttention(D, H, bias=bias))


def inputs(t=4, s=5, batch=2):
    shapes = (batch, t, D), (batch, s, D), (batch, s, D)
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("bias", [True, False])
@BOTH
def test_equals_torch_on_copied_weights(mask, bias, need_weights):
    layer, given = build(bias), inputs()
    twin = nn.MultiheadAttention(D, H, bias=bias, batch_first=True).double()
    twins.copy(twins.of_attention(layer, twin))
    ours, masks = MASKS[mask]
    out, weights = layer(*given, ours, need_weights=need_weights)
    expected, their_weights = twin(*given, average_attn_weights=False, **masks)
    check_equal(out, expected, given, twins.of_attention(layer, twin))
    assert weights is None or need_weights
    if need_weights:
        torch.testing.assert_close(weights, their_weights)


@BOTH
@torch.no_grad()
def test_equals_a_loop_over_heads(need_weights):
    layer, (queries, keys, values) = build(), inputs()
    mask = torch.rand(2, H, 4, 5) < 0.7  # another mask for each head
    mask[1, :, 2] = False  # one position may attend to nothing
    outputs, by_head = [], []
    for head in range(H):
        rows = slice(4 * head, 4 * head + 4)
        parts = [
            x @ m.weight[rows].T + m.bias[rows]
            for m, x in ((layer.query, queries), (layer.key, keys), (layer.value, values))
        ]
        context, weights = attend(*parts, mask[:, head])
        outputs.append(context)
        by_head.append(weights)
    expected = torch.cat(outputs, dim=-1) @ layer.output.weight.T + layer.output.bias
    out, weights = layer(queries, keys, values, mask, need_weights=need_weights)
    torch.testing.assert_close(out, expected)
    assert torch.equal(out[1, 2], layer.output.bias)
    if need_weights:
        torch.testing.assert_close(weights, torch.stack(by_head, dim=1))


@torch.no_grad()
def test_prepared_keys_give_the_same():
    layer, (queries, keys, values) = build(), inputs()
    pieces = [layer.prepare(keys[:, i : i + 1], values[:, i : i + 1]) for i in range(5)]
    grown = [torch.cat(parts, dim=2) for parts in zip(*pieces, strict=True)]
    expected = layer(queries, keys, values, CAUSAL, need_weights=True)
    for given in (layer.prepare(keys, values), grown):
        assert [x.shape for x in given] == [(2, H, 5, D // H)] * 2
        ours = layer.from_prepared(queries, *given, CAUSAL, need_weights=True)
        torch.testing.assert_close(ours, expected)
    assert layer.from_prepared(queries, *given, CAUSAL)[1] is None


@pytest.mark.parametrize("need_weights", [True, False])
def test_rotary_turns_queries_and_keys_and_no_values(need_weights):
    torch.manual_seed(0)
    module, x = MultiHeadAttention(8, 2).eval(), torch.randn(3, 5, 8).double()
    shake(module)
    table = sinusoidal(5, 4, dtype=torch.double)

    def split(linear):
        return linear(x).unflatten(-1, (2, 4)).transpose(1, 2)  # (B, H, T, K)

    queries, keys = turn(split(module.query), table), turn(split(module.key), table)
    heads, weights = attend(queries, keys, split(module.value))
    expected = module.output(heads.transpose(1, 2).flatten(2))
    output, found = module(x, x, x, need_weights=need_weights, rotary=table)
    torch.testing.assert_close(output, expected)
    if need_weights:
        torch.testing.assert_close(found, weights)


@pytest.mark.parametrize("masked", [True, False])
def test_fast_path_never_holds_all_weights_of_a_long_text(masked):
    length = 2048
    layer, x = MultiHeadAttention(16, 2), torch.randn(1, length, 16)
    mask = (torch.arange(length) < length - 7)[None, None, None] if masked else None
    with largest_tensor() as largest:
        layer(x, x, x, mask)[0].sum().backward()
    assert largest.numbers < 64 * length


def test_parameter_names():
    parts = ("query", "key", "value", "output")
    expected = [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]
    assert list(MultiHeadAttention(1, 1).state_dict()) == expected  # of the smallest, with bias
    assert list(build(bias=False).state_dict()) == expected[::2]


@pytest.mark.parametrize(("width", "heads"), [(12, 5), (12, 0), (0, 1), (4, 8), (12, -3)])
def test_heads_must_divide_the_width(width, heads):
    with pytest.raises(ValueError, match=f"width is {width} and heads is {heads}.*must divide"):
        MultiHeadAttention(width, heads)


@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 4, 5), (1, 4, 5)])
def test_a_mask_of_three_dimensions_is_ambiguous(shape):
    """With as many sentences as heads, (B, T, S) would pass as (H, T, S)."""
    for batch in (2, H):
        with pytest.raises(ValueError, match=r"mask\[:, None\] for \(B, T, S\), mask\[None\] for"):
            build()(*inputs(batch=batch), torch.ones(shape).bool())
