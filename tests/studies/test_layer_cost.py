"""The study of what a layer costs: counts are exact, fits find what was planted. No clock."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib.studies import Record
from course_lib.studies.ch05 import layer_cost
from course_lib.studies.ch05.layer_cost import LAYERS, ChainLength

ROOT = Path(__file__).parents[2]
NOBODY = {"device": "cpu", "versions": {}, "system": "", "processor": "", "cores": 2, "threads": 1}


def planted(exponents, *, seeds=3, sizes=layer_cost.LENGTHS, along="n", fixed="width"):
    """A record whose times are scale · sizeᵃ, with {layer: (scale, a)}; two threads halve them."""
    cells = []
    for threads in (1, 2):
        for seed in range(seeds):
            rows = {
                layer: {str(n): (1 + seed / 100) * c * n**a / threads for n in sizes}
                for layer, (c, a) in exponents.items()
            }
            config = {"measure": "time", "along": along, fixed: 64, "threads": threads}
            cells.append({"config": config, "seed": seed, "metrics": {"forward": rows}})
    top = {"study": "layer_cost", "title": "", "complete": False, "promised": 0, "smoke": None}
    return Record({**top, "cells": cells, "environments": [NOBODY]})


CELL = {"measure": "time", "along": "n", "width": 64, "threads": 1}


# --- the layers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_the_shape(name):
    x = torch.randn(1, 7, 8)
    assert layer_cost.build(name, 8)(x).shape == x.shape


def test_both_paths_of_attention_give_the_same():
    fast, explicit = layer_cost.build("attention", 8), layer_cost.build("attention_explicit", 8)
    explicit.load_state_dict(fast.state_dict())
    x = torch.randn(1, 7, 8)
    torch.testing.assert_close(fast(x), explicit(x))


def test_the_convolution_is_causal_and_dilated():
    x = torch.randn(1, 12, 2, requires_grad=True)
    [gradient] = torch.autograd.grad(layer_cost.Convolution(2, dilation=3)(x)[0, 9].sum(), x)
    assert gradient[0].any(-1).nonzero().flatten().tolist() == [3, 6, 9]


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "lstm"])
def test_multiplications_are_those_of_the_matrix_products(name):
    layer, x = layer_cost.build(name, 8), torch.randn(1, 32, 8)
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        layer(x)
    counted = flops.get_total_flops()
    unseen = 2 * (2 * 32 * 32 * 8)  # the counter does not know the fast kernel of the CPU
    expected = 2 * layer_cost.multiplications(name, 32, 8)  # one addition for each
    assert counted in (expected, expected - unseen if name != "attention_explicit" else expected)


def test_multiplications_of_an_lstm():
    layer, x = layer_cost.LSTMByHand(8), torch.randn(1, 32, 8)
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        layer(x)
    assert flops.get_total_flops() == 2 * layer_cost.multiplications("lstm", 32, 8)


# --- sequential operations --------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_the_chain_of_a_recurrence_grows_by_a_constant_each_step(length):
    layer = layer_cost.LSTMByHand(4)
    chain = layer_cost.sequential_operations(layer, length, 4)
    assert chain == 7 * length + 1  # W h, +, σ, ·, +, tanh, · a step; one stack at the end


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "lstm"])
def test_the_chain_of_the_others_does_not_grow(name):
    layer = layer_cost.build(name, 4)
    chains = {layer_cost.sequential_operations(layer, n, 4) for n in (2, 5, 30, 300)}
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


# --- path length ------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2, 3, 4, 9, 10, 27, 28, 40])
def test_path_lengths(length):
    k = layer_cost.KERNEL
    contiguous = layer_cost.layers_between_ends(
        lambda number: layer_cost.Convolution(2).double(), length
    )
    dilated = layer_cost.layers_between_ends(
        lambda number: layer_cost.Convolution(2, dilation=k**number).double(), length
    )
    attention = layer_cost.layers_between_ends(
        lambda number: layer_cost.SelfAttention(2).double(), length
    )
    assert contiguous == math.ceil((length - 1) / (k - 1))
    assert k ** (dilated - 1) < length <= k**dilated
    assert attention == 1
    assert layer_cost.steps_between_ends(length) == length


def test_layers_that_connect_nothing_are_an_error():
    with pytest.raises(ValueError, match="4 layers do not connect 4"):
        layer_cost.layers_between_ends(lambda number: nn.Tanh(), 4)


# --- memory -----------------------------------------------------------------------------------


def test_peak_memory_is_exact():
    x = torch.randn(1000)  # 4 kB
    assert layer_cost.peak_memory(lambda: x.exp()) == 4000
    assert layer_cost.peak_memory(lambda: x.exp().exp().exp()) == 8000  # two are live at a time
    assert layer_cost.peak_memory(lambda: [x.exp(), x.sin(), x.cos()]) == 12000
    assert layer_cost.peak_memory(lambda: x.exp().view(10, 100)) == 4000
    assert layer_cost.peak_memory(lambda: x.exp().sum()) == 4004


def test_explicit_attention_holds_all_weights_and_the_fast_path_does_not():
    x = torch.randn(1, 512, 8)
    peaks = {
        name: layer_cost.peak_memory(layer_cost.training_pass(layer_cost.build(name, 8), x))
        for name in ("attention", "attention_explicit")
    }
    weights = 4 * 512 * 512
    assert peaks["attention"] < weights < 2 * weights < peaks["attention_explicit"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak of a process")
def test_peak_memory_agrees_with_the_peak_of_a_fresh_process():
    code = """
