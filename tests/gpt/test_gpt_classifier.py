"""A GPT for tasks: rows with their marks, the state that is read, and the second loss."""

import pytest
import torch
from torch.nn import functional as F

from course_lib.data.batching import pad
from course_lib.gpt import classifier as gpt_classifier
from course_lib.gpt.classifier import (
    GPTClassifier,
    TuningLoss,
    classifier,
    marks_for,
    one_text,
    two_texts,
)
from course_lib.gpt.model import GPT, GPTConfig, adamw
from course_lib.text.words import BOS, PAD
from course_lib.training import loop
from course_lib.ulmfit import classifier as ulmfit_classifier
from course_lib.ulmfit.classifier import TextBatch, TextSampler

MARKS = marks_for(11)  # start 1, delimiter 11, extract 12


@pytest.fixture
def body():
    torch.manual_seed(0)
    return GPT(GPTConfig.tiny(11)).body.eval()


@pytest.fixture
def model(body):
    return classifier(body, 2, seed=0).eval()


def rows(*texts):
    return pad([one_text(text, MARKS, 16) for text in texts], PAD)


def test_one_text_is_cut_at_its_end():
    assert MARKS == (BOS, 11, 12)
    assert one_text([5, 6], MARKS, 10) == [1, 5, 6, 12]
    assert one_text(list(range(10_000)), MARKS, 6) == [1, 0, 1, 2, 3, 12]
    assert one_text([], MARKS, 6) == [1, 12]
    with pytest.raises(ValueError, match="at least 3"):
        one_text([5], MARKS, 2)


@pytest.mark.parametrize("lengths", [(0, 0), (1, 30), (30, 1), (9, 9), (30, 30), (7, 8)])
@pytest.mark.parametrize("longest", [5, 12, 19])
def test_two_texts_share_the_room(lengths, longest):
    first, second = [5] * lengths[0], [6] * lengths[1]
    row = two_texts(first, second, MARKS, longest)
    assert len(row) == min(longest, sum(lengths) + 3)
    assert (row[0], row[-1], row.count(11)) == (1, 12, 1)
    kept = row.count(5), row.count(6)
    assert row == [1, *[5] * kept[0], 11, *[6] * kept[1], 12]
    if sum(kept) < sum(lengths):  # something was cut: the longer one, as far as it is longer
        assert kept[0] == lengths[0] or kept[1] == lengths[1] or abs(kept[0] - kept[1]) <= 1


def test_two_texts_need_room():
    with pytest.raises(ValueError, match="at least 5"):
        two_texts([5], [6], MARKS, 4)


@torch.no_grad()
def test_it_reads_the_state_at_the_extract_mark(model):
    short, longer = [5, 6], [7, 8, 9, 10, 4]
    both = model(rows(short, longer))
    torch.testing.assert_close(both[:1], model(rows(short)))
    by_hand = model.head(model.body(rows(longer))[:, -1])
    torch.testing.assert_close(both[1:], by_hand)
    swapped = rows([6, 5])
    assert (model(swapped) - both[:1]).abs().max() > 1e-6  # the order counts


def test_a_row_without_the_mark_is_refused(model):
    with pytest.raises(ValueError, match="Row 1 ends with token 2, not with the extract mark 12"):
        model(torch.tensor([[1, 5, 12], [1, 5, 2]]))


def test_the_body_is_copied_and_grows_by_two_rows(body):
    before = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    model = classifier(body, 3, seed=1, dropout=0.3)
    assert model.body.config.vocab_size == 13 and model.head.out_features == 3
    assert model.dropout.p == model.body.drop.p == 0.3
    for name, tensor in model.body.state_dict().items():
        assert torch.equal(tensor[:11] if name == "wte.weight" else tensor, before[name])
    model.body.wte.weight.data.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in body.state_dict().items())


def test_from_scratch_nothing_is_copied(body):
    new = classifier(body, 2, seed=1, copied=False)
    assert (new.body.wte.weight[:11] - body.wte.weight).abs().max() > 0.01
    again = classifier(body, 2, seed=1, copied=False)
    torch.testing.assert_close(new.body.wte.weight, again.body.wte.weight, rtol=0, atol=0)
    other = classifier(body, 2, seed=2, copied=False)
    assert (new.head.weight - other.head.weight).abs().max() > 1e-4


def test_a_seed_of_their_own(body):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    classifier(body, 2, seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_the_second_loss_is_that_of_the_next_token(model):
    tokens = rows([5, 6, 7], [8])
    batch = TextBatch(tokens, torch.tensor([0, 1]))
    plain = TuningLoss()(model, batch)
    torch.testing.assert_close(plain, F.cross_entropy(model(tokens), batch.labels))
    logits = F.linear(model.body(tokens), model.body.wte.weight)
    asked = [(0, t, tokens[0, t + 1]) for t in range(4)] + [
        (1, t, tokens[1, t + 1]) for t in (0, 1)
    ]
    nats = torch.stack([-logits[row, t].log_softmax(-1)[token] for row, t, token in asked])
    torch.testing.assert_close(TuningLoss(0.5)(model, batch), plain + 0.5 * nats.mean())


def test_it_learns_the_order_of_two_tokens(body):
    """Same tokens, other order: what bags of words cannot tell."""
    texts = [one_text(text, MARKS, 16) for text in ([5, 6], [6, 5]) for _ in range(8)]
    labels = [0] * 8 + [1] * 8
    model = classifier(body, 2, seed=0)
    sampler = TextSampler(texts, labels, 8, 0)
    loop.fit(model, TuningLoss(0.1), sampler, 40, optimizer=adamw(model, 3e-3), progress=False)
    assert ulmfit_classifier.accuracy(model, texts, labels) == 1.0


def test_wrong_numbers_are_named(body):
    with pytest.raises(ValueError, match="classes"):
        GPTClassifier(body, 1)
    with pytest.raises(ValueError, match="auxiliary"):
        TuningLoss(-0.1)
    assert gpt_classifier.NEW_MARKS == 2
