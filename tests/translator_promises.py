"""What every translator of the course promises, whatever is inside: each room tests its own.

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_promises(model, promise):
        promise(model)

The model knows the ids of `SIZES`, or more on the target's side, and is in evaluation mode.
"""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from course_lib.decoding import search

SIZES = (12, 9)  # ids on each side
LONG = [5, 6, 7, 8, 9]
ROWS = [[10, 4, 11], LONG, [7]]  # not sorted by length
WRITTEN = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 4, 8, 2], [1, 8, 8, 4, 2]])


def batch(rows: list[list[int]] = ROWS, width: int | None = None) -> Tensor:
    """Rows padded on the right: (B, S)."""
    width = width or max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def targets(length: int) -> Tensor:
    """(3, T) ids without padding."""
    return torch.randint(1, 9, (3, length), generator=torch.Generator().manual_seed(1))


def padding_changes_nothing(model: nn.Module) -> None:
    logits = model(batch(), targets(6))
    wide = model(batch(width=11), pad(targets(6), (0, 4)))
    torch.testing.assert_close(wide[:, :6], logits, atol=1e-6, rtol=1e-5)


def a_batch_equals_its_sentences(model: nn.Module) -> None:
    logits = model(batch(), targets(4))
    assert logits.shape == (3, 4, model.config.target_vocab)
    for b, row in enumerate(ROWS):
        own = model(torch.tensor([row]), targets(4)[b : b + 1])
        torch.testing.assert_close(own[0], logits[b], atol=1e-5, rtol=0)


@torch.no_grad()
def one_step_at_a_time_equals_teacher_forcing(model: nn.Module) -> None:
    at_once = model(batch(), targets(9)).log_softmax(-1)
    state = model.init_state(batch())
    for t, tokens in enumerate(targets(9).T):
        again, _ = model.step(tokens, state)
        log_probs, state = model.step(tokens, state)  # the state before stays as it is
        assert torch.equal(again, log_probs)
        torch.testing.assert_close(log_probs, at_once[:, t], atol=1e-5, rtol=0)


def a_later_word_leaves_earlier_predictions_alone(model: nn.Module) -> None:
    changed = targets(6)
    changed[:, 4] = changed[:, 4] % 8 + 1
    before, after = model(batch(), targets(6)), model(batch(), changed)
    torch.testing.assert_close(before[:, :4], after[:, :4], atol=1e-6, rtol=0)
    assert (before[:, 4:] - after[:, 4:]).abs().amax((0, 2)).min() > 1e-4


def every_source_word_reaches_every_prediction(model: nn.Module) -> None:
    before = model(batch([LONG]), torch.tensor([[1, 4, 5]]))
    for s in range(5):
        row = [*LONG]
        row[s] = 4
        after = model(batch([row]), torch.tensor([[1, 4, 5]]))
        assert (before - after).abs().amax(-1).min() > 1e-6


@torch.no_grad()
def reorder_picks_and_repeats_rows(model: nn.Module) -> None:
    index, first, second = torch.tensor([2, 2, 0, 1]), torch.tensor([1, 2, 3]), targets(1)[:, 0]
    fresh = model.init_state(batch())
    _, state = model.step(first, fresh)
    expected = model.step(second, state)[0][index]
    _, moved = model.step(first[index], model.reorder(fresh, index))
    for one in (moved, model.reorder(state, index)):
        torch.testing.assert_close(model.step(second[index], one)[0], expected, atol=1e-5, rtol=0)


def nothing_is_stored(model: nn.Module) -> None:
    held = [set(vars(module)) for module in model.modules()]
    model(batch(), targets(3))
    model.step(targets(1)[:, 0], model.init_state(batch()))
    assert [set(vars(module)) for module in model.modules()] == held
    assert list(model.buffers()) == []


def all_weights_learn(model: nn.Module) -> None:
    model(batch(), targets(3)).square().sum().backward()
    # Not turned, a key's bias adds the same to all scores of a query: no effect at all.
    turned = "self_attention" if getattr(model.config, "positions", "") == "rotary" else "none"
    for name, parameter in model.named_parameters():
        if name.endswith("key.bias") and turned not in name:
            assert parameter.grad.abs().max() < 1e-4
        else:
            assert parameter.grad.abs().max() > 0, name


def dropout_acts_in_training_only(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    model.train()
    assert not torch.equal(model(batch(), targets(3)), model(batch(), targets(3)))
    model.eval()
    assert torch.equal(model(batch(), targets(3)), model(batch(), targets(3)))


def it_learns_a_batch_by_heart_and_writes_it(model: nn.Module) -> None:
    optimizer = torch.optim.Adam(model.train().parameters(), lr=0.005)
    for _ in range(200):
        logits = model(batch(), WRITTEN[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1), WRITTEN[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.02:
            break
    assert loss.item() < 0.02
    model.eval()
    assert search.greedy(model, batch(width=8), 6) == WRITTEN[:, 1:-1].tolist()
    assert search.beam(model, batch(), 6, width=3) == WRITTEN[:, 1:-1].tolist()


def wrong_sentences_are_named(model: nn.Module) -> None:
    one, target_vocab = torch.tensor([[1, 4]]), model.config.target_vocab
    for source, message in (
        ([[5, 6], [0, 0]], "row 1 is an empty sentence"),
        ([[5, 6], [5, 0], [0, 6]], "row 2 has a token after padding"),
        ([[5, -1]], "source contains id -1; the model knows ids 0 to 11"),
        ([[5, 12]], "source contains id 12; the model knows ids 0 to 11"),
    ):
        with pytest.raises(ValueError, match=message):
            model(torch.tensor(source), one.expand(len(source), 2))
    for source in (torch.ones(1, 3), torch.ones(1).long(), torch.ones(1, 0).long()):
        with pytest.raises(ValueError, match="torch.long"):
            model(source, one)
    with pytest.raises(ValueError, match=f"target contains id {target_vocab}; the model knows"):
        model(batch([[5]]), torch.tensor([[1, target_vocab]]))
    for read in (model, getattr(model, "with_weights", model)):
        with pytest.raises(ValueError, match="3 sentences, target_in has 2"):
            read(batch(), targets(2)[:2])


PROMISES = (
    padding_changes_nothing,
    a_batch_equals_its_sentences,
    one_step_at_a_time_equals_teacher_forcing,
    a_later_word_leaves_earlier_predictions_alone,
    every_source_word_reaches_every_prediction,
    reorder_picks_and_repeats_rows,
    nothing_is_stored,
    all_weights_learn,
    dropout_acts_in_training_only,
    it_learns_a_batch_by_heart_and_writes_it,
    wrong_sentences_are_named,
)
