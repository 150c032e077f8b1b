"""What does a layer cost? Vaswani et al. (2017), Table 1, measured instead of derived.

The table compares a recurrent layer, a convolution and self-attention (`layer_kinds`) over n
positions of width d by three things: the operations of a layer, how many of them must wait for one
another, and how far a signal travels between two positions. The last two are counted
(`layer_structure`); for the first we measure memory (`layer_memory`) and time.

**Time.** One sequence (B = 1), single precision. Two modes: "forward" without gradients, and
"training", forward and backward together, with gradients for the input and all weights. A cell
holds all layers; they take turns, in a new order each round. Kept is the median over rounds, in
milliseconds. The five seeds are independent repeats in other minutes. `cpu_share` is processor
time by wall time over the whole cell: near 1 with one thread on a machine that did nothing else,
less on one that did. Threads of a cell are set by `torch.set_num_threads` (the record's
environment gives the runner's own 1).

Exponents are slopes of straight lines in log-log scales over the upper half of the grid
(`upper_half`): at small sizes the fixed price of calling an operation covers everything. Each
cell keeps its own ("exponent.forward.lstm"), so the seeds give an interval.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_lib.evaluation.intervals import Interval, t_interval
from course_lib.studies.ch05.layer_kinds import LAYERS, build, multiplications
from course_lib.studies.ch05.layer_memory import peak_memory
from course_lib.studies.ch05.layer_structure import structure
from course_lib.studies.engine.core import Config, Metrics, Study, device
from course_lib.studies.engine.record import Record
from course_lib.studies.engine.timing import median_milliseconds

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # n, at fixed d
WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512)  # d, at fixed n
FIXED_WIDTHS = (64, 128, 256)
FIXED_LENGTHS = (128, 1024)
BUDGET = 0.2  # seconds for all layers at one size and mode, unless the fewest rounds take longer
ROUNDS = (3, 25)  # fewest and most


def forward_pass(layer: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """A call of the layer without gradients."""
    return torch.no_grad()(lambda: layer(x))


def training_pass(layer: nn.Module, x: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """A call of the layer and the gradients of its input and weights."""
    x = x.detach().requires_grad_()
    above = torch.randn_like(x)  # the gradient that arrives from the layer above
    wanted = [x, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(x), wanted, above)


MODES = {"forward": forward_pass, "training": training_pass}


def times(config: Config, seed: int) -> Metrics:
    """Median milliseconds of every mode, layer and size of one cell."""
    found: Metrics = {mode: {layer: {} for layer in LAYERS} for mode in MODES}
    how = {"rounds": ROUNDS, "budget": config.get("budget", BUDGET), "seed": seed}
    # On a GPU, cuDNN would round the products of LSTM and convolution (TF32), and nobody else's.
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with _threads(config["threads"]), _no_collection(), exact:
        cpu, wall = time.process_time(), time.perf_counter()
        for size, length, width in _grid(config):
            torch.manual_seed(seed)
            modules = {layer: build(layer, width).to(device()) for layer in LAYERS}
            x = torch.randn(1, length, width, device=device())  # (1, n, d)
            for mode, prepare in MODES.items():
                calls = {layer: prepare(module, x) for layer, module in modules.items()}
                for layer, median in median_milliseconds(calls, device=device(), **how).items():
                    found[mode][layer][str(size)] = median
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {**found, "exponent": _exponents(found), "cpu_share": round(cpu / wall, 3)}


def memory(config: Config, seed: int) -> Metrics:
    """Peak bytes of a forward and a backward pass, for every layer and size of one cell."""
    place = "cuda" if device() == "cuda" else "cpu"  # others have no peak to ask for
    found: Metrics = {layer: {} for layer in LAYERS}
    for size, length, width in _grid(config):
        torch.manual_seed(seed)
        x = torch.randn(1, length, width, device=place)
        for layer in LAYERS:
            call = training_pass(build(layer, width).to(place), x)
            found[layer][str(size)] = peak_memory(call, place)
    return {"peak": found, "exponent": _exponents({"peak": found})}


def _grid(config: Config) -> Iterator[tuple[int, int, int]]:
    """(size, n, d) along the axis that varies."""
    if config["along"] == "n":
        for length in config.get("sizes", LENGTHS):
            yield length, length, config["width"]
    else:
        for width in config.get("sizes", WIDTHS):
            yield width, config["length"], width


def _exponents(found: Metrics) -> Metrics:
    """The slope over the upper half of the grid for each row of {name: {layer: {size: value}}}."""

    def slope(row: dict[str, float]) -> float:
        chosen = upper_half([int(size) for size in row])
        return round(fit_exponent(chosen, [row[str(size)] for size in chosen]), 4)

    return {
        name: {layer: slope(row) for layer, row in rows.items()} for name, rows in found.items()
    }


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """torch's threads inside an operation; OMP_NUM_THREADS is only where they start from."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
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


