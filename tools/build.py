"""The jobs behind the Makefile: `python -m tools.build JOB`.

One execution of the notebooks serves the tests and the book. nbval runs them, the recorder
(tools/nbval_record.py) keeps their outputs, and the pages are built from these. `book` runs a
notebook again only when its code, a file of the library that it used (modules, records,
checkpoints, the ledger) or the lock changed.
"""

import argparse
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import yaml

from tools import catalogs, edition, linkcheck, live, network, translations, vendor
from tools.edition import ENGLISH, KOREAN, Edition
from tools.project import (
    BUILD,
    EXECUTED,
    HTML,
    ROOT,
    digest,
    files_below,
    fingerprints,
    fresh,
    notebooks,
    record_path,
)

PAGES_KEY = BUILD / ".pages-key"
KOREAN_KEY = BUILD / ".korean-pages-key"
# What writes the pages, those of both languages and the Korean ones alone.
TOOLS = """
    build edition exercise_index glossary korean_font korean_words lab_words live pages policy
    project vendor
""".split()
KOREAN_TOOLS = """
    catalogs korean_notebooks korean_search korean_theme outputs script_messages
""".split()
RECORDS = ROOT / "course_lib" / "studies" / "results"
EXERCISES = ROOT / "course_lib" / "exercises"
LEDGER = ROOT / "course_lib" / "claims" / "claims.yml"
COSTS = ROOT / "tools" / "bench" / "notebooks.json"  # seconds of each notebook, once measured

# Two notebooks at once with a thread each, in the order given; their numbers do not depend on the
# machine's cores.
WORKERS = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
# COURSE_PAGES: how the pages end that outputs link to.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "COURSE_PAGES": "html"}

# MathJax from book/_static/vendor instead of a CDN (see tools/vendor.py); of its parts only what
# the pages use: without the context menu it weighs 100 kB less.
PARTS = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]
VENDORED = {
    "mathjax_path": "vendor/mathjax/startup.js",
    "mathjax3_config": {"loader": {"load": PARTS}},
}


class Steps:
    """Times the steps of a job and says what came out of each."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed = False

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a block; the strings it appends to the yielded list become the step's remark."""
        print(f"· {name}", flush=True)
        remark: list[str] = []
        start = time.perf_counter()
        try:
            yield remark
        except subprocess.CalledProcessError as error:
            self.failed = True
            remark.append(f"FAILED (exit status {error.returncode})")
        finally:
            seconds = time.perf_counter() - start
            self.lines.append(f"  {name:<28}{seconds:7.1f} s  {'; '.join(remark)}".rstrip())

    def report(self) -> None:
        print("\n".join(self.lines), flush=True)
        if self.failed:
            sys.exit(1)


def python(*arguments: str, offline: bool = False) -> None:
    """Run a module of this environment; an exit status other than 0 raises CalledProcessError."""
    environment = {**os.environ, **ENVIRONMENT}
    if offline:
        environment["PYTHONPATH"] = str(ROOT / "tools" / "offline")
    subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=environment, check=True)


def prepare(steps: Steps) -> None:
    """The data archives and the vendored scripts."""
    with steps.step("data archives"):
        python("course_lib.data", "fetch")
    with steps.step("scripts of the pages") as remark:
        reason = vendor.vendor()
        if reason:
            remark.append(f"not vendored ({reason}): formulas need the network")
    if steps.failed:
        steps.report()


def execute(chosen: list[Path]) -> None:
    """Run notebooks once under nbval, recording those that pass."""
    if not chosen:
        return
    # The longest first, so that both workers end at about the same time.
    known = json.loads(COSTS.read_text("utf8"))["notebooks"]
    seconds = {name: about["seconds"] for name, about in known.items()}
    chosen = sorted(chosen, key=lambda path: -seconds.get(path.stem, 0))
    names = [str(path.relative_to(ROOT)) for path in chosen]
    recorder = ["-p", "tools.nbval_record", "--nbval-record", str(EXECUTED.relative_to(ROOT))]
    recorder += ["-p", "tools.kernels"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "300"]
    python("pytest", "-q", *recorder, *nbval, *WORKERS, *names, offline=True)


