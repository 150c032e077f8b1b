"""`attend` against torch's fused attention; its explicit path; one decoding step.

A batch is 4,096 tokens, as many sentences as that gives, with 4 heads of width 32.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from course_lib.attention.attend import attend, attend_fast
from course_lib.attention.translator import AttentionConfig, AttentionEncoderDecoder
from tools.bench.pairs import Result, compare, median_interval, timed

TOKENS, HEADS, HEAD_WIDTH = 4096, 4, 32
SHORT = 64  # up to this length the explicit path has a target
REPEAT = {16: 20, 64: 6, 512: 2}  # calls in one half of a pair, else 1
SENTENCES, VOCABULARY = 8, 500  # of a decoding step
SOURCES = (64, 128, 256, 512, 1024, 2048, 4096)
UPPER_END = 1024  # the exponent is fitted from here on: before it, fixed costs weigh
SCORES = ("additive", "dot", "general", "scaled_dot")
MOST_SLOPE = 1.2


@dataclass(frozen=True)
class Exponent:
    """Slope of log time over log length, fitted at the upper end in each round."""

    name: str
    rounds: int
    lengths: tuple[int, ...]
    milliseconds: tuple[float, ...]  # processor time, median over the rounds
    fitted_from: int
    exponent: float
    interval: tuple[float, float]
    target: float
    passed: bool


def inputs(length: int, padded: bool) -> tuple[list[Tensor], Tensor | None]:
    """Queries, keys and values (B, H, T, K), and a padding mask (B, 1, 1, T) or None."""
    torch.manual_seed(0)
    batch = TOKENS // length
    given = [torch.randn(batch, HEADS, length, HEAD_WIDTH) for _ in range(3)]
    if not padded:
        return given, None
    real = torch.randint(length // 2, length + 1, (batch, 1, 1, 1))
    return given, torch.arange(length) < real


def fast_path(length: int, padded: bool, pairs: int) -> Result:
    """`attend_fast` / `scaled_dot_product_attention`: 0.95 of its throughput."""
    given, mask = inputs(length, padded)
    return compare(
        f"attend, fast / torch, {_case(length, padded)}",
        _repeated(lambda: attend_fast(*given, mask), length),
        _repeated(lambda: functional.scaled_dot_product_attention(*given, attn_mask=mask), length),
        pairs,
        REPEAT.get(length, 1),
        1 / 0.95,
    )


def explicit_path(length: int, padded: bool, pairs: int, *, backward: bool = False) -> Result:
    """`attend` / `attend_fast`."""
    given, mask = inputs(length, padded)
    for tensor in given:
        tensor.requires_grad_(backward)

    def run(explicit: bool) -> None:
        out = attend(*given, mask)[0] if explicit else attend_fast(*given, mask)
        if backward:
            torch.autograd.grad(out.sum(), given)

    return compare(
        f"attend, explicit / fast, {_case(length, padded)}{', backward' if backward else ''}",
        _repeated(lambda: run(True), length),
        _repeated(lambda: run(False), length),
        pairs,
        REPEAT.get(length, 1),
        3.0 if length <= SHORT else None,
    )


def decoding_step(score: str, rounds: int) -> Exponent:
    """One target word of `SENTENCES` sentences, over the length of their source."""
    torch.manual_seed(0)
    model = AttentionEncoderDecoder(AttentionConfig.lab(VOCABULARY, VOCABULARY, score=score)).eval()
    tokens = torch.ones(SENTENCES, dtype=torch.long)
    mask = torch.ones(1, dtype=torch.bool)
    states = {}
    with torch.no_grad():
        for length in SOURCES:
            encoded = torch.randn(SENTENCES, length, model.config.width)
            state = model.decoder.init_state(
                encoded, encoded[:, -1], mask.expand(SENTENCES, length)
            )
            states[length] = state
            model.step(tokens, state)  # the first call allocates
        times = [
            [
                timed(lambda state=state, n=length: _steps(model, tokens, state, n))[0]
                / _calls(length)
                for length, state in states.items()
            ]
            for _ in range(rounds)
        ]
    return exponent(f"one decoding step, {score}", SOURCES, times, UPPER_END, MOST_SLOPE)


def exponent(
    name: str,
    lengths: tuple[int, ...],
    times: list[list[float]],
    fitted_from: int,
    target: float,
) -> Exponent:
    """The slope for `times`, a row a round and a column a length, in seconds."""
    upper = [i for i, length in enumerate(lengths) if length >= fitted_from]
    logs = np.log([lengths[i] for i in upper])
    slopes = [float(np.polyfit(logs, np.log([row[i] for i in upper]), 1)[0]) for row in times]
    slope = statistics.median(slopes)
    return Exponent(
        name=name,
        rounds=len(times),
        lengths=lengths,
        milliseconds=tuple(1000 * statistics.median(column) for column in zip(*times, strict=True)),
        fitted_from=fitted_from,
        exponent=slope,
        interval=median_interval(slopes),
        target=target,
        passed=slope <= target,
    )


def exponent_row(result: Exponent) -> str:
    """One line of the table of exponents."""
    times = " ".join(f"{value:>8.3f}" for value in result.milliseconds)
    low, high = result.interval
    return (
        f"{result.name:<32} {times}   {result.exponent:>6.3f} [{low:.3f}, {high:.3f}]   "
        f"<= {result.target:.2f} {'pass' if result.passed else 'FAIL'}"
    )


def _steps(model: AttentionEncoderDecoder, tokens: Tensor, state: object, length: int) -> None:
    for _ in range(_calls(length)):
        model.step(tokens, state)


def _calls(length: int) -> int:
    """As many steps as read about as many source words at every length, so that each is timed."""
    return max(1, UPPER_END // length)


def _repeated(function: Callable[[], object], length: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(REPEAT.get(length, 1)):
            function()

    return run


def _case(length: int, padded: bool) -> str:
    return f"n={length}{', padded' if padded else ''}"
