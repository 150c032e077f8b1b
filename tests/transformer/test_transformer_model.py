"""The Transformer: equal to torch's on copied weights, and what its mathematics promises."""

from dataclasses import replace

import pytest
import torch
from test_layers import PADDING, copy_layer, gradients_of, gradients_of_layer, shake
from torch import nn
from torch.nn import functional as F

from course_lib.attention.masks import causal_mask, to_torch_key_padding
from course_lib.attention.positions import sinusoidal
from course_lib.decoding import search
from course_lib.transformer.model import Transformer, TransformerConfig

ROWS = [[5, 6, 7, 8, 9], [10, 4, 11], [7]]
VARIANTS = {
    "pre": {},
    "post": {"norm": "post"},
    "learned, gelu": {"positions": "learned", "max_length": 12, "activation": "gelu"},
    "no positions": {"positions": "none", "tie": "none"},
    "one head, one layer": {"heads": 1, "layers": 1},
    "all tied": {"tie": "all", "source_vocab": 12, "target_vocab": 12},
}


def batch(rows: list[list[int]], width: int | None = None) -> torch.Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def build(seed: int = 3, **changes) -> Transformer:
    torch.manual_seed(seed)
    return Transformer(replace(TransformerConfig.tiny(12, 9), **changes)).eval()


@pytest.fixture(params=VARIANTS, name="model")
def fixture_model(request) -> Transformer:
    return build(**VARIANTS[request.param])


def targets(length: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randint(1, 9, (3, length))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("masked", [True, False])
def test_stacks_equal_torch(norm, masked):
    model = shake(build(norm=norm))
    theirs = nn.Transformer(
        32, 2, 2, 2, 64, dropout=0.0, norm_first=norm == "pre", batch_first=True
    ).double()
    if norm == "post":  # torch normalizes the last layer's result once more; the paper does not
        theirs.encoder.norm = theirs.decoder.norm = None
    sides = (model.encoder, theirs.encoder), (model.decoder, theirs.decoder)
    for mine, other in sides:
        for a, b in zip(mine.layers, other.layers, strict=True):
            copy_layer(a, b)
        if norm == "pre":
            other.norm.load_state_dict(mine.norm.state_dict())
    x, y = (torch.randn(2, n, 32, dtype=torch.double, requires_grad=True) for n in (5, 4))
    real = PADDING if masked else torch.ones_like(PADDING)
    mask = real[:, None, None]
    states, _ = model.encoder(x, mask)
    out, state, _ = model.decoder(y, model.decoder.init_state(states, mask))
    assert state.length == 4
    padding = to_torch_key_padding(real)
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    expected = theirs(x, y, tgt_mask=~causal_mask(4), **masks)
    torch.testing.assert_close(out, expected)

    target = torch.randn_like(out)
    pairs = []
    for result in (out, expected):
        pairs.append(torch.autograd.grad((result * target).sum(), (x, y), retain_graph=True))
        (result * target).sum().backward()
    for a, b in zip(*pairs, strict=True):
        torch.testing.assert_close(a, b)
    for mine, other in sides:
        for a, b in zip(mine.layers, other.layers, strict=True):
            for first, second in gradients_of_layer(a, b):
                torch.testing.assert_close(first, second)
        if norm == "pre":
            for first, second in gradients_of(mine.norm, other.norm):
                torch.testing.assert_close(first, second)


@torch.no_grad()
def test_the_whole_is_the_sum_of_its_parts():
    """Embeddings times √D plus positions in, a linear map out."""
    model = build(tie="none")
    source, target = batch(ROWS), targets(4)
    x = model.source_embedding.embedding.weight[source] * 32**0.5 + sinusoidal(5, 32)
    y = model.target_embedding.embedding.weight[target] * 32**0.5 + sinusoidal(4, 32)
    mask = (source != 0)[:, None, None]
    states, _ = model.encoder(x, mask)
    out, _, _ = model.decoder(y, model.decoder.init_state(states, mask))
    expected = out @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(source, target), expected)


