"""python -m course_lib.claims list | robustness [STUDY …]; no name means every study needed."""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial

from course_lib.claims import robustness
from course_lib.claims.ledger import UNDECIDED, load


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.claims", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every claim with its verdict")
    again = commands.add_parser("robustness", help="headline claims with other seeds")
    again.add_argument("names", nargs="*", metavar="STUDY")
    again.add_argument("--plan", action="store_true", help="say what would run, and run nothing")
    again.add_argument("--seeds", type=int, help="as many other seeds; by default as recorded")
    again.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    again.add_argument("--jobs", type=int, default=2, help="cells at once (timing studies: 1)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        if options.command == "list":
            return _list()
        if options.plan:
            return _plan(options.seeds)
        how = {"seeds": options.seeds, "device": options.device, "jobs": options.jobs}
        say = partial(print, flush=True)
        failed = robustness.rerun(options.names, report=say, **how)
        return max(_show(), 1 if failed else 0)
    except KeyboardInterrupt:
        print("stopped; finished cells are kept, the same command goes on")
        return 130
    except (KeyError, ValueError, RuntimeError, OSError) as error:
        print(error.args[0] if isinstance(error, KeyError) else error, file=sys.stderr)
        return 2 if isinstance(error, KeyError) else 1


def _list() -> int:
    for claim in load():
        mark = " *" * claim.headline
        print(f"{claim.chapter} {claim.verdict:<28} {claim.kind:<15} {claim.id}{mark}")
    return 0


def _plan(seeds: int | None) -> int:
    rows = robustness.plan(seeds=seeds)
    for name, cells, minutes in rows:
        print(f"{name:<24} {cells:>3} cells {minutes:>6.1f} min on one core")
    print(
        f"{'together':<24} {sum(r[1] for r in rows):>3} cells {sum(r[2] for r in rows):>6.1f} min"
    )
    return 0


def _show() -> int:
    """The comparison; exit code 1 when a verdict has turned."""
    turned = 0
    for one in robustness.compare():
        found = one.again.by_its_seeds if one.again else "not run"
        turned += one.verdict == UNDECIDED
        print(f"{one.chapter} {one.id}: {one.by_its_seeds} -> {found}")
    return 1 if turned else 0


if __name__ == "__main__":
    sys.exit(main())
