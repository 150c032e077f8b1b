"""A file is there as a whole or not at all."""

import errno
import os
import subprocess
import sys
import time

import pytest

from course_lib.support import files, progress
from course_lib.support.files import write_atomically

KILLED = """
import os, signal, sys
from course_lib.support import files
os.fsync = lambda stream: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(sys.argv[1], b"half")
"""


def test_what_a_killed_write_left_is_removed_by_a_later_one(tmp_path):
    path, other = tmp_path / "run[1].bin", tmp_path / "run.bin"
    for target in (path, other):
        subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    [left] = tmp_path.glob(".run[[]1].bin.*.part")
    write_atomically(path, b"whole")
    assert left.exists()  # it may be another process at work
    long_ago = time.time() - files.STALE - 1
    for part in tmp_path.glob(".*.part"):
        os.utime(part, (long_ago, long_ago))
    write_atomically(path, b"again")
    assert not left.exists() and path.read_bytes() == b"again"
    assert len(list(tmp_path.glob(".run.bin.*.part"))) == 1  # belongs to another file


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyError()])
def test_what_fails_leaves_the_former_file_and_nothing_else(tmp_path, monkeypatch, error):
    def full(_):
        raise error

    path = tmp_path / "new" / "file"
    write_atomically(path, b"former")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(type(error)) as caught:
        write_atomically(path, b"12345")
    if isinstance(error, OSError):
        assert caught.value.errno == errno.ENOSPC and str(path) in str(caught.value)
        assert "No space left on device; could not write 5 bytes" in str(caught.value)
    assert path.read_bytes() == b"former" and os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("asks", [True, False])
def test_bar_in_a_notebook_that_a_person_runs(monkeypatch, asks):
    kernel = type("Kernel", (), {"_allow_stdin": asks})()
    monkeypatch.setattr(progress, "_notebook_kernel", lambda: kernel)
    monkeypatch.delenv("COURSE_QUIET", raising=False)
    assert progress.somebody_watches() is asks
    monkeypatch.setenv("COURSE_QUIET", "1")
    assert progress.somebody_watches() is False


def test_no_bar_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_QUIET", raising=False)
    with progress.progress_bar(3, "training") as bar:
        bar.update()
    assert bar.disable and capsys.readouterr().err == ""
