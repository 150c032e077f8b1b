"""Writing a file so that it is never seen half-written."""

from __future__ import annotations

import glob
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

STALE = 60.0  # seconds without a byte, after which an unfinished file is one of a killed process


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` in one step: readers see the old file or the new one.

    The bytes go to a temporary file in the same folder, which then replaces `path`. When anything
    fails on the way (a full disk, a kill), the former file stays as it was. What a killed write
    left behind is removed by the next one.

    Raises:
        OSError: the folder cannot be written or the disk is full; names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        with suppress(FileNotFoundError):  # another process may be quicker
            if time.time() - left_over.stat().st_mtime > STALE:
                left_over.unlink()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = f"{error.strerror}; could not write {len(data):,} bytes, the former file stays"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
