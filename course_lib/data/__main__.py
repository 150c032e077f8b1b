"""Command line of the data rooms: `python -m course_lib.data fetch [NAME ...] | list | path`."""

import argparse
import sys

from course_lib.data import archives


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="fetch the archives that are not in the cache yet")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    commands.add_parser("list", help="list the archives and whether they are in the cache")
    commands.add_parser("path", help="print the cache folder")
    options = parser.parse_args(arguments)
    try:
        if options.command == "path":
            print(archives.cache_folder())
        elif options.command == "list":
            for archive in archives.ARCHIVES.values():
                cached = archives.is_intact(archive)
                state = "in the cache" if cached else f"{archive.megabytes:g} MB to fetch"
                print(f"{archive.name:10} {state:16} {archive.requirement:32} {archive.summary}")
        else:
            for name in options.names or archives.ARCHIVES:
                if name not in archives.ARCHIVES:
                    parser.error(f"no archive is called {name}; `list` shows them")
                print(f"{name}: {archives.fetch(name)}")
    except archives.ArchiveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
