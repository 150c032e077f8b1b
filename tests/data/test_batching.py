"""Padding, pair sampler, streams."""

import random

import pytest
import torch

from course_lib.data.batching import (
    Batch,
    PairSampler,
    StreamSampler,
    batches_by_length,
    pad,
    read_by_length,
)


def make_pairs(count, seed=0):
    """Pairs that can be told apart: the first source id is unique."""
    draw = random.Random(seed)
    lengths = [(draw.randint(1, 30), draw.randint(1, 30)) for _ in range(count)]
    return [([1000 + i] + [5] * (s - 1), [6] * t) for i, (s, t) in enumerate(lengths)]


def firsts(batch):
    return batch.source[:, 0].tolist()


def test_pad_fills_up_with_the_value():
    assert pad([[4, 5], [6]]).tolist() == [[4, 5], [6, 0]]
    assert pad([[4], []], value=9).tolist() == [[4], [9]]
    assert pad([[4]]).dtype == torch.long


def test_a_batch_is_padded_and_marked():
    batch = PairSampler([([7, 8, 9], [5]), ([7], [5, 6])], 2, seed=0).batch(0)
    rows = sorted(zip(batch.source.tolist(), batch.target.tolist(), strict=True))
    assert rows == [([7, 0, 0], [1, 5, 6, 2]), ([7, 8, 9], [1, 5, 2, 0])]
    assert len(batch) == 2


@pytest.mark.parametrize(("count", "size", "bucket"), [(101, 8, 3), (101, 8, 50), (7, 10, 2)])
def test_an_epoch_visits_every_pair_once(count, size, bucket):
    sampler = PairSampler(make_pairs(count), size, seed=1, bucket=bucket)
    for epoch in range(2):
        steps = range(epoch * len(sampler), (epoch + 1) * len(sampler))
        seen = [i for step in steps for i in firsts(sampler.batch(step))]
        assert sorted(seen) == list(range(1000, 1000 + count))


def test_a_batch_depends_on_seed_and_step_only():
    pairs = make_pairs(60)
    one, two = PairSampler(pairs, 8, seed=3), PairSampler(pairs, 8, seed=3)
    before = torch.get_rng_state()
    forward = [one.batch(step) for step in range(20)]
    assert torch.equal(before, torch.get_rng_state())
    for step in reversed(range(20)):
        again = two.batch(step)
        assert torch.equal(again.source, forward[step].source)
        assert torch.equal(again.target, forward[step].target)


def test_epochs_and_seeds_differ():
    pairs = make_pairs(60)

    def epoch(seed, number):
        sampler = PairSampler(pairs, 8, seed=seed, bucket=2)
        steps = range(number * len(sampler), (number + 1) * len(sampler))
        return [firsts(sampler.batch(step)) for step in steps]

    # Not only the order of the batches changes, but also who is together.
    assert set(map(frozenset, epoch(3, 0))) != set(map(frozenset, epoch(3, 1)))
    assert epoch(3, 0) != epoch(4, 0)


def test_buckets_reduce_padding_and_do_not_sort_the_epoch():
    pairs = make_pairs(1600)

    def padding(bucket):
        sampler = PairSampler(pairs, 16, seed=0, bucket=bucket)
        targets = [sampler.batch(step).target for step in range(len(sampler))]
        return sum((t == 0).sum().item() for t in targets) / sum(t.numel() for t in targets)

    assert padding(50) < 0.1 * padding(1)
    sampler = PairSampler(pairs, 16, seed=0, bucket=1000)  # the whole epoch is one pool
    widths = [sampler.batch(step).target.shape[1] for step in range(len(sampler))]
    assert widths != sorted(widths)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "There is no pair"),
        ([([5], [6]), ([], [6])], "source sentence of pair 1 .*at least one word"),
        ([([5], [])], r"target sentence of pair 0 has the ids \[\]"),
        ([([5, -1], [6])], "source sentence of pair 0 .*-1"),
        ([([5], [6, 0, 6])], r"target sentence of pair 0 .*6, 0, 6.*\[0, 1, 2\]"),
    ],
)
def test_bad_pairs_are_named(pairs, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(pairs, 2, seed=0)


def test_marks_of_a_published_vocabulary():
    """There ids 0 to 2 are ordinary; one token both begins and ends a text."""
    batch = PairSampler([([0, 1], [2, 0, 1])], 1, seed=0, pad=9, bos=8, eos=8).batch(0)
    assert batch.source.tolist() == [[0, 1]] and batch.target.tolist() == [[8, 2, 0, 1, 8]]
    with pytest.raises(ValueError, match=r"\[0, 8\]"):
        PairSampler([([0, 8], [2])], 1, seed=0, pad=9, bos=8, eos=8)


def test_streams_continue_and_targets_are_one_later_until_they_restart():
    sampler = StreamSampler(torch.arange(100), batch_size=3, length=5)
    assert len(sampler) == 6
    pieces = [sampler.batch(step) for step in range(7)]
    assert [piece.fresh for piece in pieces] == [True, *[False] * 5, True]
    assert torch.equal(pieces[6].inputs, pieces[0].inputs)
    for piece in pieces:
        assert piece.inputs.shape == piece.targets.shape == (3, 5)
        assert torch.equal(piece.inputs + 1, piece.targets)
    for row in range(3):
        stream = torch.cat([piece.inputs[row] for piece in pieces[:6]])
        assert torch.equal(stream, torch.arange(30) + 33 * row)


def test_just_enough_text_makes_one_piece():
    assert len(StreamSampler(torch.arange(11), batch_size=2, length=5)) == 1
    with pytest.raises(ValueError, match="10 tokens are too few .* 11 are needed"):
        StreamSampler(torch.arange(10), batch_size=2, length=5)


@pytest.mark.parametrize("ids", [torch.zeros(30), torch.zeros(5, 6, dtype=torch.long)])
def test_streams_refuse_other_tensors(ids):
    with pytest.raises(ValueError, match=r"expected one row of torch\.long"):
        StreamSampler(ids, batch_size=2, length=5)


def test_batches_by_length_cover_all_in_order():
    sequences = [[0] * n for n in (5, 2, 9, 2, 7)]
    assert batches_by_length(sequences, 2) == [[1, 3], [0, 4], [2]]
    assert batches_by_length([], 2) == []
    texts = [[7] * len(one) for one in sequences]
    sums = read_by_length(lambda ids: ids.sum(dim=1, keepdim=True), texts, 2, 0)
    assert sums.tolist() == [[7 * len(one)] for one in sequences]


def test_batch_moves_to_a_device():
    batch = Batch(torch.ones(1, 2), torch.ones(1, 3)).to("meta")
    assert batch.source.device.type == batch.target.device.type == "meta"
