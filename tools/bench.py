"""How much our code costs: pairs of runs, interleaved, and the ratios of their times.

1. Our training step (``EncoderDecoder``, ``translation_loss``, ``PairSampler``, ``fit``) against
   the same model and loop in bare ``torch.nn``, which reads the same batches, already made.
2. The hand-written cells of chapter 01 against ``torch.nn``, forward and backward.

Every pair times A and then B, so that what else the machine does weighs on both. The table shows
the median ratio A / B with a 95 % bootstrap interval, of processor time (one thread; the target
is judged by it, for other programs do not change it) and of wall time.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from course_lib import cells
from course_lib.data import lab
from course_lib.data.batching import Batch, PairSampler
from course_lib.files import write_atomically
from course_lib.seq2seq import EncoderDecoder, Seq2SeqConfig
from course_lib.studies.environment import describe
from course_lib.text import WordTokenizer
from course_lib.train import fit, translation_loss
from tools.project import BUILD

REPORT = BUILD / "bench.json"
STEPS = 8  # training steps in one half of a pair
BATCH = 64


@dataclass(frozen=True)
class Result:
    """Ratios A / B of one comparison; ``passed`` is None where there is no target."""

    name: str
    pairs: int
    milliseconds: tuple[float, float]  # processor time of A and B, per unit
    ratio: float
    interval: tuple[float, float]
    wall_ratio: float
    wall_interval: tuple[float, float]
    target: float | None
    passed: bool | None


class BareEncoderDecoder(nn.Module):
    """The model of ``course_lib.seq2seq`` at its plainest: no checks, no options."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        wide, narrow = config.width, config.embedding
        self.source = nn.Embedding(config.source_vocab, narrow, padding_idx=0)
        self.reader = nn.GRU(narrow, wide, batch_first=True)
        self.target = nn.Embedding(config.target_vocab, narrow, padding_idx=0)
        self.start = nn.Linear(wide, wide)
        self.writer = nn.GRU(narrow + wide, wide, batch_first=True)
        self.output = nn.Linear(wide, config.target_vocab)

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """(B, S), (B, T) -> logits (B, T, V)."""
        lengths = (source != 0).sum(1)
        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        context = self.reader(packed)[1][0]  # (B, D)
        hidden = torch.tanh(self.start(context)).unsqueeze(0)  # (1, B, D)
        repeated = context.unsqueeze(1).expand(-1, target_in.shape[1], -1)  # (B, T, D)
        states, _ = self.writer(torch.cat([self.target(target_in), repeated], dim=-1), hidden)
        return self.output(states)


def bare_steps(model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch]) -> None:
    """The loop everybody writes by hand."""
    model.train()
    for batch in batches:
        logits = model(batch.source, batch.target[:, :-1])
        loss = functional.cross_entropy(
            logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def training_step(pairs: int) -> Result:
    """Case 1, on lab sentences with the ``lab`` sizes."""
    sentences = lab.generate(STEPS * BATCH, seed=0)
    sides = list(zip(*((" ".join(p.source), " ".join(p.target)) for p in sentences), strict=True))
    source, target = (WordTokenizer.train(list(side), style="lab") for side in sides)
    ids = [
        (source.encode(english), target.encode(french))
        for english, french in zip(*sides, strict=True)
    ]
    sampler = PairSampler(ids, BATCH, seed=0)
    batches = [sampler.batch(step) for step in range(STEPS)]
    config = Seq2SeqConfig.lab(len(source), len(target))
    torch.manual_seed(0)
    ours, bare = EncoderDecoder(config), BareEncoderDecoder(config)
    copy_weights(ours, bare)
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-3) for model in (ours, bare)]

    def step_ours() -> None:
        fit(ours, translation_loss, sampler, STEPS, optimizer=optimizers[0], progress=False)

    def step_bare() -> None:
        bare_steps(bare, optimizers[1], batches)

    result = compare("training step / bare torch.nn", step_ours, step_bare, pairs, STEPS, 1.05)
    for one, other in zip(ours_in_bare_order(ours), bare.parameters(), strict=True):
        torch.testing.assert_close(one, other)  # else the two did not do the same work
    return result