# --- reading the record -----------------------------------------------------------------------


def series(record: Record, metric: str, **select: object) -> tuple[list[int], list[list[float]]]:
    """The sizes, and for each seed the values at these sizes.

    `metric` is such as "forward.lstm", "training.attention" or "peak.convolution"; `select`
    names the cell, such as `measure="time", along="n", width=64, threads=1`.
    """
    rows = record.values(metric, **select)
    return [int(size) for size in rows[0]], [list(row.values()) for row in rows]


def upper_half(sizes: Sequence[int]) -> list[int]:
    """The sizes from the middle of the grid on, two at least; in logarithms, and in order."""
    middle = math.sqrt(min(sizes) * max(sizes))
    chosen = [size for size in sizes if size >= 0.999 * middle]
    return chosen if len(chosen) > 1 else list(sizes[-2:])


def fit_exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The a of values = c · sizesᵃ, by least squares in logarithms."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(value) for value in values]
    ).slope


def exponent(record: Record, metric: str, **select: object) -> Interval:
    """The exponent over the upper half of the grid: mean over seeds, t interval.

    Arguments as for `series`. It is the "exponent" of the cells.
    """
    grid, rows = series(record, metric, **select)
    chosen = upper_half(grid)
    return t_interval(
        [fit_exponent(chosen, [row[grid.index(size)] for size in chosen]) for row in rows]
    )


def counted_exponent(layer: str, *, along: str, sizes: Sequence[int], fixed: int) -> float:
    """The exponent that `multiplications` alone would show over these sizes.

    With linear maps, self-attention shows an exponent between 1 and 2 in n, because 4nd² is not
    small beside 2n²d as long as n is not large beside 2d.
    """
    counts = [
        multiplications(layer, *((size, fixed) if along == "n" else (fixed, size)))
        for size in sizes
    ]
    return fit_exponent(sizes, counts)


def crossing(sizes: Sequence[int], first: Sequence[float], second: Sequence[float]) -> float | None:
    """The size from which on `first` is larger than `second`, up to the end of the grid.

    Between two sizes of the grid the curves are taken as straight in log-log scales. None if
    `first` is not the larger one at the end, or is so on the whole grid: then the curves do
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
    """The `crossing` of two layers for each seed; `select` as for `series`."""
    sizes, slow = series(record, f"{mode}.{first}", **select)
    fast = series(record, f"{mode}.{second}", **select)[1]
    return [crossing(sizes, a, b) for a, b in zip(slow, fast, strict=True)]


def crossover(
    record: Record, mode: str, first: str, second: str, **select: object
) -> Interval | None:
    """Where layer `first` begins to take longer than `second`: mean over seeds, t interval.

    None if the curves of some seed do not cross within the grid.
    """
    found = crossings(record, mode, first, second, **select)
    known = [place for place in found if place is not None]
    return t_interval(known) if len(known) == len(found) else None


def speedup(record: Record, metric: str, size: int, **select: object) -> Interval:
    """Time with one thread by time with two, at one size; seed by seed.

    `select` as for `series`, without `threads`.
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


ALONG_N = [{"along": "n", "width": width} for width in FIXED_WIDTHS]
ALONG_D = [{"along": "d", "length": length} for length in FIXED_LENGTHS]
SMALL = {"width": 16, "threads": 1, "sizes": [16, 32], "budget": 0.02}

STUDY = Study(
    name="layer_cost",
    chapter="05",
    title="Time, memory, sequential operations and path length of three kinds of layer",
    cells=[
        {"measure": "structure"},
        {"measure": "memory", **ALONG_N[0]},
        {"measure": "memory", **ALONG_D[1]},
        *(
            {"measure": "time", **axis, "threads": threads}
            for threads in (1, 2)
            for axis in ALONG_N + ALONG_D
        ),
    ],
    seeds=(0, 1, 2, 3, 4),
    run=run,
    smoke={"measure": "time", "along": "n", **SMALL},
    timing=True,
)
