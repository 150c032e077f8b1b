"""The jobs behind the Makefile: `python -m tools.build book|test|determinism|offline|browser`.

One execution of the notebooks serves the tests and the book. nbval runs them, the recorder
(tools/nbval_record.py) keeps their outputs, and the pages are built from these. `book` runs a
notebook again only when its code, a file of the library that it used (modules, records,
checkpoints, the ledger) or the lock changed.
"""

import argparse
import fcntl
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

from tools import linkcheck, live, network, vendor
from tools.project import (
    BUILD,
    EXECUTED,
    HTML,
    ROOT,
    config,
    digest,
    files_below,
    fingerprints,
    fresh,
    notebooks,
    record_path,
)

CACHE = BUILD / ".jupyter_cache"
PAGES_KEY = BUILD / ".pages-key"
LOG = BUILD / "book.log"
RECORDS = ROOT / "course_lib" / "studies" / "results"
EXERCISES = ROOT / "course_lib" / "exercises"
LEDGER = ROOT / "course_lib" / "claims" / "claims.yml"

# Two notebooks at once with a thread each; their numbers do not depend on the machine's cores.
WORKERS = ["-n", "2", "--dist", "loadscope"]
# COURSE_PAGES: how the pages end that outputs link to.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "COURSE_PAGES": "html"}

# MathJax from book/_static/vendor instead of a CDN (see tools/vendor.py); of its parts only what
# the pages use: without the context menu it weighs 100 kB less.
PARTS = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]
VENDORED = {
    "mathjax_path": "vendor/mathjax/startup.js",
    "mathjax3_config": {"loader": {"load": PARTS}, "options": {"enableMenu": False}},
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
    names = [str(path.relative_to(ROOT)) for path in chosen]
    recorder = ["-p", "tools.nbval_record", "--nbval-record", str(EXECUTED.relative_to(ROOT))]
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
    tools = "build exercise_index glossary lab_words live pages policy project".split()
    single += [f"tools/{name}.py" for name in tools]
    return digest([*paths, *(ROOT / name for name in single)])


def effective_config() -> Path:
    """_config.yml with the paths of the vendored scripts where they were fetched."""
    settings = config()
    if vendor.vendored():
        settings["sphinx"]["config"].update(VENDORED)
    path = BUILD / "_config.yml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf8")
    return path


def fill_cache() -> None:
    """Give Jupyter Book the recorded outputs as its execution cache, from scratch."""
    from jupyter_cache import get_cache

    shutil.rmtree(CACHE, ignore_errors=True)
    cache = get_cache(CACHE)
    for path in notebooks():
        cache.cache_notebook_file(
            EXECUTED / path.relative_to(ROOT), uri=str(path), check_validity=False, overwrite=True
        )


def build_pages() -> None:
    """Build _build/html from pages and recorded outputs; a warning is an error."""
    PAGES_KEY.unlink(missing_ok=True)
    key = pages_key()
    fill_cache()
    shutil.rmtree(HTML, ignore_errors=True)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", ".", "--all", "-W", "-n"]
    command += ["--keep-going", "--config", str(effective_config())]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # where Sphinx finds `tools.pages`
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)  # the colors
    LOG.write_text(log, "utf8")
    if "Executing notebook" in log:
        print("The book executed a notebook itself: the recorded outputs do not fit.")
        done.returncode = done.returncode or 1
    if done.returncode:
        marks = ("WARNING", "ERROR", "Error", "Executing notebook")
        shown = [line for line in log.splitlines() if any(mark in line for mark in marks)]
        print("\n".join(shown or log.splitlines()[-30:]))
        print(f"The whole log is {LOG.relative_to(ROOT)}.")
        raise subprocess.CalledProcessError(done.returncode, command)
    PAGES_KEY.write_text(key, "utf8")


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
    with steps.step("pages") as remark:
        if HTML.is_dir() and PAGES_KEY.is_file() and PAGES_KEY.read_text("utf8") == pages_key():
            remark.append("unchanged")
        else:
            build_pages()
    if steps.failed:
        steps.report()
    with steps.step("links") as remark:
        problems = linkcheck.broken_links(HTML) or linkcheck.missing_pages(HTML)
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
        python("pytest", "-q", *WORKERS, "tests", offline=True)
    with steps.step("every notebook") as remark:
        execute(notebooks())
        remark.append(seconds_and_memory(notebooks()))
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
    if not PAGES_KEY.is_file() or PAGES_KEY.read_text("utf8") != pages_key():
        sys.exit("the built pages are missing or out of date; run `make book` first")
    paths = ["tests/book/test_book.py", "tests/browser"]
    with steps.step("built pages"):
        # Two browsers at once; a page is a test of its own, so any worker may take it.
        python("pytest", "-q", "-m", "book or browser", "-n", "2", *paths, offline=True)
    steps.report()


def main() -> None:
    jobs = {job.__name__: job for job in (book, test, determinism, offline, browser)}
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