def test_a_later_word_leaves_earlier_logits_bit_equal(model):
    source, target = batch(ROWS), targets(6)
    changed = target.clone()
    changed[:, 4] = changed[:, 4] % 8 + 1
    before, after = model(source, target), model(source, changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().amax((0, 2)).min() > 1e-4


def test_padding_changes_nothing(model):
    target = targets(6)
    logits = model(batch(ROWS), target)
    wide = model(batch(ROWS, width=11), F.pad(target, (0, 4)))
    torch.testing.assert_close(wide[:, :6], logits, atol=1e-6, rtol=1e-6)


def test_batch_equals_sentences_one_by_one(model):
    target = targets(4)
    logits = model(batch(ROWS), target)
    for b, row in enumerate(ROWS):
        own = model(torch.tensor([row]), target[b : b + 1])
        torch.testing.assert_close(own[0], logits[b], atol=1e-5, rtol=0)


@torch.no_grad()
def test_cache_equals_no_cache(model):
    source, target = batch(ROWS), targets(9)
    state = model.init_state(source)
    for t in range(9):
        log_probs, state = model.step(target[:, t], state)
        expected = model(source, target[:, : t + 1])[:, -1].log_softmax(-1)
        torch.testing.assert_close(log_probs, expected, atol=1e-5, rtol=0)
    assert state.length == 9


@torch.no_grad()
def test_the_decoder_reads_in_pieces_of_any_length(model):
    source, x = batch(ROWS), torch.randn(3, 7, 32)
    states, mask, _ = model.encode(source)
    first = model.decoder.init_state(states, mask)
    whole, _, looks = model.decoder(x, first, need_weights=True)
    state, pieces = first, []
    for start, end in ((0, 2), (2, 3), (3, 7)):
        out, state, part = model.decoder(x[:, start:end], state, need_weights=True)
        pieces.append(out)
        for (own, _), (expected, _) in zip(part, looks, strict=True):
            torch.testing.assert_close(own, expected[:, :, start:end, :end], atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=0)


@torch.no_grad()
def test_source_words_are_prepared_once_and_states_stay_as_they_are(model):
    first = model.init_state(batch(ROWS))
    _, second = model.step(torch.tensor([1, 2, 3]), first)
    assert first.length == 0 and first.past[0] is None
    assert second.source is first.source
    shape = second.past[0][0].shape
    once, _ = model.step(torch.tensor([4, 5, 6]), second)
    again, _ = model.step(torch.tensor([4, 5, 6]), second)
    assert torch.equal(once, again)
    assert second.past[0][0].shape == shape


@torch.no_grad()
def test_reorder_picks_and_repeats_rows(model):
    state = model.init_state(batch(ROWS))
    index = torch.tensor([2, 2, 0, 1])
    fresh = model.reorder(state, index)
    _, state = model.step(torch.tensor([1, 2, 3]), state)
    _, fresh = model.step(torch.tensor([1, 2, 3])[index], fresh)
    tokens = torch.tensor([4, 5, 6])
    expected = model.step(tokens, state)[0][index]
    for moved in (model.reorder(state, index), fresh):
        torch.testing.assert_close(
            model.step(tokens[index], moved)[0], expected, atol=1e-6, rtol=1e-5
        )


def test_beam_of_one_is_greedy(model):
    source = batch(ROWS)
    assert search.beam(model, source, 7, width=1) == search.greedy(model, source, 7)


@torch.no_grad()
def test_positions_make_word_order_count():
    source, turned = torch.tensor([[5, 6, 7]]), torch.tensor([[7, 6, 5]])
    for changes, moves in (({}, True), ({"positions": "none"}, False)):
        model = build(**changes)
        difference = (model(source, targets(2)[:1]) - model(turned, targets(2)[:1])).abs().max()
        assert (difference > 1e-3) == moves


@torch.no_grad()
def test_weights_of_every_head(model):
    source, target = batch(ROWS), targets(4)
    logits, looks = model.with_weights(source, target)
    torch.testing.assert_close(logits, model(source, target), atol=1e-5, rtol=1e-5)
    layers, heads = model.config.layers, model.config.heads
    sizes = {"encoder": (5, 5), "decoder": (4, 4), "source": (4, 5)}
    for name, size in sizes.items():
        weights = torch.stack(getattr(looks, name))
        assert weights.shape == (layers, 3, heads, *size)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    real = (source != 0)[None, :, None, None]
    for name in ("encoder", "source"):
        weights = torch.stack(getattr(looks, name))
        assert torch.equal(weights > 0, real.expand_as(weights))
    assert torch.stack(looks.decoder).triu(1).abs().max() == 0


def test_the_target_reads_the_source(model):
    before = model(batch([[5, 6, 7]]), torch.tensor([[1, 4, 5]]))
    after = model(batch([[5, 8, 7]]), torch.tensor([[1, 4, 5]]))
    assert (before - after).abs().amax(-1).min() > 1e-3


def test_nothing_is_stored_on_the_model(model):
    held = [set(vars(module)) for module in model.modules()]
    model.with_weights(batch(ROWS), targets(3))
    model.step(torch.tensor([1, 1, 1]), model.init_state(batch(ROWS)))
    assert [set(vars(module)) for module in model.modules()] == held
    assert list(model.buffers()) == []


def test_all_weights_learn(model):
    model(batch(ROWS), targets(3)).square().sum().backward()
    for name, parameter in model.named_parameters():
        if name.endswith("key.bias"):  # adds the same to all scores of a query: no effect at all
            assert parameter.grad.abs().max() < 1e-4
        else:
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("tie", ["none", "target", "all"])
def test_tied_matrices_are_one(tie):
    model = build(tie=tie, source_vocab=9)
    matrices = (
        model.source_embedding.embedding.weight,
        model.target_embedding.embedding.weight,
        model.output.weight,
    )
    assert len({id(m) for m in matrices}) == {"none": 3, "target": 2, "all": 1}[tie]
    logits = model(torch.tensor([[5, 6]]), torch.tensor([[1, 4]]))
    assert logits.std() < 3


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


def test_gradients_match_finite_differences():
    model = build(width=4, hidden=6, layers=1, norm="post").double()
    source, target = batch(ROWS[1:]), targets(2)[:2]
    parameters = list(model.parameters())
    names = [name for name, _ in model.named_parameters()]

    def loss(*values):
        given = dict(zip(names, values, strict=True))
        logits = torch.func.functional_call(model, given, (source, target))
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())

    given = [p.detach().requires_grad_() for p in parameters]
    assert torch.autograd.gradcheck(loss, given, fast_mode=True)


