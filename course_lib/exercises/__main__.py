"""`python -m course_lib.exercises grade FILE …`: what the checkers say of a learner's work."""

import argparse
import sys
from functools import partial
from pathlib import Path

from course_lib.exercises import grade


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.exercises", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("grade", help="grade files, each in a process of its own")
    one.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".ipynb or .py")
    one.add_argument("--json", type=Path, metavar="FILE", help="write the marks there, too")
    one.add_argument(
        "--seconds", type=float, default=grade.SECONDS, help="for a file (%(default)s)"
    )
    one.add_argument(
        "--megabytes", type=int, default=grade.MEGABYTES, help="for a file (%(default)s)"
    )
    options = parser.parse_args(arguments)
    grading = partial(grade.grade, seconds=options.seconds, megabytes=options.megabytes)
    return grade.report(options.files, options.json, grading)


if __name__ == "__main__":
    sys.exit(main())
