"""The Transformer: equal to torch's on copied weights, and what its mathematics promises."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.attention import multi_head
from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.attention.positions import rotate, sinusoidal
from course_lib.decoding import search
from course_lib.transformer import model as transformer_model
from course_lib.transformer.model import POSITIONS, Transformer, TransformerConfig
from tests.translator_promises import PROMISES, SIZES, batch, targets
from tests.twins import check_equal, shake
from tools.bench import twins

VARIANTS = {
    "pre": {},
    "post": {"norm": "post"},
    "learned, gelu": {"positions": "learned", "max_length": 12, "activation": "gelu"},
    "rotary": {"positions": "rotary"},
    "no positions": {"positions": "none", "tie": "none"},
    "one head, one layer": {"heads": 1, "layers": 1},
    "all tied": {"tie": "all", "source_vocab": 12, "target_vocab": 12},
}
TINY = TransformerConfig.tiny(*SIZES)


def build(seed: int = 3, **changes) -> Transformer:
    torch.manual_seed(seed)
    return Transformer(replace(TINY, **changes)).eval()


@pytest.fixture(params=VARIANTS)
def model(request) -> Transformer:
    return build(**VARIANTS[request.param])


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promises(model, promise):
    promise(model)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("masked", [True, False])
def test_stacks_equal_torch(norm, masked):
    model = shake(build(norm=norm))
    options = {"dropout": 0.0, "norm_first": norm == "pre", "batch_first": True}
    theirs = nn.Transformer(32, 2, 2, 2, 64, **options).double()
    if norm == "post":  # torch normalizes the last layer's result once more; the paper does not
        theirs.encoder.norm = theirs.decoder.norm = None
    twins.copy(twins.of_stacks(model, theirs))
    x, y = (torch.randn(2, n, 32, dtype=torch.double, requires_grad=True) for n in (5, 4))
    real = torch.tensor([[True] * 5, [True] * 3 + [not masked] * 2])
    mask, padding = real[:, None, None], to_torch_key_padding(real)
    states, _ = model.encoder(x, mask)
    out, state, _ = model.decoder(y, model.decoder.init_state(states, mask))
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    expected = theirs(x, y, tgt_mask=~causal_mask(4), **masks)
    assert state.length == 4
    check_equal(out, expected, [x, y], twins.of_stacks(model, theirs))


@torch.no_grad()
def test_the_whole_is_the_sum_of_its_parts():
    """Embeddings times √D plus positions in, a linear map out."""
    model = build(tie="none")
    source, target = batch(), targets(4)
    x = model.source_embedding.embedding.weight[source] * 32**0.5 + sinusoidal(5, 32)
    y = model.target_embedding.embedding.weight[target] * 32**0.5 + sinusoidal(4, 32)
    mask = (source != 0)[:, None, None]
    states, _ = model.encoder(x, mask)
    out, _, _ = model.decoder(y, model.decoder.init_state(states, mask))
    expected = out @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(source, target), expected)


@torch.no_grad()
def test_the_decoder_reads_in_pieces_of_any_length(model):
    x = torch.randn(3, 7, 32)
    first = state = model.init_state(batch())
    whole, _, expected = model.decoder(x, first, need_weights=True)
    pieces = []
    for start, end in ((0, 2), (2, 3), (3, 7)):
        out, state, weights = model.decoder(x[:, start:end], state, need_weights=True)
        assert state.source is first.source and state.length == end  # prepared once
        pieces.append(out)
        for (own, _), (all_, _) in zip(weights, expected, strict=True):
            torch.testing.assert_close(own, all_[:, :, start:end, :end], atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=0)


@torch.no_grad()
def test_positions_make_word_order_count():
    source, turned = torch.tensor([[5, 6, 7]]), torch.tensor([[7, 6, 5]])
    for positions in POSITIONS:
        model, moves = build(positions=positions), positions != "none"
        difference = (model(source, targets(2)[:1]) - model(turned, targets(2)[:1])).abs().max()
        assert (difference > 1e-3) == moves


@torch.no_grad()
def test_rotary_positions_turn_queries_and_keys_of_self_attention_alone():
    """The same model without positions, its queries and keys rotated where they are compared."""
    plain, rotary = build(positions="none"), build(positions="rotary")
    assert plain.state_dict().keys() == rotary.state_dict().keys()
    x, y = torch.randn(3, 5, 32), torch.randn(3, 4, 32)
    mask = (batch() != 0)[:, None, None]
    states, _ = rotary.encoder(x, mask)
    out, state, _ = rotary.decoder(y, rotary.decoder.init_state(states, mask))

    def turned(queries, keys, values, mask):
        own = queries.shape[2] == keys.shape[2]  # 5 words of the source, 4 of the target
        return F.scaled_dot_product_attention(
            *((rotate(queries), rotate(keys)) if own else (queries, keys)), values, mask
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi_head, "attend_fast", turned)
        expected, _ = plain.encoder(x, mask)
        torch.testing.assert_close(states, expected, atol=1e-6, rtol=0)
        expected, kept, _ = plain.decoder(y, plain.decoder.init_state(states, mask))
        torch.testing.assert_close(out, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(state.past[0][0], rotate(kept.past[0][0]))  # the first layer's keys
    torch.testing.assert_close(state.past[0][1], kept.past[0][1])  # values are never turned


@torch.no_grad()
def test_with_rotary_positions_only_distances_count():
    """Self-attention sees the same wherever a sentence begins; added positions do not say that."""
    layer, x = build().encoder.layers[0], torch.randn(2, 5, 32)
    here, there = (layer(x, rotary=sinusoidal(5, 16, start=start))[0] for start in (0, 40))
    torch.testing.assert_close(here, there, atol=1e-5, rtol=0)
    assert (layer(x)[0] - here).abs().max() > 1e-3
    decoder, states = build().decoder.layers[0], torch.randn(2, 3, 32)
    whole = decoder(x, states, causal_mask(5), rotary=sinusoidal(5, 16)).x
    torch.testing.assert_close(
        whole,
        decoder(x, states, causal_mask(5), rotary=sinusoidal(5, 16, start=9)).x,
        atol=1e-5,
        rtol=0,
    )
    assert (decoder(x, states, causal_mask(5)).x - whole).abs().max() > 1e-3


@torch.no_grad()
def test_weights_of_every_head(model):
    source, target = batch(), targets(4)
    logits, weights = model.with_weights(source, target)
    torch.testing.assert_close(logits, model(source, target), atol=1e-5, rtol=1e-5)
    real = (source != 0)[:, None, None]
    seen = {"encoder": real.expand(3, 1, 5, 5), "decoder": causal_mask(4), "source": real}
    for name, may in seen.items():
        found = torch.stack(getattr(weights, name))
        size = {"encoder": (5, 5), "decoder": (4, 4), "source": (4, 5)}[name]
        assert found.shape == (model.config.layers, 3, model.config.heads, *size)
        torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:-1]))
        assert torch.equal(found > 0, may.expand_as(found))


@torch.no_grad()
def test_weights_are_computed_only_where_they_are_asked_for(monkeypatch):
    model = build()
    monkeypatch.setattr(multi_head, "attend", lambda *given: pytest.fail("weights were computed"))
    model(batch(), targets(4))
    x, state = torch.randn(3, 2, 32), model.init_state(batch())
    model.encoder(x)
    _, after, _ = model.decoder(x, state)
    model.step(targets(1)[:, 0], after)
    model.decoder.layers[0].read(x, state.source[0])


@pytest.mark.parametrize("tie", ["none", "target", "all"])
def test_tied_matrices_are_one(tie):
    model = build(tie=tie, source_vocab=9)
    matrices = (
        model.source_embedding.embedding.weight,
        model.target_embedding.embedding.weight,
        model.output.weight,
    )
    assert len({id(m) for m in matrices}) == {"none": 3, "target": 2, "all": 1}[tie]
    assert (matrices[1] is matrices[2]) == (tie != "none")
    assert model(torch.tensor([[5, 6]]), torch.tensor([[1, 4]])).std() < 3


def test_first_weights():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig.lab(400, 500, hidden=256))
    for tensor in (model.source_embedding.embedding.weight, model.output.weight):
        assert tensor.std().item() == pytest.approx(128**-0.5, rel=0.02)
    bound = (6 / (128 + 256)) ** 0.5
    hidden = model.encoder.layers[0].feed_forward.hidden
    assert 0.98 * bound < hidden.weight.abs().max() <= bound
    biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
    assert all(bias.abs().max() == 0 for bias in biases)
    x = model.source_embedding(torch.randint(4, 400, (8, 50))) - sinusoidal(50, 128)
    assert x.var().item() == pytest.approx(1, rel=0.05)


def test_more_positions_than_were_learned_are_named():
    model = build(positions="learned", max_length=4)
    with pytest.raises(ValueError, match="there are vectors for 0 to 3"):
        model(batch(), targets(3))
    with pytest.raises(ValueError, match="there are vectors for 0 to 3"):
        search.greedy(model, torch.tensor([[5]]), 40)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be a positive whole number, got 0"),
        ({"heads": 5}, "heads=5 must divide width=32"),
        ({"width": 33, "heads": 3}, "even width, got 33"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"norm": "middle"}, "norm must be one of pre, post, got 'middle'"),
        ({"positions": "sines"}, "positions must be one of sinusoidal, learned, rotary, none"),
        ({"positions": "rotary", "heads": 32}, "rotary positions need an even width / heads"),
        ({"tie": "all"}, "got 12 and 9 ids; choose tie='target'"),
        ({"activation": "tanh"}, "one of relu, gelu"),
    ],
)
def test_config_is_validated(changes, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig.tiny(12, 9, **changes)
    assert TransformerConfig(12, 9, width=33, heads=3, positions="learned").width == 33


def test_presets():
    base = TransformerConfig.base(37_000, 37_000, tie="all")
    assert (base.width, base.heads, base.layers, base.hidden) == (512, 8, 6, 2048)
    assert base.norm == "post" and base.dropout == 0.1
    assert (base.source_vocab, TransformerConfig.base(5, 7).target_vocab) == (37_000, 7)
    assert (TINY.width, TINY.heads, TINY.layers, TINY.hidden) == (32, 2, 2, 64)
    plain = TransformerConfig(9, 8, 128, 4, 2, 512, 0.0, "pre", "sinusoidal", 512, "target", "relu")
    assert len({TransformerConfig.lab(9, 8), TransformerConfig(9, 8), plain}) == 1
    assert TransformerConfig.lab(9, 8, layers=3) == replace(plain, layers=3)
    stacks = build(activation="gelu").encoder, build(activation="gelu").decoder
    assert all(
        layer.feed_forward.activation is F.gelu for stack in stacks for layer in stack.layers
    )
    dropouts = [m.p for m in build(dropout=0.3).modules() if isinstance(m, nn.Dropout)]
    assert dropouts == [0.3] * (2 + 2 * 2 + 3 * 2)


def test_rotary_angles_are_made_on_the_device_of_the_model():
    config = replace(TINY, positions="rotary")
    angles = transformer_model._rotary(config, torch.ones(1, 3, 32, device="meta"))
    assert angles.device.type == "meta" and angles.shape == (3, 16)