@pytest.mark.parametrize("name", ["pre", "post", "learned, gelu"])
def test_overfits_one_batch_and_writes_it(name):
    model = build(**VARIANTS[name]).train()
    source = batch(ROWS)
    target = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 4, 8, 2], [1, 8, 8, 4, 2]])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        logits = model(source, target[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    assert loss.item() < 0.01
    expected = target[:, 1:-1].tolist()
    assert search.greedy(model, batch(ROWS, width=8), 6) == expected
    assert search.beam(model, source, 6, width=3) == expected


def test_wrong_sentences_are_named():
    model = build(positions="learned", max_length=4)
    with pytest.raises(ValueError, match="row 1 is an empty sentence"):
        model(torch.tensor([[5, 6], [0, 0]]), torch.tensor([[1], [1]]))
    with pytest.raises(ValueError, match="row 0 has a token after padding"):
        model(torch.tensor([[5, 0, 6]]), torch.tensor([[1]]))
    with pytest.raises(ValueError, match="target contains id 9"):
        model(torch.tensor([[5]]), torch.tensor([[1, 9]]))
    with pytest.raises(ValueError, match="3 sentences, target_in has 2"):
        model(batch(ROWS), torch.tensor([[1], [1]]))
    with pytest.raises(ValueError, match="there are vectors for 0 to 3"):
        model(batch(ROWS), targets(3))
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
        ({"positions": "rotary"}, "positions must be one of sinusoidal, learned, none"),
        ({"tie": "all"}, "got 12 and 9 ids; choose tie='target'"),
        ({"activation": "tanh"}, "one of relu, gelu"),
    ],
)
def test_config_is_validated(changes, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig.tiny(12, 9, **changes)


def test_presets():
    base = TransformerConfig.base(37_000, 37_000, tie="all")
    assert (base.width, base.heads, base.layers, base.hidden) == (512, 8, 6, 2048)
    assert base.norm == "post" and base.dropout == 0.1
    assert TransformerConfig.lab(9, 9, layers=3).layers == 3
