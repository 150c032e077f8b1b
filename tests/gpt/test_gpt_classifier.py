"""A GPT for tasks: rows with their marks, the state that is read, and the second loss."""

import pytest
import torch
from torch.nn import functional as F

from course_lib.data.batching import pad
from course_lib.gpt.classifier import classifier, marks_for, one_text, tuning_loss, two_texts
from course_lib.gpt.model import GPT, GPTConfig
from course_lib.text.words import BOS, PAD
from course_lib.transfer.classify import TextBatch

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
    assert MARKS == (BOS, 11, 12) and marks_for(50_257, 50_256) == (50_256, 50_257, 50_258)
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


def test_what_stands_behind_the_mark_is_not_read(model):
    """Whatever its id: in published vocabularies 0 is a token like any other."""
    row = torch.tensor([[1, 0, 5, 0, 12]])
    filled = torch.cat([row, torch.tensor([[0, 7, 12]])], 1)
    torch.testing.assert_close(model(row), model(filled))
    batches = [TextBatch(tokens, torch.tensor([1])) for tokens in (row, filled)]
    losses = [tuning_loss(model, batch, auxiliary=0.5) for batch in batches]
    torch.testing.assert_close(*losses)


def test_a_row_without_the_mark_is_refused(model):
    with pytest.raises(ValueError, match="Row 1 has no extract mark 12"):
        model(torch.tensor([[1, 5, 12], [1, 5, 2]]))


def test_the_body_grows_by_two_rows_and_has_the_dropout(body):
    new = classifier(body, 3, seed=1, dropout=0.3)
    assert new.body.config.vocab_size == 13 and new.head.out_features == 3
    assert new.dropout.p == new.body.drop.p == 0.3
    assert classifier(body, 3, seed=1).dropout.p == body.config.dropout == 0.0
    assert new.head.weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert (new.head.bias == 0).all()


def test_the_second_loss_is_that_of_the_next_token(model):
    tokens = rows([5, 0, 7], [8])
    batch = TextBatch(tokens, torch.tensor([0, 1]))
    plain = tuning_loss(model, batch)
    torch.testing.assert_close(plain, F.cross_entropy(model(tokens), batch.labels))
    logits = F.linear(model.body(tokens), model.body.wte.weight)
    asked = [(0, t, tokens[0, t + 1]) for t in range(4)] + [
        (1, t, tokens[1, t + 1]) for t in (0, 1)
    ]
    nats = torch.stack([-logits[row, t].log_softmax(-1)[token] for row, t, token in asked])
    both = tuning_loss(model, batch, auxiliary=0.5)
    torch.testing.assert_close(both, plain + 0.5 * nats.mean())
