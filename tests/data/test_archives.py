"""The cache: what is fetched is checked, faults are found, and nothing half-written stays."""

import errno
import hashlib
import json
import multiprocessing
import os
import signal
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_lib.data import __main__ as command_line
from course_lib.data import archives, download
from course_lib.data.archives import Archive, ArchiveError
from course_lib.data.download import DownloadFailed

CONTENT = b"eins zwei drei\n" * 1000


def make_archive(folder: Path, **changes) -> Archive:
    """Write a tiny wheel to ``folder / "fake.whl"`` and describe it."""
    wheel = folder / "fake.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("fake/data/one.txt", CONTENT)
        opened.writestr("fake/data/two.txt", CONTENT[::-1])
        opened.writestr("fake/__init__.py", "raise SystemExit('never imported')")
    fields = {
        "name": "fake",
        "package": "fake-package",
        "version": "1.0",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "megabytes": 12,
        "peak_megabytes": 34,
        "files": ("one.txt", "two.txt"),
        "unpack": archives.extract_members("fake/data/one.txt", "fake/data/two.txt"),
        "summary": "a stand-in",
    }
    return Archive(**(fields | changes))


class Copy:
    """A downloader that copies the tiny wheel and counts how often it is asked."""

    def __init__(self, folder: Path, edit=lambda raw, call: raw):
        self.folder, self.edit = folder, edit

    def __call__(self, requirement: str, target: Path, scratch: Path, size: int) -> None:
        with open(self.folder / "calls", "ab") as calls:  # also counts in other processes
            calls.write(b".")
        target.write_bytes(self.edit((self.folder / "fake.whl").read_bytes(), self.calls))

    @property
    def calls(self) -> int:
        file = self.folder / "calls"
        return file.stat().st_size if file.exists() else 0


