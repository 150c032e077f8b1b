"""The fixed-vector translator."""

import pytest
import torch

from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig, reverse_rows
from course_lib.support.checks import source_lengths
from tests.translator_promises import LONG, PROMISES, ROWS, SIZES, batch

VARIANTS = {
    "plain": {},
    "reversed": {"reverse_source": True},
    "bidirectional": {"bidirectional": True},
    "deep": {"layers": 2},
    "deep, bidirectional, reversed": {"layers": 2, "bidirectional": True, "reverse_source": True},
}


def build(**changes) -> EncoderDecoder:
    torch.manual_seed(3)
    return EncoderDecoder(Seq2SeqConfig.tiny(*SIZES, **changes)).eval()


@pytest.fixture(params=VARIANTS)
def model(request) -> EncoderDecoder:
    return build(**VARIANTS[request.param])


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promises(model, promise):
    promise(model)


def test_a_state_belongs_to_its_word(model):
    states, last = model.encoder(batch(width=7))
    assert states.shape == (3, 7, 32) and last.shape == (3, 32)
    for b, row in enumerate(ROWS):
        own_states, own_last = model.encoder(torch.tensor([row]))
        torch.testing.assert_close(last[b], own_last[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(states[b, : len(row)], own_states[0], atol=1e-6, rtol=0)
        assert (states[b, len(row) :] == 0).all()


def test_the_vector_handed_over():
    for changes in VARIANTS.values():
        encoder = build(**changes).encoder
        states, last = encoder(batch([LONG]))
        if encoder.bridge is None:
            end = states[0, 0] if changes.get("reverse_source") else states[0, -1]
        else:  # each direction ends at the other side
            a, b = states[0, 0], states[0, -1]
            a, b = (a, b) if changes.get("reverse_source") else (b, a)
            end = encoder.bridge(torch.cat([a[:16], b[16:]])).tanh()
        torch.testing.assert_close(last[0], end)


def test_context_sets_the_first_state_and_is_fed_at_every_step(model):
    state, layers = model.init_state(batch()), model.config.layers
    _, last = model.encoder(batch())
    torch.testing.assert_close(state.context, last)
    first = model.decoder.start(last).tanh().view(3, layers, 32)
    torch.testing.assert_close(state.hidden, first.transpose(0, 1))
    other = state._replace(context=state.context + 1)
    for _ in range(2):
        tokens = torch.tensor([1, 1, 1])
        a, state = model.step(tokens, state)
        b, other = model.step(tokens, other)
        assert (a - b).abs().max() > 1e-4
        other = other._replace(hidden=state.hidden)


def test_reversed_source_equals_feeding_reversed_rows():
    plain, turned = build().encoder, build(reverse_source=True).encoder
    turned.load_state_dict(plain.state_dict())
    states, last = turned(batch())
    backwards = batch([row[::-1] for row in ROWS])
    expected_states, expected_last = plain(backwards)
    torch.testing.assert_close(last, expected_last)
    torch.testing.assert_close(states, reverse_rows(expected_states, source_lengths(backwards)))
    assert (last - plain(batch())[1]).abs().max() > 1e-3


def test_reverse_rows_keeps_padding_and_undoes_itself():
    rows, lengths = batch([[5, 6, 7], [8]]), torch.tensor([3, 1])
    assert reverse_rows(rows, lengths).tolist() == [[7, 6, 5], [8, 0, 0]]
    assert torch.equal(reverse_rows(reverse_rows(rows, lengths), lengths), rows)
    assert reverse_rows(rows.to("meta"), lengths.to("meta")).device.type == "meta"


def test_no_gradient_reaches_the_embedding_of_padding():
    model = build()
    model(batch(), torch.tensor([[1, 2], [1, 3], [1, 0]])).sum().backward()
    for side in (model.encoder, model.decoder):
        assert side.embedding.weight[0].abs().max() == 0
        assert side.embedding.weight.grad[0].abs().max() == 0
    assert model.encoder.embedding.weight.grad[5].abs().max() > 0


def test_dropout_also_acts_between_the_layers():
    deep = build(layers=2, dropout=0.25)
    assert [deep.encoder.rnn.dropout, deep.decoder.rnn.dropout] == [0.25, 0.25]
    flat = build(dropout=0.25)
    assert [flat.encoder.rnn.dropout, flat.decoder.rnn.dropout] == [0, 0]
    assert flat.encoder.dropout.p == flat.decoder.dropout.p == 0.25


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dropout": 1.0}, "dropout must be"),
        ({"width": 33, "bidirectional": True}, "33 is odd"),
    ],
)
def test_config_is_validated(changes, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqConfig(12, 9, **changes)


def test_presets():
    same = Seq2SeqConfig(110, 90, 128, 64, 1, 0.0, False, False)
    assert len({Seq2SeqConfig.lab(110, 90), Seq2SeqConfig(110, 90), same}) == 1
    assert Seq2SeqConfig(12, 9, width=33).width == 33  # odd where one direction reads
    assert 200_000 < sum(
        p.numel() for p in EncoderDecoder(Seq2SeqConfig.lab(110, 110)).parameters()
    )
    tiny = Seq2SeqConfig.tiny(12, 9, layers=3)
    assert (tiny.width, tiny.embedding, tiny.layers) == (32, 16, 3)
