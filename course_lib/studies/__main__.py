"""python -m course_lib.studies list | run [NAME …] | check [NAME …]; no name means every study."""

from __future__ import annotations

import argparse
import signal
import sys

from course_lib.studies.engine import core, record


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
    print(f"{'study':<22} {'chapter':<8} {'cells':>9} {'wall time':>10}")
    unreadable = []
    for name in core.names():
        study = core.get(name)
        promised = {core.key(config, seed) for config, seed in study.promised()}
        try:
            cells = record.load(name).cells
        except KeyError:  # not run yet
            cells = []
        except ValueError as error:
            unreadable.append(str(error))
            continue
        kept = [cell for cell in cells if core.key(cell["config"], cell["seed"]) in promised]
        minutes = sum(cell["seconds"] for cell in kept) / 60
        done = f"{len(kept)}/{len(promised)}"
        print(f"{name:<22} {study.chapter:<8} {done:>9} {minutes:>6.1f} min")
    for line in unreadable:
        print(line, file=sys.stderr)
    return 1 if unreadable else 0


def _run(studies: list[core.Study], options: argparse.Namespace) -> int:
    from course_lib.studies.engine import runner

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    asked = {"seeds": options.seeds, "device": options.device, "jobs": options.jobs}
    failures = 0
    try:
        for study in studies:
            failures += len(runner.run(study, **asked, report=_say))
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