def ours_in_bare_order(model: EncoderDecoder) -> list[nn.Parameter]:
    """Parameters of ``EncoderDecoder`` in the order of ``BareEncoderDecoder``."""
    encoder, decoder = model.encoder, model.decoder
    modules = [
        encoder.embedding,
        encoder.rnn,
        decoder.embedding,
        decoder.start,
        decoder.rnn,
        decoder.output,
    ]
    return [parameter for module in modules for parameter in module.parameters()]


def copy_weights(ours: EncoderDecoder, bare: BareEncoderDecoder) -> None:
    """Let both models start from the same point."""
    with torch.no_grad():
        for one, other in zip(ours_in_bare_order(ours), bare.parameters(), strict=True):
            other.copy_(one)


def hand_written(kind: str, pairs: int) -> Result:
    """Case 2: forward and backward over B = 32 sentences of T = 20 steps, E = 64, D = 128."""
    torch.manual_seed(0)
    inputs = torch.randn(32, 20, 64)
    by_hand = getattr(cells, f"{kind}Cell")(64, 128)
    library = getattr(nn, kind)(64, 128, batch_first=True)

    def run_by_hand() -> None:
        cells.unroll(by_hand, inputs)[0].sum().backward()

    def run_library() -> None:
        library(inputs)[0].sum().backward()

    return compare(f"hand-written {kind} / nn.{kind}", run_by_hand, run_library, pairs, 1, None)


def compare(
    name: str,
    a: Callable[[], None],
    b: Callable[[], None],
    pairs: int,
    units: int,
    target: float | None,
) -> Result:
    """Time ``pairs`` interleaved pairs; each call does ``units`` units of work."""
    for _ in range(2):  # first calls allocate
        a()
        b()
    cpu, wall = [], []
    gc.collect()
    gc.disable()  # a collection would hit one half of a pair by chance
    for _ in range(pairs):
        times = [timed(function) for function in (a, b)]
        cpu.append((times[0][0], times[1][0]))
        wall.append((times[0][1], times[1][1]))
    gc.enable()
    ratios = [one / other for one, other in cpu]
    wall_ratios = [one / other for one, other in wall]
    ratio = statistics.median(ratios)
    return Result(
        name=name,
        pairs=pairs,
        milliseconds=tuple(
            1000 * statistics.median(side) / units for side in zip(*cpu, strict=True)
        ),
        ratio=ratio,
        interval=median_interval(ratios),
        wall_ratio=statistics.median(wall_ratios),
        wall_interval=median_interval(wall_ratios),
        target=target,
        passed=None if target is None else ratio <= target,
    )


def timed(function: Callable[[], None]) -> tuple[float, float]:
    """Processor seconds and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def median_interval(values: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    draws = np.random.default_rng(0).choice(values, size=(2000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(low), float(high)


def row(result: Result) -> str:
    """One line of the table."""
    verdict = (
        "no target"
        if result.target is None
        else f"<= {result.target:.2f} {'pass' if result.passed else 'FAIL'}"
    )
    a, b = result.milliseconds
    return (
        f"{result.name:<32} {a:>8.2f} {b:>8.2f}   "
        f"{result.ratio:>6.3f} [{result.interval[0]:.3f}, {result.interval[1]:.3f}]   "
        f"{result.wall_ratio:>6.3f} [{result.wall_interval[0]:.3f}, "
        f"{result.wall_interval[1]:.3f}]   {verdict}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table, write the report; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=30, help="pairs per comparison")
    parser.add_argument("--report", type=Path, default=REPORT, help="JSON file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{'A / B':<32} {'A ms':>8} {'B ms':>8}   ratio, processor time    ratio, wall time")
    results = []
    for measure in (
        training_step,
        *(lambda pairs, kind=kind: hand_written(kind, pairs) for kind in ("RNN", "GRU", "LSTM")),
    ):
        results.append(measure(options.pairs))
        print(row(results[-1]), flush=True)
    report = {"environment": describe("cpu"), "results": [asdict(result) for result in results]}
    write_atomically(options.report, (json.dumps(report, indent=1) + "\n").encode())
    print(f"report: {options.report}")
    return 1 if any(result.passed is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
