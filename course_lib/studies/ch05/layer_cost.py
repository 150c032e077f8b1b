"""What does a layer cost? Vaswani et al. (2017), Table 1, measured instead of derived.

The table compares a recurrent layer, a convolution and self-attention over n positions of width d
by three things: the operations of a layer, how many of them must wait for one another, and how far
a signal travels between two positions. Each is measured here in its own way.

**Time.** One sequence (B = 1), single precision. Two modes: "forward" without gradients, and
"training", forward and backward together, with gradients for the input and all weights. A cell
holds all layers; they take turns, in a new order each round, so that other work on the machine
hits them alike. Kept is the median over rounds, in milliseconds. The five seeds are independent
repeats in other minutes. ``cpu_share`` is processor time by wall time over the whole cell: near 1
with one thread on a machine that did nothing else, less on one that did. Threads of a cell are set
by torch.set_num_threads (the record's environment gives the runner's own 1).

**Memory.** The highest sum of bytes that torch's allocator had handed out during a forward and a
backward pass, over what was there before: the layer, its input, the gradient of its output. On the
CPU it is read from the profiler's log of every allocation, which holds those inside of kernels as
well and does not depend on the machine's load; the log is checked against the size of the results.
The peak of the process (as the operating system counts it) would add the allocator's reserves and
hide the small sizes. On CUDA it is torch.cuda.max_memory_allocated.

**Sequential operations.** The longest chain of tensor operations in which each needs the result
of the one before (:class:`ChainLength`), counted while the layer runs. The LSTM is the one written
by hand (``course_lib.recurrent.cells``), because torch's hides its loop inside of one operation.

**Path length.** Through how many layers, or steps of a recurrence, must a signal go before the
output at the last position depends on the input at the first? Layers are added until the gradient
is not exactly 0.

Exponents are slopes of straight lines in log-log scales over the upper half of the grid
(:func:`upper_half`): at small sizes the fixed price of calling an operation covers everything. Each
cell keeps its own ("exponent.forward.lstm"), so the seeds give an interval.
"""

from __future__ import annotations

import gc
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.attention.attend import attend_fast
from course_lib.attention.multi_head import MultiHeadAttention
from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.recurrent.cells import LSTMCell, unroll
from course_lib.studies.engine.core import Config, Metrics, Record, Study, device

KERNEL = 3
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # n, at fixed d
WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512)  # d, at fixed n
FIXED_WIDTHS = (64, 128, 256)
FIXED_LENGTHS = (128, 1024)
CHAIN_LENGTHS = (4, 8, 16, 32, 64, 128)
PATH_LENGTHS = (4, 8, 16, 32, 64, 128, 256)
BUDGET = 0.2  # seconds for all layers at one size and mode, unless the fewest rounds take longer
ROUNDS = (3, 25)  # fewest and most
SAMPLE = 0.001  # seconds; shorter calls are repeated until one sample lasts that long
LAYERS = ("lstm", "convolution", "attention", "attention_explicit", "attention_bare")

clock = time.perf_counter


# --- the layers -------------------------------------------------------------------------------