def seconds_and_memory(chosen: list[Path]) -> str:
    """The recorder's figures for notebooks, in one line."""
    parts = []
    for path in chosen:
        record = record_path(EXECUTED / path.relative_to(ROOT))
        if record.is_file():
            figures = yaml.safe_load(record.read_text("utf8"))
            parts.append(f"{path.stem}: {figures['seconds']} s, {figures['megabytes']} MB")
    return "; ".join(parts)


def pages_key() -> str:
    """Key of everything the pages are built from."""
    paths = files_below(ROOT / "book", EXECUTED, RECORDS, LEDGER.parent, EXERCISES)
    paths += [*notebooks(), *live.sources()]
    single = ["_config.yml", "_toc.yml", "constraints.txt", "tools/bench/notebooks.json"]
    single += [f"tools/{name}.py" for name in TOOLS]
    return digest([*paths, *(ROOT / name for name in single)])


def korean_key() -> str:
    """Key of everything the Korean pages are built from."""
    paths = files_below(ROOT / "locale", catalogs.SPOKEN)
    paths = [path for path in paths if path.suffix != ".mo"]  # the build itself writes these
    paths += [ROOT / "tools" / f"{name}.py" for name in KOREAN_TOOLS]
    paths += [ROOT / "course_lib" / "figures" / "language.py"]
    return f"{pages_key()} {digest(paths)}"


def effective_config(chosen: Edition) -> Path:
    """The settings of an edition, with the paths of the vendored scripts if they were fetched."""
    settings = edition.settings(chosen)
    if vendor.vendored():
        settings["sphinx"]["config"].update(VENDORED)
    path = BUILD / f"_config.{chosen.language}.yml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf8")
    return path


def fill_cache(place: Path, executed: Path) -> None:
    """Give Jupyter Book recorded outputs as its execution cache at `place`, from scratch."""
    from jupyter_cache import get_cache

    shutil.rmtree(place, ignore_errors=True)
    cache = get_cache(place)
    for path in notebooks():
        cache.cache_notebook_file(
            executed / path.relative_to(ROOT), uri=str(path), check_validity=False, overwrite=True
        )


def build_pages(chosen: Edition = ENGLISH) -> None:
    """Build the pages of an edition from texts and recorded outputs; a warning is an error."""
    stamp, key = (PAGES_KEY, pages_key) if chosen is ENGLISH else (KOREAN_KEY, korean_key)
    stamp.unlink(missing_ok=True)
    now = key()
    fill_cache(chosen.cache, edition.executed(chosen))
    shutil.rmtree(chosen.html, ignore_errors=True)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", ".", "--all", "-W", "-n"]
    command += ["--keep-going", "--config", str(effective_config(chosen))]
    command += ["--path-output", str(chosen.build)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # where Sphinx finds `tools.pages`
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)  # the colors
    path = BUILD / f"book.{chosen.language}.log"
    path.write_text(log, "utf8")
    if "Executing notebook" in log:
        print("The book executed a notebook itself: the recorded outputs do not fit.")
        done.returncode = done.returncode or 1
    if done.returncode:
        marks = ("WARNING", "ERROR", "Error", "Executing notebook")
        shown = [line for line in log.splitlines() if any(mark in line for mark in marks)]
        print("\n".join(shown or log.splitlines()[-30:]))
        print(f"The whole log is {path.relative_to(ROOT)}.")
        raise subprocess.CalledProcessError(done.returncode, command)
    if chosen is not ENGLISH:
        shutil.move(chosen.build / "_build" / "html", chosen.html)
    stamp.write_text(now, "utf8")


def built(chosen: Edition) -> bool:
    """Whether the pages of an edition are there, and made from what there is now."""
    stamp, key = (PAGES_KEY, pages_key) if chosen is ENGLISH else (KOREAN_KEY, korean_key)
    return chosen.html.is_dir() and stamp.is_file() and stamp.read_text("utf8") == key()


def book(steps: Steps) -> None:
    """Fetch, execute what changed, build the pages, check their links."""
    prepare(steps)
    files = fingerprints()
    stale = [path for path in notebooks() if not fresh(path, files)]
    with steps.step("notebooks") as remark:
        execute(stale)
        remark.append(f"{len(stale)} executed, {len(notebooks()) - len(stale)} unchanged")
    if steps.failed:
        steps.report()
    pages(steps, ENGLISH, KOREAN)


