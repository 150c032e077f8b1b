"""What training makes small."""

import math

import pytest
import torch
from torch import nn

from course_lib.data.batching import StreamSampler
from course_lib.recurrent.language_model import RNNLanguageModel, RNNLanguageModelConfig
from course_lib.training.losses import StreamLoss, sequence_loss, translation_loss
from tests.training.models import Pairs, smoothed_loss, transformer


def test_sequence_loss_is_the_mean_over_real_tokens():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    targets = torch.tensor([[1, 2, 4], [3, 0, 0]])
    rows = [(0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 3)]
    by_hand = -sum(logits.log_softmax(-1)[b, t, v] for b, t, v in rows) / len(rows)
    loss = sequence_loss(logits, targets)
    torch.testing.assert_close(loss, by_hand)
    loss.backward()
    assert logits.grad[1, 1:].abs().max() == 0  # padding teaches nothing
    other = sequence_loss(logits, targets, pad=3)  # then the zeros count
    assert other != loss and other.isfinite()


def test_label_smoothing_punishes_certainty_and_leaves_a_guess_alone():
    targets = torch.tensor([[1, 2]])
    sure = 50 * nn.functional.one_hot(targets, 5).float()
    assert (
        sequence_loss(sure, targets, label_smoothing=0.1) > 1 > 1e-3 > sequence_loss(sure, targets)
    )
    for smoothing in (0.0, 0.1):
        loss = sequence_loss(torch.zeros(1, 2, 7), targets, label_smoothing=smoothing)
        assert loss.item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_many_tokens_in_16_bits_are_summed_up_in_32(dtype):
    logits = torch.zeros(64, 600, 20, dtype=dtype)
    targets = torch.ones(64, 600, dtype=torch.long)
    loss = sequence_loss(logits, targets)  # the sum, 115,000 nats, is beyond float16
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(math.log(20))


def test_translation_loss_smooths_by_one_argument():
    """(1 - ε) · cross-entropy + ε · the mean of −log p over all V tokens, per real token."""
    model, batch = transformer().eval(), Pairs().batch(0)
    log_probs = model(batch.source, batch.target[:, :-1]).log_softmax(-1)
    expected = batch.target[:, 1:]
    plain = -log_probs.gather(-1, expected[..., None])[..., 0]
    smooth = 0.9 * plain + 0.1 * -log_probs.mean(-1)
    real = expected != 0
    torch.testing.assert_close(smoothed_loss(model, batch), smooth[real].mean())
    torch.testing.assert_close(translation_loss(model, batch), plain[real].mean())
    assert real.sum() < real.numel()


@pytest.mark.parametrize(
    ("logits", "targets", "said"),
    [
        ((2, 4, 5), torch.ones(2, 3), r"\(2, 4, 5\) and targets \(2, 3\)"),
        ((2, 3, 5), torch.ones(3, 2), r"expected \(B, T, V\)"),
        ((6, 5), torch.ones(6), r"expected \(B, T, V\)"),
        ((2, 3, 5), torch.zeros(2, 3), "0 of them real"),
    ],
)
def test_what_would_be_compared_wrongly_is_refused(logits, targets, said):
    with pytest.raises(ValueError, match=said):
        sequence_loss(torch.zeros(logits), targets.long())


def test_stream_loss_carries_the_state_but_not_the_gradient():
    torch.manual_seed(0)
    model = RNNLanguageModel(RNNLanguageModelConfig(20, width=8))
    sampler = StreamSampler(torch.randint(4, 20, (400,)), 4, 6)
    loss = StreamLoss()
    loss(model, sampler.batch(0))
    assert not loss.state.requires_grad
    carried = loss(model, sampler.batch(1)).item()
    assert carried != pytest.approx(StreamLoss()(model, sampler.batch(1)).item(), abs=1e-7)
    first = StreamLoss()(model, sampler.batch(0)).item()
    assert loss(model, sampler.batch(0)).item() == pytest.approx(first)  # fresh streams forget