class Convolution(nn.Module):
    """nn.Conv1d over (B, T, D), as long as its input: knd² multiplications.

    Causal: an output reads its own position and the k - 1 before it, ``dilation`` apart.
    """

    def __init__(self, width: int, kernel: int = KERNEL, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.reach = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        padded = F.pad(x.transpose(1, 2), (self.reach, 0))  # (B, D, reach + T)
        return self.convolution(padded).transpose(1, 2)


class LSTM(nn.Module):
    """nn.LSTM, states of the last layer only: 8nd² multiplications."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        return self.lstm(x)[0]


class LSTMByHand(nn.Module):
    """The loop over ``cells.LSTMCell``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cell = LSTMCell(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        return unroll(self.cell, x)[0]


class SelfAttention(nn.Module):
    """One head with its four linear maps: 2n²d + 4nd² multiplications.

    ``explicit`` writes out all n² weights; otherwise torch's fast path is taken.
    """

    def __init__(self, width: int, explicit: bool = False) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads=1)
        self.explicit = explicit

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        return self.attention(x, x, x, need_weights=self.explicit)[0]


class BareAttention(nn.Module):
    """What Table 1 counts: no linear maps, the input is queries, keys and values; 2n²d."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)"""
        return attend_fast(x, x, x)


def build(layer: str, width: int) -> nn.Module:
    """A layer of :data:`LAYERS`, (B, T, D) -> (B, T, D).

    Raises:
        KeyError: no such layer.
    """
    kinds: dict[str, Callable[[int], nn.Module]] = {
        "lstm": LSTM,
        "convolution": Convolution,
        "attention": SelfAttention,
        "attention_explicit": lambda width: SelfAttention(width, explicit=True),
        "attention_bare": BareAttention,
    }
    return kinds[layer](width)


def multiplications(layer: str, length: int, width: int) -> int:
    """Multiplications of matrix products in one forward pass, B = 1; with their constants."""
    n, d = length, width
    counts = {
        "lstm": 8 * n * d * d,  # four gates, from the input and from the state
        "convolution": KERNEL * n * d * d,
        "attention": 4 * n * d * d + 2 * n * n * d,
        "attention_explicit": 4 * n * d * d + 2 * n * n * d,
        "attention_bare": 2 * n * n * d,
    }
    return counts[layer]


# --- time -------------------------------------------------------------------------------------


def synchronize(where: str) -> None:
    """Wait until the device has done what it was told; the CPU already has."""
    if where == "cuda":
        torch.cuda.synchronize()
    elif where == "mps":
        torch.mps.synchronize()


def forward_pass(layer: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """A call of the layer without gradients."""

    def call() -> Tensor:
        with torch.no_grad():
            return layer(x)

    return call


def training_pass(layer: nn.Module, x: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """A call of the layer and the gradients of its input and weights."""
    x = x.detach().requires_grad_()
    above = torch.randn_like(x)  # the gradient that arrives from the layer above
    wanted = [x, *layer.parameters()]

    def call() -> tuple[Tensor, ...]:
        return torch.autograd.grad(layer(x), wanted, above)

    return call


MODES = {"forward": forward_pass, "training": training_pass}


def take_turns(
    calls: dict[str, Callable[[], object]], *, budget: float, where: str, seed: int
) -> dict[str, float]:
    """The median time of each call in seconds; one sample of each a round, in a random order."""
    shuffle = random.Random(seed).shuffle

    def sample(name: str, times: int) -> float:
        synchronize(where)
        started = clock()
        for _ in range(times):
            calls[name]()
        synchronize(where)
        return (clock() - started) / times

    for name in calls:
        sample(name, 1)  # the first call loads code and sets up buffers
    times, spent = {}, 0.0
    for name in calls:
        once = sample(name, 1)
        times[name] = min(200, max(1, math.ceil(SAMPLE / once)))
        spent += once * times[name]
    fewest, most = ROUNDS
    rounds = min(most, max(fewest, round(budget / spent)))
    found: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for _ in range(rounds):
        shuffle(names)
        for name in names:
            found[name].append(sample(name, times[name]))
    return {name: statistics.median(values) for name, values in found.items()}


def times(config: Config, seed: int) -> Metrics:
    """Median milliseconds of every mode, layer and size of one cell."""
    where, budget = device(), config.get("budget", BUDGET)
    found: Metrics = {mode: {layer: {} for layer in LAYERS} for mode in MODES}
    # On a GPU, cuDNN would round the products of LSTM and convolution (TF32), and nobody else's.
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with _threads(config["threads"]), _no_collection(), exact:
        cpu, wall = time.process_time(), time.perf_counter()
        for size, length, width in _grid(config):
            torch.manual_seed(seed)
            layers = {layer: build(layer, width).to(where) for layer in LAYERS}
            x = torch.randn(1, length, width, device=where)  # (1, n, d)
            for mode, prepare in MODES.items():
                calls = {layer: prepare(module, x) for layer, module in layers.items()}
                medians = take_turns(calls, budget=budget, where=where, seed=seed)
                for layer, seconds in medians.items():
                    found[mode][layer][str(size)] = float(f"{1000 * seconds:.5g}")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {**found, "exponent": _exponents(found), "cpu_share": round(cpu / wall, 3)}


def _exponents(found: Metrics) -> Metrics:
    """The slope over the upper half of the grid for each row of {name: {layer: {size: value}}}."""
    slopes: Metrics = {}
    for name, rows in found.items():
        slopes[name] = {}
        for layer, row in rows.items():
            chosen = upper_half([int(size) for size in row])
            slope = fit_exponent(chosen, [row[str(size)] for size in chosen])
            slopes[name][layer] = round(slope, 4)
    return slopes


def _grid(config: Config) -> Iterator[tuple[int, int, int]]:
    """(size, n, d) along the axis that varies."""
    if config["along"] == "n":
        for length in config.get("sizes", LENGTHS):
            yield length, length, config["width"]
    else:
        for width in config.get("sizes", WIDTHS):
            yield width, config["length"], width


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """torch's threads inside of an operation; OMP_NUM_THREADS is only where they start from."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        if torch.get_num_threads() != count:
            raise RuntimeError(f"torch runs with {torch.get_num_threads()} threads, not {count}")
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python collects its garbage before and after, not in the middle of a sample."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# --- memory -----------------------------------------------------------------------------------


def peak_memory(call: Callable[[], object], where: str = "cpu") -> int:
    """The most bytes that ``call`` held at one time, beyond what was there before it.

    Raises:
        RuntimeError: the profiler's log does not add up (CPU).
    """
    if where == "cuda":
        call()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    call()
    cpu = [torch.profiler.ProfilerActivity.CPU]
    with _quiet_profiler(), torch.profiler.profile(activities=cpu, profile_memory=True) as log:
        results = call()
    events = [e for e in log.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    kept = {t.untyped_storage().data_ptr(): t for t in tree_leaves(results)}
    expected = sum(t.untyped_storage().nbytes() for t in kept.values())
    if live != expected:
        raise RuntimeError(
            f"after the call {live} bytes are live by the profiler's log, and its results take "
            f"{expected}: the log is not whole"
        )
    return peak


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Keep the profiler's "USDT: … profiler_start" off stderr; it reads the level when it starts.

    A level that the reader has set stays.
    """
    name = "KINETO_LOG_LEVEL"
    if name in os.environ:
        yield
        return
    os.environ[name] = "6"  # above the highest kind of message
    try:
        yield
    finally:
        del os.environ[name]


def memory(config: Config, seed: int) -> Metrics:
    """Peak bytes of a forward and a backward pass, for every layer and size of one cell."""
    where = "cuda" if device() == "cuda" else "cpu"  # others have no peak to ask for
    found: Metrics = {layer: {} for layer in LAYERS}
    for size, length, width in _grid(config):
        torch.manual_seed(seed)
        x = torch.randn(1, length, width, device=where)
        for layer in LAYERS:
            call = training_pass(build(layer, width).to(where), x)
            found[layer][str(size)] = peak_memory(call, where)
    return {"peak": found, "exponent": _exponents({"peak": found})}


# --- sequential operations --------------------------------------------------------------------


class ChainLength(TorchDispatchMode):
    """Counts the longest chain of dependent tensor operations behind every tensor made inside.

    A result stands one higher than the highest tensor that its operation read. Operations that
    compute nothing add nothing: views, and tensors filled without reading numbers. What is
    written in place, or through a view, counts for the whole storage, so a chain is never taken
    for shorter than it is.
    """

    FREE = ("_unsafe_view", "new_zeros", "new_empty", "zeros_like", "empty_like")

    def __init__(self) -> None:
        super().__init__()
        self._heights: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no storage is freed and its address used again

    def of(self, tensor: Tensor) -> int:
        """The chain behind a tensor; 0 for what was there before."""
        return self._heights.get(tensor.untyped_storage()._cdata, 0)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        read = [t for t in tree_leaves((args, kwargs or {})) if isinstance(t, Tensor)]
        height = max(map(self.of, read), default=0)
        results = func(*args, **(kwargs or {}))
        returned = [entry.alias_info for entry in func._schema.returns]
        view = bool(returned) and all(alias and not alias.is_write for alias in returned)
        name = func._schema.name.split("::")[1]
        if name in self.FREE or not read:
            height = 0
        elif not view:
            height += 1
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self._kept.append(tensor)
                storage = tensor.untyped_storage()._cdata
                self._heights[storage] = max(height, self._heights.get(storage, 0))
        return results


def sequential_operations(layer: nn.Module, length: int, width: int) -> int:
    """The longest chain of dependent operations in one forward pass."""
    x = torch.randn(1, length, width)
    with torch.no_grad(), ChainLength() as chain:
        return chain.of(layer(x))


# --- path length ------------------------------------------------------------------------------


def depends(output: Tensor, inputs: Sequence[Tensor]) -> list[bool]:
    """Which of the inputs have a gradient of the output that is not exactly 0."""
    found = torch.autograd.grad(
        output.sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return [bool(gradient.any()) for gradient in found]


def layers_between_ends(
    layer: Callable[[int], Callable[[Tensor], Tensor]], length: int, width: int = 2
) -> int:
    """How many layers until the last position's output depends on the first position's input.

    Args:
        layer: makes layer number 0, 1, … of a stack, (B, T, D) -> (B, T, D), double precision.
        length: n, at least 2.

    Raises:
        ValueError: n layers do not connect the two.
    """
    first = torch.randn(1, 1, width, dtype=torch.double, requires_grad=True)
    x = torch.cat([first, torch.randn(1, length - 1, width, dtype=torch.double)], dim=1)
    for number in range(length):
        x = layer(number)(x)  # (1, n, D)
        if depends(x[:, -1], [first]) == [True]:
            return number + 1
    raise ValueError(f"{length} layers do not connect {length} positions")


def steps_between_ends(length: int, width: int = 2) -> int:
    """How many states of an LSTM lie on the way from the first input to the last output.

    A state (h, c) lies on the way if the last output has a gradient with respect to it.
    """
    cell = LSTMCell(width, width).double()
    inputs = torch.randn(length, 1, width, dtype=torch.double, requires_grad=True)
    state, states = None, []
    for step in range(length):
        state = cell(inputs[step], state)
        states.append(state)
    output = state[0]
    if not depends(output, [inputs])[0]:
        return 0
    on_the_way = depends(output, [part for pair in states for part in pair])
    return sum(h or c for h, c in zip(on_the_way[::2], on_the_way[1::2], strict=True))


def structure(config: Config, seed: int) -> Metrics:
    """Sequential operations and path lengths at several n; no clock."""
    torch.manual_seed(seed)
    width = config.get("width", 8)
    chain: Metrics = {}
    for name in LAYERS:
        layer = LSTMByHand(width) if name == "lstm" else build(name, width)
        chain[name] = {
            str(n): sequential_operations(layer, n, width)
            for n in config.get("sizes", CHAIN_LENGTHS)
        }
    stacks = {
        "convolution": lambda number: Convolution(2).double(),
        "dilated": lambda number: Convolution(2, dilation=KERNEL**number).double(),
        "attention": lambda number: SelfAttention(2).double(),
    }
    lengths = config.get("sizes", PATH_LENGTHS)
    path: Metrics = {"lstm": {str(n): steps_between_ends(n) for n in lengths}}
    for name, stack in stacks.items():
        path[name] = {str(n): layers_between_ends(stack, n) for n in lengths}
    return {"chain": chain, "path": path}


# --- reading the record -----------------------------------------------------------------------


def series(record: Record, metric: str, **select: object) -> tuple[list[int], list[list[float]]]:
    """The sizes, and for each seed the values at these sizes.

    ``metric`` is such as "forward.lstm", "training.attention" or "peak.convolution"; ``select``
    names the cell, such as ``measure="time", along="n", width=64, threads=1``.
    """
    rows = record.values(metric, **select)
    return [int(size) for size in rows[0]], [list(row.values()) for row in rows]


def upper_half(sizes: Sequence[int]) -> list[int]:
    """The sizes from the middle of the grid on, two at least; in logarithms, and in order."""
    middle = math.sqrt(min(sizes) * max(sizes))
    chosen = [size for size in sizes if size >= 0.999 * middle]
    return chosen if len(chosen) > 1 else list(sizes[-2:])


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The a of values = c · sizesᵃ, by least squares in logarithms.

    Raises:
        ValueError: fewer than two sizes, or not one value for each.
    """
    if len(sizes) != len(values) or len(sizes) < 2:
        raise ValueError(f"{len(sizes)} sizes and {len(values)} values; expected two or more each")
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(value) for value in values]
    ).slope


def exponent(
    record: Record, metric: str, *, sizes: Sequence[int] | None = None, **select: object
) -> Interval:
    """The exponent over the upper half of the grid (or ``sizes``): mean over seeds, t interval.

    Arguments as for :func:`series`. Over the upper half it is the "exponent" of the cells.
    """
    grid, rows = series(record, metric, **select)
    chosen = upper_half(grid) if sizes is None else list(sizes)
    return t_interval(
        [fit_exponent(chosen, [row[grid.index(size)] for size in chosen]) for row in rows]
    )


def counted_exponent(layer: str, *, along: str, sizes: Sequence[int], fixed: int) -> float:
    """The exponent that :func:`multiplications` alone would show over these sizes.

    With linear maps, self-attention shows an exponent between 1 and 2 in n, because 4nd² is not
    small beside 2n²d as long as n is not large beside 2d.
    """
    counts = [
        multiplications(layer, size, fixed) if along == "n" else multiplications(layer, fixed, size)
        for size in sizes
    ]
    return fit_exponent(sizes, counts)


def crossing(sizes: Sequence[int], first: Sequence[float], second: Sequence[float]) -> float | None:
    """The size from which on ``first`` is larger than ``second``, up to the end of the grid.

    Between two sizes of the grid the curves are taken as straight in log-log scales. None if
    ``first`` is not the larger one at the end, or is so on the whole grid: then the curves do
    not cross within it.
    """
    gaps = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    below = [place for place, gap in enumerate(gaps) if gap <= 0]
    if not below or below[-1] == len(gaps) - 1:
        return None
    place = below[-1]
    share = gaps[place] / (gaps[place] - gaps[place + 1])
    low, high = math.log(sizes[place]), math.log(sizes[place + 1])
    return math.exp(low + share * (high - low))


def crossings(
    record: Record, mode: str, first: str, second: str, **select: object
) -> list[float | None]:
    """:func:`crossing` of two layers for each seed; ``select`` as for :func:`series`."""
    sizes, slow = series(record, f"{mode}.{first}", **select)
    fast = series(record, f"{mode}.{second}", **select)[1]
    return [crossing(sizes, a, b) for a, b in zip(slow, fast, strict=True)]


def crossover(
    record: Record, mode: str, first: str, second: str, **select: object
) -> Interval | None:
    """Where layer ``first`` begins to take longer than ``second``: mean over seeds, t interval.

    None if the curves of some seed do not cross within the grid.
    """
    found = crossings(record, mode, first, second, **select)
    return None if None in found else t_interval(found)


def speedup(record: Record, metric: str, size: int, **select: object) -> Interval:
    """Time with one thread by time with two, at one size; seed by seed.

    ``select`` as for :func:`series`, without ``threads``.
    """
    sizes, one = series(record, metric, measure="time", threads=1, **select)
    two = series(record, metric, measure="time", threads=2, **select)[1]
    place = sizes.index(size)
    return t_interval([a[place] / b[place] for a, b in zip(one, two, strict=True)])


# --- the study --------------------------------------------------------------------------------


def run(config: Config, seed: int) -> Metrics:
    """One cell: times, memory, or structure."""
    measures = {"time": times, "memory": memory, "structure": structure}
    return measures[config["measure"]](config, seed)


def _cells() -> list[Config]:
    along_n = [{"along": "n", "width": width} for width in FIXED_WIDTHS]
    along_d = [{"along": "d", "length": length} for length in FIXED_LENGTHS]
    return [
        {"measure": "structure"},
        {"measure": "memory", **along_n[0]},
        {"measure": "memory", **along_d[1]},
        *({"measure": "time", **axis, "threads": 1} for axis in along_n + along_d),
        *({"measure": "time", **axis, "threads": 2} for axis in along_n + along_d),
    ]


STUDY = Study(
    name="layer_cost",
    chapter="05",
    title="Time, memory, sequential operations and path length of three kinds of layer",
    cells=_cells(),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={
        "measure": "time",
        "along": "n",
        "width": 16,
        "threads": 1,
        "sizes": [16, 32],
        "budget": 0.02,
    },
    timing=True,
)