import torch
from course_lib.studies.ch05 import layer_cost
def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))
layer = layer_cost.build("attention_explicit", 8)
layer_cost.training_pass(layer, torch.randn(1, 32, 8))()
call = layer_cost.training_pass(layer, torch.randn(1, 2048, 8))
before = status("VmRSS:")
call()
print(status("VmHWM:") - before, layer_cost.peak_memory(call))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    process, log = map(int, done.stdout.split())
    assert process == pytest.approx(log, rel=0.2)
    assert "profiler" not in done.stderr  # torch's own messages stay off the reader's screen


def test_on_a_gpu_the_allocator_is_asked(monkeypatch):
    said = []
    live = {"now": 100, "peak": 900}  # of some earlier work
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: said.append("wait"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: live["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: live["peak"])
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda: live.update(peak=live["now"])
    )

    def call():
        said.append("call")
        live["peak"] = max(live["peak"], live["now"] + 50)

    assert layer_cost.peak_memory(call, "cuda") == 50
    assert said == ["call", "wait", "call", "wait"]
    said.clear()
    layer_cost.take_turns({"a": call}, budget=0.0, where="cuda", seed=0)
    assert said[0] == said[-1] == "wait"  # the clock starts and stops on an idle device


# --- threads ----------------------------------------------------------------------------------


def test_a_cell_gets_its_threads_whatever_the_environment_says():
    code = """
import torch
from course_lib.studies.ch05 import layer_cost
seen = []
def take_turns(calls, **rest):
    seen.append(torch.get_num_threads())
    return dict.fromkeys(calls, 1.0)
layer_cost.take_turns = take_turns
config = {"measure": "time", "along": "n", "width": 4, "sizes": [2, 3]}
for threads in (1, 2):
    layer_cost.run({**config, "threads": threads}, 0)
print(sorted(set(seen)), seen[0], seen[-1], torch.get_num_threads())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": ""},
    )
    assert done.stdout == "[1, 2] 1 2 1\n"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the system's thread list")
def test_a_second_thread_really_works():
    code = """
import os, torch
from course_lib.studies.ch05 import layer_cost
def ticks():
    found = {}
    for task in os.listdir("/proc/self/task"):
        fields = open(f"/proc/self/task/{task}/stat").read().rsplit(")", 1)[1].split()
        found[task] = int(fields[11]) + int(fields[12])
    return found
x = torch.randn(600, 600)
def busy(threads):
    with layer_cost._threads(threads):
        before = ticks()
        for _ in range(60):
            x @ x
        after = ticks()
    return sum(after[task] > before.get(task, 0) for task in after)
print(busy(1), busy(2))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": ""},
    )
    assert done.stdout == "1 2\n"


# --- a cell -----------------------------------------------------------------------------------


def test_time_cells_hold_every_mode_layer_and_size():
    config = {**CELL, "width": 4, "sizes": [2, 3], "budget": 0.0}
    found = layer_cost.run(config, 0)
    assert set(found) == {"forward", "training", "exponent", "cpu_share"}
    times = found["training"]["attention"]
    slope = math.log(times["3"] / times["2"]) / math.log(3 / 2)
    assert found["exponent"]["training"]["attention"] == pytest.approx(slope, abs=1e-3)
    for mode in layer_cost.MODES:
        assert set(found[mode]) == set(LAYERS)
        for times in found[mode].values():
            assert list(times) == ["2", "3"] and all(t > 0 for t in times.values())


def test_memory_and_structure_cells():
    found = layer_cost.run({"measure": "memory", "along": "d", "length": 4, "sizes": [2, 3]}, 0)
    assert set(found["peak"]) == set(LAYERS)
    assert all(list(peak) == ["2", "3"] for peak in found["peak"].values())
    assert set(found["exponent"]["peak"]) == set(LAYERS)
    found = layer_cost.run({"measure": "structure", "sizes": [4, 8]}, 0)
    assert found["chain"]["lstm"] == {"4": 29, "8": 57}
    assert found["path"] == {
        "lstm": {"4": 4, "8": 8},
        "convolution": {"4": 2, "8": 4},
        "dilated": {"4": 2, "8": 2},
        "attention": {"4": 1, "8": 1},
    }


