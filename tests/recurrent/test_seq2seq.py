"""The fixed-vector translator: padding, packing, decoding one step at a time, and its errors."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_lib.recurrent.encoder_decoder import (
    Encoder,
    EncoderDecoder,
    Seq2SeqConfig,
    reverse_rows,
)
from course_lib.support.checks import source_lengths

VARIANTS = {
    "plain": {},
    "reversed": {"reverse_source": True},
    "bidirectional": {"bidirectional": True},
    "deep": {"layers": 2},
    "deep, bidirectional, reversed": {
        "layers": 2,
        "bidirectional": True,
        "reverse_source": True,
    },
}
ROWS = [[5, 6, 7, 8, 9], [10, 4, 11], [7]]


def batch(rows: list[list[int]], width: int | None = None) -> torch.Tensor:
    width = width or max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


@pytest.fixture(params=VARIANTS, name="model")
def fixture_model(request) -> EncoderDecoder:
    torch.manual_seed(3)
    config = Seq2SeqConfig.tiny(source_vocab=12, target_vocab=9, **VARIANTS[request.param])
    return EncoderDecoder(config).eval()


def test_padding_changes_nothing(model):
    states, last = model.encoder(batch(ROWS))
    wide_states, wide_last = model.encoder(batch(ROWS, width=11))
    torch.testing.assert_close(last, wide_last, atol=1e-6, rtol=0)
    torch.testing.assert_close(states, wide_states[:, :5], atol=1e-6, rtol=0)
    assert wide_states[:, 5:].abs().max() == 0


def test_packed_batch_equals_sentences_one_by_one(model):
    states, last = model.encoder(batch(ROWS))
    for b, row in enumerate(ROWS):
        own_states, own_last = model.encoder(torch.tensor([row]))
        torch.testing.assert_close(last[b], own_last[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(states[b, : len(row)], own_states[0], atol=1e-6, rtol=0)


def test_shapes(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 4))
    states, last = model.encoder(source)
    assert states.shape == (3, 5, 32)
    assert last.shape == (3, 32)
    assert model(source, target).shape == (3, 4, 9)


def test_one_step_at_a_time_equals_teacher_forcing(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 6))
    at_once = model(source, target).log_softmax(-1)
    state = model.init_state(source)
    for t in range(6):
        log_probs, state = model.step(target[:, t], state)
        torch.testing.assert_close(log_probs, at_once[:, t], atol=1e-5, rtol=0)


def test_a_later_target_word_leaves_earlier_predictions_alone(model):
    source, target = batch(ROWS), torch.randint(1, 9, (3, 6))
    changed = target.clone()
    changed[:, 4] = (changed[:, 4] % 8) + 1
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4] - after[:, 4]).abs().max() > 1e-4


def test_every_source_word_reaches_the_decoder(model):
    rows = [[5, 6, 7, 8, 9]]
    before = model(torch.tensor(rows), torch.tensor([[1, 4]]))
    for s in range(5):
        other = [row.copy() for row in rows]
        other[0][s] = 4
        after = model(torch.tensor(other), torch.tensor([[1, 4]]))
        assert (before - after).abs().max() > 1e-6


def test_context_is_fed_at_every_step(model):
    state = model.init_state(batch(ROWS))
    other = state._replace(context=state.context + 1)
    tokens = torch.tensor([1, 1, 1])
    a, state = model.step(tokens, state)
    b, other = model.step(tokens, other)
    assert (a - b).abs().max() > 1e-4
    same_hidden = other._replace(hidden=state.hidden)
    assert (model.step(tokens, state)[0] - model.step(tokens, same_hidden)[0]).abs().max() > 1e-4


def test_reorder_picks_and_repeats_rows(model):
    state = model.init_state(batch(ROWS))
    _, state = model.step(torch.tensor([1, 2, 3]), state)
    index = torch.tensor([2, 2, 0, 1])
    moved = model.reorder(state, index)
    tokens = torch.tensor([4, 5, 6])
    expected = model.step(tokens, state)[0][index]
    torch.testing.assert_close(model.step(tokens[index], moved)[0], expected)


def test_reversed_source_equals_feeding_reversed_rows():
    torch.manual_seed(0)
    plain = Encoder(Seq2SeqConfig.tiny(12, 9))
    turned = Encoder(Seq2SeqConfig.tiny(12, 9, reverse_source=True))
    turned.load_state_dict(plain.state_dict())
    states, last = turned(batch(ROWS))
    backwards = batch([row[::-1] for row in ROWS])
    expected_states, expected_last = plain(backwards)
    torch.testing.assert_close(last, expected_last)
    torch.testing.assert_close(states, reverse_rows(expected_states, source_lengths(backwards)))
    assert (last - plain(batch(ROWS))[1]).abs().max() > 1e-3


def test_reverse_rows_keeps_padding_and_undoes_itself():
    rows = batch([[5, 6, 7], [8]])
    lengths = torch.tensor([3, 1])
    assert reverse_rows(rows, lengths).tolist() == [[7, 6, 5], [8, 0, 0]]
    assert torch.equal(reverse_rows(reverse_rows(rows, lengths), lengths), rows)


def test_no_gradient_reaches_the_embedding_of_padding():
    model = EncoderDecoder(Seq2SeqConfig.tiny(12, 9))
    model(batch(ROWS), torch.tensor([[1, 2], [1, 3], [1, 4]])).sum().backward()
    assert model.encoder.embedding.weight.grad[0].abs().max() == 0
    assert model.encoder.embedding.weight.grad[5].abs().max() > 0


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_overfits_one_batch(changes):
    torch.manual_seed(0)
    model = EncoderDecoder(Seq2SeqConfig.tiny(12, 9, **changes))
    source = batch(ROWS)
    target = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 4, 8, 2], [1, 8, 8, 4, 2]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        logits = model(source, target[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert torch.equal(logits.argmax(-1), target[:, 1:])


def test_empty_sentence_is_named(model):
    with pytest.raises(ValueError, match="row 1 is an empty sentence"):
        model.encoder(torch.tensor([[5, 6], [0, 0]]))


def test_padding_before_a_token_is_named(model):
    with pytest.raises(ValueError, match="row 0 has a token after padding"):
        model.encoder(torch.tensor([[0, 6], [5, 6]]))


@pytest.mark.parametrize("wrong", [12, -1])
def test_wrong_source_id_is_named(model, wrong):
    with pytest.raises(ValueError, match=rf"source contains id {wrong}.*0 to 11"):
        model.encoder(torch.tensor([[5, wrong]]))


def test_wrong_target_id_is_named(model):
    with pytest.raises(ValueError, match="target contains id 9"):
        model(torch.tensor([[5]]), torch.tensor([[1, 9]]))


@pytest.mark.parametrize(
    "source", [torch.ones(2, 3), torch.ones(3).long(), torch.ones(0, 3).long()]
)
def test_wrong_shape_or_type_is_named(model, source):
    with pytest.raises(ValueError, match="torch.long"):
        model.encoder(source)


def test_batches_must_pair(model):
    with pytest.raises(ValueError, match="3 sentences, target_in has 2"):
        model(batch(ROWS), torch.tensor([[1], [1]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be a positive"),
        ({"layers": 1.5}, "layers must be a positive"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"width": 33, "bidirectional": True}, "is odd"),
    ],
)
def test_config_is_validated(changes, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqConfig(12, 9, **changes)


def test_lab_preset_has_about_250_000_parameters():
    model = EncoderDecoder(Seq2SeqConfig.lab(110, 110))
    assert 200_000 < sum(p.numel() for p in model.parameters()) < 300_000
