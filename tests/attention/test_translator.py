"""The translator with attention."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.attention.attend import attend
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from course_lib.recurrent.encoder_decoder import EncoderDecoder, Seq2SeqConfig
from tests.translator_promises import LONG, PROMISES, ROWS, SIZES, batch, targets

SCORES = ("additive", "dot", "general", "scaled_dot")
VARIANTS = {
    **{name: {"score": name} for name in SCORES},
    "forward encoder": {"bidirectional": False},
    "deep, reversed": {"layers": 2, "reverse_source": True},
}


@pytest.fixture(params=VARIANTS)
def model(request) -> AttentionEncoderDecoder:
    torch.manual_seed(3)
    return AttentionEncoderDecoder(AttentionConfig.tiny(*SIZES, **VARIANTS[request.param])).eval()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promises(model, promise):
    promise(model)


def test_weights_belong_to_the_real_words(model):
    source, target = batch(width=7), targets(4)
    logits, weights = model.with_weights(source, target)
    torch.testing.assert_close(logits, model(source, target))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4))
    assert torch.equal(weights > 0, (source != 0)[:, None].expand(3, 4, 7))
    assert (weights[0, 1:] - weights[0, :-1]).abs().amax(-1).min() > 1e-6  # new at every step
    for b, row in enumerate(ROWS):
        _, own = model.with_weights(torch.tensor([row]), target[b : b + 1])
        torch.testing.assert_close(weights[b, :, : len(row)], own[0], atol=1e-6, rtol=0)


def test_the_query_is_the_top_state_before_the_word(model):
    state = model.init_state(batch())
    tokens = torch.tensor([[1, 4], [1, 5], [1, 6]])
    _, weights, _ = model.decoder.with_weights(tokens, state)
    score = getattr(model.decoder.score, "from_prepared", model.decoder.score)
    for t in range(2):
        query = state.hidden[-1][:, None]
        _, expected = attend(query, state.keys, state.values, state.mask, score=score)
        torch.testing.assert_close(weights[:, t], expected[:, 0], atol=1e-6, rtol=0)
        _, state = model.decoder(tokens[:, t : t + 1], state)


def test_weights_and_predictions_move_with_the_encoder_states(model):
    target = targets(4)[:1]
    state = model.init_state(batch([LONG]))
    states, last = model.encoder(batch([LONG]))
    # Only the states move: the first state of the decoder, which also knows the source, does not.
    moved = model.decoder.init_state(states.flip(1), last, torch.ones(1, 5, dtype=torch.bool))
    assert torch.equal(moved.hidden, state.hidden)
    logits, weights, _ = model.decoder.with_weights(target, state)
    _, other, _ = model.decoder.with_weights(target, moved)
    # The mean over all words forgets their order, so it is the weights that turn round with it.
    torch.testing.assert_close(other, weights.flip(-1), atol=1e-6, rtol=0)
    assert (other - weights).abs().max() > 1e-3
    louder = state._replace(values=state.values * 2)
    assert (model.decoder(target, louder)[0] - logits).abs().max() > 1e-3


def test_with_one_vector_to_look_at_it_is_the_fixed_vector_decoder(model):
    """What the two models differ in is c_t for c, and nothing else."""
    shared = {k: v for k, v in model.state_dict().items() if not k.startswith("decoder.score")}
    fields = {k: v for k, v in vars(model.config).items() if k != "score"}
    fixed = EncoderDecoder(Seq2SeqConfig(**fields)).eval()
    fixed.load_state_dict(shared)
    _, last = model.encoder(batch())
    one = torch.ones(3, 1, dtype=torch.bool)
    logits, _ = model.decoder(targets(4), model.decoder.init_state(last.unsqueeze(1), last, one))
    torch.testing.assert_close(logits, fixed(batch(), targets(4)), atol=1e-5, rtol=0)


def test_same_seed_gives_the_shared_weights_of_the_fixed_vector_model():
    torch.manual_seed(5)
    fixed = EncoderDecoder(Seq2SeqConfig.tiny(12, 9, bidirectional=True)).state_dict()
    torch.manual_seed(5)
    ours = AttentionEncoderDecoder(AttentionConfig.tiny(12, 9)).state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in fixed.items())
    assert {n for n in ours if n not in fixed} == {
        f"decoder.score.{part}.weight" for part in ("query", "key", "energy")
    }


def work_of_one_step(name: str, length: int) -> int:
    """Multiplications and additions of one decoding step with a source of that length."""
    model = AttentionEncoderDecoder(AttentionConfig.tiny(12, 9, score=name)).eval()
    state = model.init_state(torch.full((1, length), 5))
    with FlopCounterMode(display=False) as counter:
        model.decoder.with_weights(torch.tensor([[1]]), state)
    return counter.get_total_flops()


@pytest.mark.parametrize("name", SCORES)
def test_one_step_is_linear_in_the_source_and_prepares_no_key_again(name):
    work = {length: work_of_one_step(name, length) for length in (10, 20, 50)}
    # For each word D products for its score and D for the mean; D² would be U k once more.
    per_word = 2 * (32 + 32)
    assert work[20] - work[10] == 10 * per_word
    assert work[50] - work[20] == 30 * per_word


def test_config():
    plain = AttentionConfig(12, 9, bidirectional=True, score="additive")
    assert len({AttentionConfig.lab(12, 9), AttentionConfig(12, 9), plain}) == 1
    with pytest.raises(ValueError, match="score must be one of additive, dot.*'cosine'"):
        AttentionConfig(12, 9, score="cosine")
    with pytest.raises(ValueError, match="is odd"):
        AttentionConfig(12, 9, width=33)
