"""python -m course_lib.studies list | run [NAME …] | check [NAME …]; no name means every study."""

from __future__ import annotations

import argparse
import signal
import sys

from course_lib.studies.engine import core


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.studies", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="studies, cells done, wall time")
    listing.add_argument("--names", action="store_true", help="names only")
    run = commands.add_parser("run", help="run the cells that are not recorded yet")
    run.add_argument("names", nargs="*", metavar="NAME")
    run.add_argument("--seeds", type=int, help="only the first so many seeds")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    run.add_argument("--jobs", type=int, default=2, help="cells at once (timing studies: 1)")
    check = commands.add_parser("check", help="run each smoke cell again and compare")
    check.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    if options.command == "list":
        return _list(names_only=options.names)
    try:
        studies = [core.get(name) for name in options.names or core.names()]
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    if options.command == "check":
        return _check(studies)
    return _run(studies, options)


def _list(*, names_only: bool) -> int:
    if names_only:
        print("\n".join(core.names()))
        return 0
    print(f"{'study':<20} {'chapter':<8} {'cells':>9} {'wall time':>10}")
    for name in core.names():
        study = core.get(name)
        promised = {core.key(config, seed) for config, seed in study.promised()}
        done, seconds = 0, 0.0
        if (core.RESULTS / f"{name}.json").is_file():
            cells = core.load(name).cells
            kept = [c for c in cells if core.key(c["config"], c["seed"]) in promised]
            done, seconds = len(kept), sum(cell["seconds"] for cell in kept)
        cells_column = f"{done}/{len(promised)}"
        print(f"{name:<20} {study.chapter:<8} {cells_column:>9} {seconds / 60:>6.1f} min")
    return 0


def _run(studies: list[core.Study], options: argparse.Namespace) -> int:
    from course_lib.studies.engine import runner

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    failures = 0
    try:
        for study in studies:
            failures += len(
                runner.run(
                    study,
                    seeds=options.seeds,
                    device=options.device,
                    jobs=options.jobs,
                    report=_say,
                )
            )
    except KeyboardInterrupt:
        _say("stopped; finished cells are recorded, the same command goes on")
        return 130
    except (ValueError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if failures:
        print(f"{failures} cells failed; see above", file=sys.stderr)
    return 1 if failures else 0


def _check(studies: list[core.Study]) -> int:
    from course_lib.studies.engine import runner

    bad = 0
    for study in studies:
        wrong = runner.check(study, report=_say)
        _say(f"{study.name}: " + ("; ".join(wrong) if wrong else "as recorded"))
        bad += bool(wrong)
    return 1 if bad else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
