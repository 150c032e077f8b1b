"""How much our code costs: pairs of runs, interleaved, and the ratios of their times.

1. Our training step (``EncoderDecoder``, ``translation_loss``, ``PairSampler``, ``fit``) against
   the same model and loop in bare ``torch.nn``, which reads the same batches, already made.
2. The hand-written cells of chapter 01 against ``torch.nn``, forward and backward.
3. ``attend`` without weights against ``scaled_dot_product_attention``, and with weights against
   without, over the length, with and without a padding mask.
4. One decoding step with attention over the length of the source: the fitted exponent.
5. A training step of our Transformer against ``nn.Transformer`` with the same embeddings, masks and
   output layer; greedy decoding with kept keys and values against without; a late token against
   an early one.
6. Training of the AWD-LSTM language model, with all its noise, against the same LSTM without.
7. Forward pass of ``Bert`` against Hugging Face's ``BertModel``, with MiniLM's weights.
8. Forward pass of ``EfficientNet-Lite0`` against the package that its weights were made for.
9. A training step of our GPT against Hugging Face's GPT-2; its writing with kept keys and values
   against without.
10. Peak memory of ``attend`` over 4,096 words, forward and backward.

Every pair times A and then B, so that what else the machine does weighs on both. The table shows
the median ratio A / B with a 95% bootstrap interval, of processor time (one thread; the target
is judged by it, for other programs do not change it) and of wall time. Before a pair of models is
timed, both must give the same loss and gradient with the same weights. The report is the record
that the page "How fast is it" is written from (tools/bench/page.py).
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from course_lib.gpt.model import GPTConfig
from course_lib.studies.engine.environment import describe
from course_lib.support.files import write_atomically
from tools.bench import attention, bert, gpt, language_model, memory, recurrent, transformer, vision
from tools.bench.page import BENCH
from tools.bench.pairs import row

KEPT_BY_MALLOC = 7_500_000  # floats: 30 MB


Measure = Callable[[], Any]


def comparisons(pairs: int) -> Iterator[Measure]:
    """The ratios, one after the other; each is measured when it is called."""
    yield partial(recurrent.training_step, pairs)
    for kind in ("RNN", "GRU", "LSTM"):
        yield partial(recurrent.hand_written, kind, pairs)
    for length in (64, 512, 4096):
        for padded in (False, True):
            yield partial(attention.fast_path, length, padded, pairs)
    for length in (16, 64):
        for padded in (False, True):
            for backward in (False, True):
                yield partial(attention.explicit_path, length, padded, pairs, backward=backward)
    for length, fewer in ((512, pairs), (4096, min(pairs, 8))):  # the last takes a second a call
        for padded in (False, True):
            yield partial(attention.explicit_path, length, padded, fewer)
    for size in transformer.SIZES:
        yield partial(transformer.training_step, size, pairs)
    lab, large = transformer.SIZES["lab"], transformer.LARGE
    for sentences in (1, 64):
        for tokens in (8, 16, 32):
            yield partial(transformer.decoding, lab, sentences, tokens, pairs, 1.0)
    yield partial(transformer.decoding, large, 1, 256, min(pairs, 5), 1 / 5)  # half a minute a pair
    yield partial(language_model.training, min(pairs, 10))  # three seconds a pair
    yield partial(gpt.training_step, pairs)
    ours = GPTConfig.course(gpt.VOCABULARY)
    for tokens in (32, 128):
        yield partial(gpt.writing, ours, tokens, pairs, 1.0)
    yield partial(gpt.writing, GPTConfig.gpt2(), 256, min(pairs, 3), 1 / 5)  # two minutes a pair
    yield partial(transformer.late_token, large, 256, 32, pairs)
    for padded in (False, True):
        yield partial(bert.forward, padded, pairs)
    yield partial(vision.forward, pairs)


def exponents(rounds: int) -> Iterator[Measure]:
    """The cost of a decoding step, score by score."""
    for score in attention.SCORES:
        yield partial(attention.decoding_step, score, rounds)


def peaks() -> Iterator[Measure]:
    """Peak memory, path by path."""
    for path in memory.PATHS:
        yield partial(memory.peak_of, path)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables, write the report; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=30, help="pairs per comparison")
    parser.add_argument("--report", type=Path, default=BENCH, help="JSON file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    # glibc's malloc gives memory back to the system, and asks for it again at the next call, until
    # the process has freed a large block once. Any process that trains has; so has this one.
    torch.ones(KEPT_BY_MALLOC)
    print(f"{'A / B':<47} {'A ms':>8} {'B ms':>8}   ratio, processor time    ratio, wall time")
    failed: list[Measure] = []
    results = printed(comparisons(options.pairs), row, failed)
    lengths = " ".join(f"{length:>8}" for length in attention.SOURCES)
    print(f"\n{'ms at source length':<32} {lengths}   exponent, from {attention.UPPER_END}")
    slopes = printed(exponents(options.pairs), attention.exponent_row, failed)
    print(f"\n{'peak memory':<32} {'MB':>8}")
    sizes = printed(peaks(), memory.peak_row, failed)
    report = {
        "environment": describe("cpu"),
        "results": [asdict(result) for result in results],
        "exponents": [asdict(result) for result in slopes],
        "memory": [asdict(result) for result in sizes],
    }
    write_atomically(options.report, (json.dumps(report, indent=1) + "\n").encode())
    print(f"\nreport: {options.report}")
    if failed:
        print(f"{len(failed)} comparisons did not run through; they are not in the report")
    missed = any(result.passed is False for result in (*results, *slopes, *sizes))
    return 1 if failed or missed else 0


def printed(
    measures: Iterator[Measure], line: Callable[[Any], str], failed: list[Measure]
) -> list[Any]:
    """Print each result as soon as it is there; one that fails loses no other."""
    found = []
    for measure in measures:
        try:
            result = measure()
        except Exception:
            failed.append(measure)
            print(f"FAILED: {measure}\n{traceback.format_exc(limit=-2)}", flush=True)
        else:
            found.append(result)
            print(line(result), flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
