"""The page "How fast is it": `python -m tools.bench.page` writes it from the records.

Three records stand beside this file: `record.json`, which `make bench` writes, `gpu.json`, which
`python -m tools.bench.gpu` writes where there is a GPU, and `notebooks.json`, which this module
collects from the last execution of the notebooks by `make book` or `make test`.
The page is never edited by hand; a test compares it with the records.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from course_lib.studies.engine.environment import describe
from course_lib.support.files import write_atomically
from tools.project import EXECUTED, ROOT, fingerprints, fresh, notebooks, record_path

HERE = Path(__file__).parent
BENCH, GPU, COSTS = HERE / "record.json", HERE / "gpu.json", HERE / "notebooks.json"
PAGE = ROOT / "book" / "how_fast_is_it.md"

# Titles of the tables, and how the names of their comparisons begin.
GROUPS = (
    (
        "Our code and bare PyTorch",
        "A is ours, B does the same work with the least code that PyTorch needs. A ratio of 1 "
        "means that clarity costs nothing.",
        ("training step", "attend, fast", "language model", "Bert forward", "EfficientNet"),
    ),
    (
        "Written by hand",
        "The cells of chapter 1 in Python, step by step, against PyTorch's compiled ones. They are "
        "there to be read; models train with the library's.",
        ("hand-written",),
    ),
    (
        "Attention that shows its weights",
        "The fused call never writes the weights to memory. Asking for them costs this much.",
        ("attend, explicit",),
    ),
    (
        "Writing with kept keys and values",
        "A keeps the keys and values of the words before, B computes them anew at each word. The "
        "last row compares a late word with an early one.",
        ("decode", "one token"),
    ),
)


def collect() -> dict[str, Any]:
    """Seconds and peak memory of every notebook, from its last execution.

    Raises:
        FileNotFoundError: a notebook has not been executed in its present state.
    """
    files = fingerprints()
    found = {}
    for path in notebooks():
        if not fresh(path, files):
            message = f"{path.name} was not executed in its present state: run `make book` first"
            raise FileNotFoundError(message)
        figures = json.loads(record_path(EXECUTED / path.relative_to(ROOT)).read_text("utf8"))
        found[path.stem] = {name: figures[name] for name in ("seconds", "megabytes")}
    return {"environment": describe("cpu"), "notebooks": found}


def render(
    bench: dict[str, Any] | None, costs: dict[str, Any] | None, gpu: dict[str, Any] | None = None
) -> str:
    """The page as MyST Markdown; None stands for a record that has not been made yet."""
    parts = [
        "% Written by `python -m tools.bench.page` from the records; do not edit.",
        "# How fast is it",
        "Code that is written to be read need not be slow. This page says what ours costs: against "
        "the same work in bare PyTorch, and a notebook at a time. Every number comes from a record "
        "in the repository, and `make bench` measures them again on your machine.",
        *(_bench(bench) if bench else ["## Against PyTorch", _absent("make bench")]),
        *(_gpu(gpu) if gpu else []),
        "## What a notebook takes",
        *(_costs(costs) if costs else [_absent("make book && python -m tools.bench.page")]),
        "## What this page cannot show",
        "One machine of each kind, and on the processor one thread and small models. On a GPU "
        "small models meet another limit: there the fixed price of each call weighs more, and the "
        "arithmetic less. Ratios carry over to another machine better than times do, and neither "
        "is a promise.",
    ]
    return "\n\n".join(parts) + "\n"


def _absent(command: str) -> str:
    return f"> **Note.** There is no record yet. `{command}` makes it."


def _machine(environment: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name.capitalize() if name == 'python' else name} {version}"
        for name, version in environment["versions"].items()
    )
    cores = environment["cores"]
    return f"{environment['processor']}, {cores} cores, {environment['system']}; {versions}"


def _bench(bench: dict[str, Any]) -> list[str]:
    parts = [
        "## How it is measured",
        "Two ways to do the same work, A and B, are run in turn, so that whatever else the machine "
        "does weighs on both. The ratio A / B is the median over the pairs, of processor time on "
        "one thread, with a 95% bootstrap interval. A target, where there is one, was set before; "
        "`make bench` fails when it is missed. Measured on: "
        + _machine(bench["environment"])
        + ".",
    ]
    left = list(bench["results"])
    for title, text, starts in GROUPS:
        chosen = [one for one in left if one["name"].startswith(starts)]
        left = [one for one in left if one not in chosen]
        if chosen:
            parts += [f"## {title}", text, _ratios(chosen)]
    if left:
        names = ", ".join(one["name"] for one in left)
        raise ValueError(f"no table of tools/bench/page.py takes these comparisons: {names}")
    parts += [
        "## One decoding step and the length of the source",
        "Attention reads every state of the source, so the time of a step should grow with the "
        "first power of its length, once the fixed price of the calls is paid.",
        _table(
            ["step", "lengths fitted", "exponent", "target"],
            [
                (
                    one["name"],
                    f"{one['fitted_from']:,} to {one['lengths'][-1]:,}",
                    _bracketed(one["exponent"], one["interval"]),
                    _target(one, f"at most {one['target']:.2f}"),
                )
                for one in bench["exponents"]
            ],
        ),
        "## Peak memory of attention",
        "One forward and backward pass in a process of its own, eight heads of width 64.",
        _table(
            ["path", "words", "peak, MB", "target"],
            [
                (
                    one["name"],
                    f"{one['length']:,}",
                    f"{one['peak'] / 1e6:,.0f}",
                    _target(one, f"below {(one['target'] or 0) / 1e6:,.0f} MB"),
                )
                for one in bench["memory"]
            ],
        ),
    ]
    return parts


def _ratios(results: Iterable[dict[str, Any]]) -> str:
    return _table(
        ["A / B", "A, ms", "B, ms", "ratio", "ratio of wall time", "target"],
        [
            (
                one["name"],
                f"{one['milliseconds'][0]:.3g}",
                f"{one['milliseconds'][1]:.3g}",
                _bracketed(one["ratio"], one["interval"]),
                _bracketed(one["wall_ratio"], one["wall_interval"]),
                _target(one, f"at most {one['target'] or 0:.2f}"),
            )
            for one in results
        ],
    )


def _gpu(gpu: dict[str, Any]) -> list[str]:
    environment = gpu["environment"]
    rows = [
        (
            one["name"],
            f"{one['tokens_a_second']:,}",
            f"{100 * one['share_of_peak']:.0f}%",
            _bracketed(one["ratio"], one["interval"]),
        )
        for one in gpu["rows"]
    ]
    return [
        "## GPT-2 small on a GPU",
        f"Training at the sizes of GPT-2 small, {gpu['batch']} texts of {gpu['context']:,} tokens "
        "a step, products in 16 bits (bfloat16), no dropout. The reference is the same network in "
        "the least code, with fused AdamW and a loop that never waits for the GPU; ours is the "
        "course's `GPT` in the course's `fit_resumable`. The ratio is that of the times, ours to "
        f"the reference's, median of {gpu['rounds']} rounds in turn with a 95% bootstrap "
        "interval. The share of the peak counts forward and backward pass, attention included, "
        f"against {gpu['peak'] / 1e12:,.0f} TFLOP a second, the maker's figure for dense 16-bit "
        f"products. Measured on: {environment['device']}; {_machine(environment)}.",
        _table(["model and loop", "tokens a second", "share of the peak", "ratio of times"], rows),
    ]


def _costs(costs: dict[str, Any]) -> list[str]:
    rows = [
        (f"{{doc}}`../notebooks/{stem}`", f"{one['seconds']:.0f}", f"{one['megabytes']:,}")
        for stem, one in costs["notebooks"].items()
    ]
    return [
        "One execution from top to bottom, two notebooks at once with a thread each, data already "
        "in the cache, and PyTorch and the like already loaded: a notebook that you open by itself "
        "takes two to four seconds more. Memory is the largest resident size of the notebook's "
        "process. Measured on: " + _machine(costs["environment"]) + ".",
        _table(["notebook", "seconds", "memory, MB"], rows),
    ]


def _bracketed(value: float, interval: Iterable[float]) -> str:
    low, high = interval
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _target(one: dict[str, Any], text: str) -> str:
    if one["passed"] is None:
        return "none"
    return f"{text}: {'met' if one['passed'] else 'missed'}"


def _table(header: list[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 2), "---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read(path: Path) -> dict[str, Any] | None:
    """A record, or None where it has not been made."""
    return json.loads(path.read_text("utf8")) if path.is_file() else None


def main() -> int:
    try:
        write_atomically(COSTS, (json.dumps(collect(), indent=1) + "\n").encode())
    except FileNotFoundError as error:
        print(f"{error}; the costs of the notebooks stay as they were.", file=sys.stderr)
    write_atomically(PAGE, render(read(BENCH), read(COSTS), read(GPU)).encode())
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