def no_network(requirement: str, target: Path, scratch: Path, size: int) -> None:
    raise DownloadFailed("pip says: no route to host")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch):
    """pooch waits a second before its second try; the tests need not."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def forget() -> None:
    """Behave like a new process, which has verified nothing yet."""
    archives._VERIFIED.clear()


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]


def test_fetched_once_then_served_from_the_cache_without_network(tmp_path, cache):
    archive, copy = make_archive(tmp_path), Copy(tmp_path)
    folder = archives.ensure(archive, cache, copy)
    assert (folder / "one.txt").read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "one.txt", "two.txt"]
    assert leftovers(cache) == ["fake-1.0"]
    forget()
    assert archives.ensure(archive, cache, no_network) == folder
    assert copy.calls == 1


def test_no_network_and_empty_cache_says_what_is_missing_and_what_to_do(tmp_path, cache):
    with pytest.raises(ArchiveError) as caught:
        archives.ensure(make_archive(tmp_path), cache, no_network)
    parts = ("'fake'", "fake-package==1.0", "12 MB", "not in the cache", "no route")
    for part in (*parts, archives.FETCH_COMMAND):
        assert part in str(caught.value)
    assert leftovers(cache) == []


def test_truncated_once_is_downloaded_again(tmp_path, cache):
    copy = Copy(tmp_path, lambda raw, call: raw[:-100] if call == 1 else raw)
    folder = archives.ensure(make_archive(tmp_path), cache, copy)
    assert (folder / "one.txt").read_bytes() == CONTENT and copy.calls == 2


@pytest.mark.parametrize(
    "edit",
    [lambda raw, call: raw[:-100], lambda raw, call: raw[:50] + b"X" + raw[51:]],
    ids=["truncated", "tampered"],
)
def test_a_wrong_download_is_refused_and_removed(tmp_path, cache, edit):
    archive = make_archive(tmp_path)
    with pytest.raises(ArchiveError, match=f"SHA-256 differs from {archive.sha256}"):
        archives.ensure(archive, cache, Copy(tmp_path, edit))
    assert leftovers(cache) == []


def truncate(folder: Path) -> None:
    os.truncate(folder / "one.txt", 5)


def tamper_and_restore_the_time(folder: Path) -> None:
    before = (folder / "two.txt").stat()
    (folder / "two.txt").write_bytes(CONTENT)  # as long as the original
    os.utime(folder / "two.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def delete(folder: Path) -> None:
    (folder / "one.txt").unlink()


def break_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


@pytest.mark.parametrize(
    "damage", [truncate, tamper_and_restore_the_time, delete, break_the_manifest]
)
def test_a_damaged_cache_is_found_removed_and_fetched_again(tmp_path, cache, damage):
    archive, copy = make_archive(tmp_path), Copy(tmp_path)
    folder = archives.ensure(archive, cache, copy)
    damage(folder)
    forget()
    assert archives.ensure(archive, cache, copy) == folder
    assert copy.calls == 2
    assert (folder / "one.txt").read_bytes() == CONTENT
    assert (folder / "two.txt").read_bytes() == CONTENT[::-1]
    assert leftovers(cache) == ["fake-1.0"]


def test_damage_is_also_noticed_within_one_process(tmp_path, cache):
    archive, copy = make_archive(tmp_path), Copy(tmp_path)
    archives.ensure(archive, cache, copy)
    truncate(archives.ensure(archive, cache, copy))  # this second call has verified the files
    archives.ensure(archive, cache, copy)
    assert copy.calls == 2


def test_a_damaged_cache_without_network_is_an_error_not_bad_data(tmp_path, cache):
    archive = make_archive(tmp_path)
    truncate(archives.ensure(archive, cache, Copy(tmp_path)))
    with pytest.raises(ArchiveError, match="damaged in the cache .* could not be downloaded"):
        archives.ensure(archive, cache, no_network)


def test_another_pinned_version_does_not_accept_the_old_files(tmp_path, cache):
    archive, copy = make_archive(tmp_path), Copy(tmp_path)
    folder = archives.ensure(archive, cache, copy)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sha256": "0" * 64}))
    assert not archives.is_intact(archive, folder)


def test_an_archive_without_the_member_is_named(tmp_path, cache):
    archive = make_archive(tmp_path, unpack=archives.extract_members("fake/data/three.txt"))
    with pytest.raises(ArchiveError, match=r"fake-package==1\.0 does not hold .*three\.txt"):
        archives.ensure(archive, cache, Copy(tmp_path))
    assert leftovers(cache) == []


def test_a_full_disk_while_downloading_leaves_nothing(tmp_path, cache):
    def full(requirement, target, scratch, size):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ArchiveError, match="disk is full.*needs 34 MB.*ATTENTION_MEASURED_CACHE"):
        archives.ensure(make_archive(tmp_path), cache, full)
    assert leftovers(cache) == []


def test_a_full_disk_while_unpacking_leaves_nothing_and_can_be_repeated(
    tmp_path, cache, monkeypatch
):
    archive, copy = make_archive(tmp_path), Copy(tmp_path)

    def full(source, sink, length):
        sink.write(source.read(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "copyfileobj", full)
        with pytest.raises(ArchiveError, match="disk is full"):
            archives.ensure(archive, cache, copy)
    assert leftovers(cache) == []
    assert (archives.ensure(archive, cache, copy) / "one.txt").read_bytes() == CONTENT


def test_a_cache_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ArchiveError, match="cannot be stored in .*taken"):
        archives.ensure(make_archive(tmp_path), tmp_path / "taken" / "cache", Copy(tmp_path))


def slow(wheel: zipfile.ZipFile, target: Path, scratch: Path) -> None:
    """Unpack with a pause in the middle, announced by a file beside the cache."""
    (target / "one.txt").write_bytes(wheel.read("fake/data/one.txt")[:100])
    (target.parents[2] / "unpacking").touch()
    time.sleep(0.5)
    archives.extract_members("fake/data/one.txt", "fake/data/two.txt")(wheel, target, scratch)


def stuck(wheel: zipfile.ZipFile, target: Path, scratch: Path) -> None:
    (target / "one.txt").write_bytes(wheel.read("fake/data/one.txt")[:100])
    (target.parents[2] / "unpacking").touch()
    time.sleep(60)


def work(tmp_path: Path, unpack, results=None) -> None:
    """What another process does: fetch and report what it reads at once."""
    archive = make_archive_description(tmp_path, unpack)
    folder = archives.ensure(archive, tmp_path / "cache", Copy(tmp_path))
    if results is not None:
        results.put((folder / "one.txt").read_bytes() + (folder / "two.txt").read_bytes())


def make_archive_description(tmp_path: Path, unpack) -> Archive:
    sha256 = hashlib.sha256((tmp_path / "fake.whl").read_bytes()).hexdigest()
    files = ("one.txt", "two.txt")
    return Archive("fake", "fake-package", "1.0", sha256, 12, 34, files, unpack, "a stand-in")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_two_fetches_at_once_download_once_and_both_read_whole_files(tmp_path, cache):
    make_archive(tmp_path)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=work, args=(tmp_path, slow, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    read = [results.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert read == [CONTENT + CONTENT[::-1]] * 2
    assert Copy(tmp_path).calls == 1
    assert leftovers(cache) == ["fake-1.0"]


def test_killed_while_unpacking_is_never_taken_for_whole_and_is_cleaned_up(tmp_path, cache):
    make_archive(tmp_path)
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(tmp_path, stuck))
    worker.start()
    wait_for(tmp_path / "unpacking")
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(30)
    assert not (cache / "fake-1.0").exists()
    archive = make_archive_description(tmp_path, slow)
    folder = archives.ensure(archive, cache, Copy(tmp_path), lock_timeout=5)
    assert (folder / "one.txt").read_bytes() == CONTENT
    assert leftovers(cache) == ["fake-1.0"]


def test_waiting_for_another_process_ends_with_an_error(tmp_path, cache):
    make_archive(tmp_path)
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(tmp_path, stuck))
    worker.start()
    try:
        wait_for(tmp_path / "unpacking")
        with pytest.raises(ArchiveError, match="another process has been fetching 'fake'"):
            archive = make_archive_description(tmp_path, slow)
            archives.ensure(archive, cache, Copy(tmp_path), lock_timeout=0.2)
    finally:
        worker.kill()
        worker.join(30)


def test_interrupted_by_the_reader_leaves_nothing(tmp_path, cache):
    def interrupted(wheel, target, scratch):
        (target / "one.txt").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archives.ensure(make_archive(tmp_path, unpack=interrupted), cache, Copy(tmp_path))
    assert leftovers(cache) == []


def pip_stand_in(folder: Path, script: str, monkeypatch) -> None:
    """Let ``sys.executable`` be a script that plays pip; its arguments are those of pip."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(download.sys, "executable", str(program))


