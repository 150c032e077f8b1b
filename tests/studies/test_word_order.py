"""The study of word order: the task needs order, and the model reads it as it should."""

import pytest
import torch

from course_lib.studies.ch05 import word_order


def generator():
    return torch.Generator().manual_seed(0)


def test_no_word_comes_twice():
    words = word_order.sequences(50, 30, generator())
    assert words.shape == (50, 30) and words.min() >= 0 and words.max() < word_order.WORDS
    assert all(len(set(row)) == 30 for row in words.tolist())


def test_batches_depend_on_seed_and_step_only():
    low, high = word_order.LENGTHS
    batches = [word_order.OrderSampler(1).batch(step) for step in range(40)]
    assert {batch.shape[1] for batch in batches} <= set(range(low, high + 1))
    assert len({batch.shape[1] for batch in batches}) > 5
    assert torch.equal(batches[3], word_order.OrderSampler(1).batch(3))
    other = word_order.OrderSampler(2).batch(3)
    assert other.shape != batches[3].shape or not torch.equal(other, batches[3])


def test_positions_alone_break_equivariance_and_models_of_a_seed_start_alike():
    models = {}
    for positions in word_order.POSITIONS:
        torch.manual_seed(0)
        models[positions] = word_order.OrderModel(positions)
        changed = word_order.changed_by_order(models[positions])
        assert (changed > 0) == (positions != "none")
        assert torch.equal(models[positions].output.weight, models["none"].output.weight)


def test_a_perfect_answer_counts_as_perfect():
    class Oracle(torch.nn.Module):
        """Looks at the word before, and names it."""

        def __init__(self):
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(()))

        def forward(self, words):
            before = words.roll(1, dims=1)
            weights = torch.eye(words.shape[1]).roll(-1, dims=1).expand(len(words), -1, -1)
            return 50 * torch.nn.functional.one_hot(before, word_order.WORDS).float(), weights

    right, weight = word_order.measure(Oracle(), 7)
    assert right.shape == weight.shape == (6,)
    assert right.tolist() == weight.tolist() == [1.0] * 6
    words = word_order.sequences(4, 7, generator())
    assert word_order.loss(Oracle(), words).item() == pytest.approx(0, abs=1e-6)
    # shuffled, the word before is the same one as often as a cyclic order keeps a neighbor
    assert word_order.changed_by_order(Oracle()) > 0.8