def test_layers_take_turns(monkeypatch):
    ticks = iter(range(1, 10_000))
    monkeypatch.setattr(layer_cost, "clock", lambda: next(ticks))
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    layer_cost.take_turns(calls, budget=0.0, where="cpu", seed=0)
    rounds = [order[i : i + 3] for i in range(0, len(order), 3)]
    assert len(rounds) == 2 + layer_cost.ROUNDS[0]  # warming up, one to see, the fewest
    assert all(sorted(turn) == list("abc") for turn in rounds)
    assert len(set(map(tuple, rounds))) > 1


# --- reading the record -----------------------------------------------------------------------


def test_fit_exponent_finds_the_planted_one():
    sizes = [16, 64, 256]
    assert layer_cost.fit_exponent(sizes, [3 * n**1.7 for n in sizes]) == pytest.approx(1.7)
    for bad in ([1.0, 2.0], [1.0]):
        with pytest.raises(ValueError, match="expected two or more each"):
            layer_cost.fit_exponent(sizes[:1] if len(bad) == 1 else sizes, bad)


def test_upper_half():
    assert layer_cost.upper_half(layer_cost.LENGTHS) == [256, 512, 1024, 2048, 4096]
    assert layer_cost.upper_half(layer_cost.WIDTHS) == [128, 192, 256, 384, 512]
    assert layer_cost.upper_half([16, 32]) == [16, 32]


def test_exponent_of_a_record_is_taken_over_the_upper_half():
    record = planted({"attention": (1e-6, 2)})
    for cell in record.cells:  # a fixed price at small sizes, which the fit must not see
        times = cell["metrics"]["forward"]["attention"]
        times.update({str(n): 1.0 for n in (16, 32, 64, 128)})
    found = layer_cost.exponent(record, "forward.attention", **CELL)
    assert tuple(found) == pytest.approx((2, 2, 2))
    everywhere = layer_cost.exponent(record, "forward.attention", sizes=layer_cost.LENGTHS, **CELL)
    assert everywhere.mean != pytest.approx(2, abs=0.1)


def test_crossover_of_a_planted_record():
    # 1 n² and 100 n are equal at n = 100, whatever the common factor of the seed
    record = planted({"attention": (1.0, 2), "lstm": (100.0, 1), "convolution": (1e9, 1)})
    found = layer_cost.crossover(record, "forward", "attention", "lstm", **CELL)
    assert tuple(found) == pytest.approx((100, 100, 100))
    assert layer_cost.crossover(record, "forward", "attention", "convolution", **CELL) is None
    assert layer_cost.crossover(record, "forward", "convolution", "attention", **CELL) is None


def test_crossing_is_the_one_after_which_the_order_stays():
    sizes = [1, 2, 4, 8, 16]
    assert layer_cost.crossing(sizes, [2, 1, 2, 1, 4], [1, 1.5, 1, 2, 2]) == pytest.approx(
        math.sqrt(8 * 16)
    )
    assert layer_cost.crossing(sizes, [1, 1, 1, 1, 1], [2, 2, 2, 2, 2]) is None
    assert layer_cost.crossing(sizes, [3, 3, 3, 3, 3], [2, 2, 2, 2, 2]) is None


def test_speedup_of_a_planted_record():
    record = planted({"lstm": (1.0, 1)})
    found = layer_cost.speedup(record, "forward.lstm", 256, along="n", width=64)
    assert tuple(found) == pytest.approx((2, 2, 2))


def test_counted_exponents():
    def counted(layer, along, fixed, sizes=(256, 512, 1024, 2048, 4096)):
        return layer_cost.counted_exponent(layer, along=along, sizes=sizes, fixed=fixed)

    assert counted("lstm", "n", 64) == pytest.approx(1)
    assert counted("lstm", "d", 64) == pytest.approx(2)
    assert counted("convolution", "d", 64) == pytest.approx(2)
    assert counted("attention_bare", "n", 64) == pytest.approx(2)
    assert counted("attention_bare", "d", 64) == pytest.approx(1)
    assert 1.5 < counted("attention", "n", 64) < 2
    assert counted("attention", "n", 100_000) == pytest.approx(1, abs=0.02)


def test_cells_of_the_study_name_their_axis():
    for config in layer_cost.STUDY.cells:
        if config["measure"] != "structure":
            assert ("width" in config) == (config["along"] == "n")
            assert ("length" in config) == (config["along"] == "d")
    threads = [c["threads"] for c in layer_cost.STUDY.cells if c["measure"] == "time"]
    assert set(threads) == {1, 2} and layer_cost.STUDY.timing