def korean(steps: Steps) -> None:
    """Build the Korean pages from the last run of the notebooks."""
    if not built(ENGLISH):
        sys.exit("the English pages are missing or out of date; run `make book` first")
    pages(steps, KOREAN)


def pages(steps: Steps, *editions: Edition) -> None:
    """Build the pages of these editions where they are not up to date; check all links."""
    for chosen in editions:
        with steps.step("pages" if chosen is ENGLISH else "pages in Korean") as remark:
            if built(chosen):
                remark.append("unchanged")
            else:
                build_pages(chosen)
        if steps.failed:
            steps.report()
    with steps.step("Korean text") as remark:
        # A new English sentence stops no reader from building the book; `make test` does fail.
        if found := translations.check():
            print("\n".join(found))
            remark.append(f"{len(found)} messages to look at: see above, and `make messages`")
    with steps.step("links") as remark:
        problems = linkcheck.broken_links(HTML)
        problems += linkcheck.missing_pages(ENGLISH.html) + linkcheck.missing_pages(KOREAN.html)
        if problems:
            print("\n".join(problems))
            raise subprocess.CalledProcessError(1, "linkcheck")
        remark.append("every internal link has its target")
    if not steps.failed:
        steps.lines.append(f"The book is in {HTML / 'index.html'}; `make serve` shows it.")
    steps.report()


def test(steps: Steps) -> None:
    """Unit and hygiene tests, then every notebook."""
    prepare(steps)
    with steps.step("unit and hygiene tests"):
        python("pytest", "-q", *WORKERS, "tests", "--ignore", "tests/browser", offline=True)
    with steps.step("every notebook") as remark:
        execute(notebooks())
        remark.append(seconds_and_memory(notebooks()))
    with steps.step("Korean of what cells show"):
        python("tools.translations", "check", offline=True)
    steps.report()


def determinism(steps: Steps) -> None:
    """Run the executed copies again and compare every output but those of cells tagged timing."""
    files = fingerprints()
    missing = [path.name for path in notebooks() if not fresh(path, files)]
    if missing:
        sys.exit(
            f"not executed in their present state: {', '.join(missing)}; run `make book` first"
        )
    folder = BUILD / "determinism"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in notebooks():
        copy = nbformat.read(EXECUTED / path.relative_to(ROOT), as_version=4)
        for cell in copy.cells:
            if "timing" in cell.metadata.get("tags", []):
                cell.metadata.tags.append("nbval-ignore-output")
        nbformat.write(copy, folder / path.name)
    with steps.step("second run, compared"):
        nbval = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", "300"]
        python("pytest", "-q", *nbval, *WORKERS, str(folder), offline=True)
    steps.report()


def offline(steps: Steps) -> None:
    """Repeat `test` where the system itself has no network, else with blocked sockets only."""
    prepare(steps)
    command = [sys.executable, "-m", "tools.network", sys.executable, "-m", "tools.build", "test"]
    if network.can_unshare():
        command = ["unshare", "--map-root-user", "--net", *command]
    else:
        print("This system grants no network namespace: sockets are blocked inside Python only.")
    with steps.step("tests without a network"):
        subprocess.run(command, cwd=ROOT, check=True)
    steps.report()


def browser(steps: Steps) -> None:
    """Check the built pages in Chromium."""
    if not (built(ENGLISH) and built(KOREAN)):
        sys.exit("the built pages are missing or out of date; run `make book` first")
    paths = ["tests/book/test_book.py", "tests/browser"]
    with steps.step("built pages"):
        # Two browsers at once; a page is a test of its own, so any worker may take it.
        python("pytest", "-q", "-m", "book or browser", "-n", "2", *paths, offline=True)
    steps.report()


def main() -> None:
    jobs = {job.__name__: job for job in (book, korean, test, determinism, offline, browser)}
    parser = argparse.ArgumentParser(prog="tools.build", description=__doc__.split("\n")[0])
    parser.add_argument("job", choices=jobs)
    job = jobs[parser.parse_args().job]
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        if job is not offline:  # it starts `test`, which takes the lock
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another build is running in this folder; waiting for it.", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        job(Steps())


if __name__ == "__main__":
    main()
