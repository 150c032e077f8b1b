"""The study of what a layer costs: counts are exact, fits find what was planted. No clock."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.studies import Record
from course_lib.studies.ch05 import layer_cost, layer_kinds, layer_times
from course_lib.studies.ch05.layer_kinds import KERNEL, LAYERS, Convolution, LSTMByHand, build
from course_lib.studies.ch05.layer_memory import peak_memory
from course_lib.studies.ch05.layer_structure import (
    ChainLength,
    layers_between_ends,
    sequential_operations,
    steps_between_ends,
)
from course_lib.studies.engine import timing

OTHERS = [name for name in LAYERS if name != "lstm"]


# --- the layers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_the_shape_and_multiply_as_often_as_said(name):
    layer, x = LSTMByHand(8) if name == "lstm" else build(name, 8), torch.randn(1, 32, 8)
    assert build(name, 8)(x).shape == x.shape
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        layer(x)
    expected = 2 * layer_kinds.multiplications(name, 32, 8)  # one addition for each
    unseen = 2 * (2 * 32 * 32 * 8)  # the counter does not know the fast kernel of the CPU
    fast = name in ("attention", "attention_bare")
    assert flops.get_total_flops() in (expected, expected - unseen * fast)


def test_the_convolution_is_causal_and_dilated():
    x = torch.randn(1, 12, 2, requires_grad=True)
    [gradient] = torch.autograd.grad(Convolution(2, dilation=3)(x)[0, 9].sum(), x)
    assert gradient[0].any(-1).nonzero().flatten().tolist() == [3, 6, 9]


# --- structure --------------------------------------------------------------------------------


def test_only_the_chain_of_a_recurrence_grows_with_the_length():
    layer = LSTMByHand(4)
    for length in (1, 2, 5, 30):  # W h, +, σ, ·, +, tanh, · a step; one stack at the end
        assert sequential_operations(layer, length, 4) == 7 * length + 1
    for name in OTHERS:
        chains = {sequential_operations(build(name, 4), n, 4) for n in (2, 5, 30, 300)}
        assert len(chains) == 1 and chains.pop() < 10


def test_chain_length_counts_dependence_not_operations():
    x = torch.ones(3)
    with ChainLength() as chain:
        side_by_side = [x + 1, x + 2, x + 3]
        assert [chain.of(t) for t in side_by_side] == [1, 1, 1]
        total = side_by_side[0] + side_by_side[1]
        assert chain.of(total) == 2
        assert chain.of(total.view(1, 3).transpose(0, 1)) == 2  # views compute nothing
        assert chain.of(torch.zeros(3)) == chain.of(total.new_zeros(3)) == 0
        total[0].mul_(2)  # in place, through a view
        assert chain.of(total) == 3
    assert chain.of(x) == 0


@pytest.mark.parametrize("length", [2, 3, 4, 9, 10, 27, 28, 40])
def test_path_lengths(length):
    def layers(make):
        return layers_between_ends(lambda number: make(number).double(), length)

    dilated = layers(lambda number: Convolution(2, dilation=KERNEL**number))
    assert layers(lambda _: Convolution(2)) == math.ceil((length - 1) / (KERNEL - 1))
    assert KERNEL ** (dilated - 1) < length <= KERNEL**dilated
    assert layers(lambda _: layer_kinds.OneHead(2)) == 1
    assert steps_between_ends(length) == length


# --- memory and time --------------------------------------------------------------------------


def test_peak_memory_is_exact_and_silent(capfd):
    x = torch.randn(1000)  # 4 kB
    assert peak_memory(lambda: x.exp()) == 4000
    assert peak_memory(lambda: x.exp().exp().exp()) == 8000  # two are live at a time
    assert peak_memory(lambda: [x.exp(), x.sin(), x.cos()]) == 12000
    assert peak_memory(lambda: x.exp().view(10, 100)) == 4000
    assert peak_memory(lambda: x.exp().sum()) == 4004
    assert "profiler" not in capfd.readouterr().err


def test_explicit_attention_holds_all_weights_and_the_fast_path_does_not():
    x = torch.randn(1, 512, 8)
    fast, explicit = (
        peak_memory(layer_cost.training_pass(build(name, 8), x))
        for name in ("attention", "attention_explicit")
    )
    weights = 4 * 512 * 512
    assert fast < weights < 2 * weights < explicit


def test_calls_take_turns():
    ticks, order = iter(range(1, 10_000)), []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    how = {"rounds": (3, 25), "clock": lambda: next(ticks)}
    found = timing.median_milliseconds(calls, device="cpu", seed=0, **how)
    assert found == dict.fromkeys("abc", 1000.0)  # a tick, which is a second, between two looks
    rounds = [order[i : i + 3] for i in range(0, len(order), 3)]
    assert len(rounds) == 2 + 3  # warming up, one to see, the fewest
    assert all(sorted(turn) == list("abc") for turn in rounds)
    assert len(set(map(tuple, rounds))) > 1


def test_memory_and_structure_cells():
    found = layer_cost.run({"measure": "memory", "along": "d", "length": 4, "sizes": [2, 3]}, 0)
    assert set(found["peak"]) == set(found["exponent"]["peak"]) == set(LAYERS)
    assert all(list(peak) == ["2", "3"] for peak in found["peak"].values())
    found = layer_cost.run({"measure": "structure", "sizes": [4, 8]}, 0)
    assert found["chain"]["lstm"] == {"4": 29, "8": 57}
    assert found["path"] == {
        "lstm": {"4": 4, "8": 8},
        "convolution": {"4": 2, "8": 4},
        "dilated": {"4": 2, "8": 2},
        "attention": {"4": 1, "8": 1},
    }


# --- reading the record -----------------------------------------------------------------------

CELL = {"measure": "time", "along": "n", "width": 64, "threads": 1}


def planted(exponents):
    """A record whose times are scale · sizeᵃ, with {layer: (scale, a)}; two threads halve them."""
    cells = []
    for threads in (1, 2):
        for seed in range(3):
            rows = {
                layer: {str(n): (1 + seed / 100) * c * n**a / threads for n in layer_cost.LENGTHS}
                for layer, (c, a) in exponents.items()
            }
            config = {**CELL, "threads": threads}
            cells.append({"config": config, "seed": seed, "metrics": {"forward": rows}})
    return Record("layer_cost", "05", "", False, 0, [], None, cells)


def test_exponent_of_a_record_is_taken_over_the_upper_half():
    record = planted({"attention": (1e-6, 2)})
    for cell in record.cells:  # a fixed price at small sizes, which the fit must not see
        times = cell["metrics"]["forward"]["attention"]
        times.update({str(n): 1.0 for n in (16, 32, 64, 128)})
    found = layer_cost.exponent(record, "forward.attention", **CELL)
    assert tuple(found) == pytest.approx((2, 2, 2))


def test_crossover_and_speedup_of_a_planted_record():
    # 1 n² and 100 n are equal at n = 100, whatever the common factor of the seed
    record = planted({"attention": (1.0, 2), "lstm": (100.0, 1), "convolution": (1e9, 1)})
    found = layer_cost.crossover(record, "forward", "attention", "lstm", **CELL)
    assert tuple(found) == pytest.approx((100, 100, 100))
    assert layer_cost.crossover(record, "forward", "attention", "convolution", **CELL) is None
    assert layer_cost.crossover(record, "forward", "convolution", "attention", **CELL) is None
    found = layer_cost.speedup(record, "forward.lstm", 256, along="n", width=64)
    assert tuple(found) == pytest.approx((2, 2, 2))


def test_pages_read_ratios_and_meetings_of_a_planted_record():
    record = planted({"attention": (1.0, 2), "lstm": (100.0, 1)})
    times = layer_times.by_size(record, "forward.lstm", along="n", width=64)
    assert times[16].mean == pytest.approx(1600, rel=0.02)
    assert layer_times.ratios(record, "forward", 64)[16].mean == pytest.approx(100 / 16)
    for threads in (1, 2, 0):
        assert layer_times.meetings(record, "forward", 64, threads) == pytest.approx([100] * 3)
    assert layer_times.meeting(record, "forward", 64) == "100 [100, 100]"
    never = planted({"attention": (1.0, 1), "lstm": (2.0, 1)})
    always = planted({"attention": (2.0, 1), "lstm": (1.0, 1)})
    assert layer_times.meeting(never, "forward", 64) == "> 4,096"
    assert layer_times.meeting(always, "forward", 64) == "< 16"


def test_crossing_is_the_one_after_which_the_order_stays():
    sizes = [1, 2, 4, 8, 16]
    last = layer_cost.crossing(sizes, [2, 1, 2, 1, 4], [1, 1.5, 1, 2, 2])
    assert last == pytest.approx(math.sqrt(8 * 16))
    assert layer_cost.crossing(sizes, [1, 1, 1, 1, 1], [2, 2, 2, 2, 2]) is None
    assert layer_cost.crossing(sizes, [3, 3, 3, 3, 3], [2, 2, 2, 2, 2]) is None


@pytest.mark.parametrize(
    ("layer", "along", "fixed", "exponent"),
    [
        ("lstm", "d", 64, 2),
        ("convolution", "d", 64, 2),
        ("attention", "n", 64, 1.87),  # between the two: the maps are not small beside the rest
        ("attention", "n", 100_000, 1.01),
    ],
)
def test_counted_exponents(layer, along, fixed, exponent):
    sizes = layer_cost.LENGTHS[4:]
    found = layer_cost.counted_exponent(layer, along=along, sizes=sizes, fixed=fixed)
    assert found == pytest.approx(exponent, abs=0.01)