def test_pip_download_delivers_the_wheel(tmp_path, cache, monkeypatch):
    archive = make_archive(tmp_path)
    script = f'echo "$@" > {tmp_path}/arguments\ncp {tmp_path}/fake.whl "$TMPDIR/download/"'
    pip_stand_in(tmp_path, script, monkeypatch)
    folder = archives.ensure(archive, cache)
    assert (folder / "one.txt").read_bytes() == CONTENT
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:3] == ["-m", "pip", "download"] and arguments[-1] == "fake-package==1.0"
    assert {"--no-deps", "--only-binary=:all:"} <= set(arguments)


def test_pip_errors_are_passed_on(tmp_path, cache, monkeypatch):
    script = "echo 'WARNING: retrying'; echo 'ERROR: no such index' >&2; echo notice; exit 1"
    pip_stand_in(tmp_path, script, monkeypatch)
    with pytest.raises(ArchiveError, match="pip says: ERROR: no such index"):
        archives.ensure(make_archive(tmp_path), cache)


def test_pip_on_a_full_disk_is_a_storage_error(tmp_path, cache, monkeypatch):
    pip_stand_in(tmp_path, "echo 'ERROR: [Errno 28] No space left on device'; exit 1", monkeypatch)
    with pytest.raises(ArchiveError, match="disk is full"):
        archives.ensure(make_archive(tmp_path), cache)
    assert leftovers(cache) == []


def test_the_cache_moves_with_the_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv(archives.CACHE_VARIABLE, str(tmp_path / "elsewhere"))
    assert archives.cache_folder() == tmp_path / "elsewhere"
    monkeypatch.delenv(archives.CACHE_VARIABLE)
    assert archives.cache_folder().name == "attention-measured"


def test_an_unknown_archive_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match="'imdb'; the archives are verses, wikipedia"):
        archives.fetch("imdb")


def test_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(archives.CACHE_VARIABLE, str(tmp_path / "cache"))
    archive = make_archive(tmp_path)
    monkeypatch.setattr(archives, "ARCHIVES", {"fake": archive})
    monkeypatch.setattr(archives, "pip_download", no_network)
    assert command_line.main(["path"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "cache")
    assert command_line.main(["list"]) == 0
    assert "12 MB to fetch" in capsys.readouterr().out
    assert command_line.main(["fetch"]) == 1
    assert "error: the archive 'fake'" in capsys.readouterr().err
    monkeypatch.setattr(archives, "pip_download", Copy(tmp_path))
    assert command_line.main(["fetch", "fake"]) == 0
    assert str(tmp_path / "cache" / "fake-1.0") in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command_line.main(["fetch", "nonsense"])
    assert "no archive is called nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("name", archives.ARCHIVES)
def test_real_archives_are_in_the_cache_and_whole(name):
    folder = archives.fetch(name)
    assert archives.is_intact(archives.ARCHIVES[name], folder)
    assert {path.name for path in folder.iterdir()} == {
        *archives.ARCHIVES[name].files,
        "manifest.json",
    }
