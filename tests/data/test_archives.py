"""The cache: what is fetched is checked, faults are found, and nothing half-written stays.

pip is a stand-in: a module of that name on the path of the processes that the library starts. It
counts its calls, and `pip(…)` tells it what to do.
"""

import contextlib
import errno
import gzip
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from course_lib.data import __main__ as command_line
from course_lib.data import archives, download
from course_lib.data.archives import Archive, ArchiveError

CONTENT = b"eins zwei drei\n" * 1000
PIP = """
import os, pathlib, sys, time
home = pathlib.Path({home!r})
calls = home / "calls"
calls.write_text((calls.read_text() if calls.exists() else "") + ".")
call = len(calls.read_text())
(home / "arguments").write_text(" ".join(sys.argv))
raw = (home / "fake.whl").read_bytes()
def deliver(raw):
    folder = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
    (folder / "fake_package-1.0-py3-none-any.whl").write_bytes(raw)
{does}
"""
NO_NETWORK = """
reason = "NewConnectionError('<...>: Failed to establish a new connection: [Errno -2]')"
print(f"WARNING: Retrying (Retry(total=0)) after connection broken by '{reason}': /simple/fake/")
print("ERROR: Could not find a version that satisfies the requirement (from versions: none)")
sys.exit("ERROR: No matching distribution found for fake-package==1.0")
"""


def archive(**changes) -> Archive:
    sha256 = hashlib.sha256(Path(os.environ["FAKE_HOME"], "fake.whl").read_bytes()).hexdigest()
    fields = {"files": ("one.txt", "two.txt"), "summary": ""} | changes
    return Archive("fake", "fake-package==1.0", sha256, 12, "a/data", **fields)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a tiny wheel, a stand-in for pip, and an empty cache."""
    with zipfile.ZipFile(tmp_path / "fake.whl", "w") as opened:
        opened.writestr("a/data/one.txt", CONTENT)
        opened.writestr("a/data/two.txt", CONTENT[::-1])
        opened.writestr("a/__init__.py", "raise SystemExit('never imported')")
    monkeypatch.setenv("FAKE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    monkeypatch.setenv(archives.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(archives, "ARCHIVES", {"fake": archive()})
    pip(tmp_path, "deliver(raw)")
    return tmp_path


def pip(home: Path, does: str) -> None:
    """Let pip do this from now on."""
    (home / "pip").mkdir(exist_ok=True)
    (home / "pip/__init__.py").touch()
    (home / "pip/__main__.py").write_text(PIP.format(home=str(home), does=does))


def calls(home: Path) -> int:
    return len((home / "calls").read_text())


def left(home: Path) -> list[str]:
    return [path.name for path in (home / "cache").iterdir() if path.suffix != ".lock"]


def test_fetched_once_then_served_from_the_cache_without_network(home):
    folder = archives.fetch("fake")
    assert (folder / "one.txt").read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "one.txt", "two.txt"]
    said = (home / "arguments").read_text().split()
    assert said[1] == "download" and said[-1] == "fake-package==1.0"
    assert {"--no-deps", "--only-binary=:all:", "--no-cache-dir"} <= set(said)
    pip(home, NO_NETWORK)
    archives._sha256.cache_clear()  # as in a new process, which has verified nothing yet
    assert archives.fetch("fake") == folder
    assert calls(home) == 1 and left(home) == ["fake-1.0"]


def test_no_network_and_empty_cache_says_what_is_missing_and_what_to_do(home):
    pip(home, NO_NETWORK)
    with pytest.raises(ArchiveError) as caught:
        archives.fetch("fake")
    parts = ("'fake'", "fake-package==1.0", "12 MB", "not in the cache", "NewConnectionError")
    for part in (*parts, "Connect to the network", "python -m course_lib.data fetch"):
        assert part in str(caught.value)
    assert left(home) == []


BROKEN = "Retrying after connection broken by '{}': /x/\nERROR: No matching distribution found"


@pytest.mark.parametrize(
    ("says", "cause", "remedy"),
    [
        (
            "WARNING: retrying\nERROR: Exception:\nTraceback …\n  File …\nurllib3.exceptions."
            "ProtocolError: ('Connection broken: IncompleteRead(9 bytes read)', 9)",
            "pip says: urllib3.exceptions.ProtocolError",
            "cut short",
        ),
        ("ERROR: Wheel 'fake' at /tmp/x.whl is invalid.\nnotice", "is invalid", "cut short"),
        (BROKEN.format("ProxyError('…', NewConnectionError())"), "Proxy", "HTTPS_PROXY"),
        (BROKEN.format("SSLError(SSLCertVerificationError(1))"), "SSLError", "PIP_CERT"),
        ("ERROR: No matching distribution found for fake", "No matching", "index was reached"),
        ("ERROR: Exception:\nRetryError: too many 503 error responses", "503", "index was reached"),
        (
            "error: incomplete-download\n\n× Download failed after 6 attempts because not enough "
            "bytes were received (66 kB/200 kB)\n╰─> URL: x\n\nhint: Use --resume-retries",
            "pip says: × Download failed after 6 attempts",
            "cut short",
        ),
        ("/usr/bin/python: No module named pip", "No module named pip", "ensurepip"),
        ("", "pip says: nothing", ""),
    ],
)
def test_the_cause_that_pip_shows_has_a_remedy_of_its_own(says, cause, remedy):
    found = download.explain(says)
    assert cause in found and remedy in found
    assert "Connect to the network" not in found


@pytest.mark.parametrize(
    "first",
    [
        "deliver(raw[:-100])",
        "deliver(raw[:50] + b'X' + raw[51:])",
        "sys.exit(\"ERROR: Wheel 'fake' is invalid.\")",
        "sys.exit('ERROR: Exception:')",
    ],
    ids=["truncated", "tampered", "refused by pip", "broken connection"],
)
def test_what_fails_once_is_downloaded_again(home, first):
    pip(home, f"{first} if call == 1 else deliver(raw)")
    assert (archives.fetch("fake") / "one.txt").read_bytes() == CONTENT and calls(home) == 2


@pytest.mark.parametrize("edit", ["raw[:-100]", "raw[:50] + b'X' + raw[51:]", "b''"])
def test_a_wrong_download_is_refused_and_removed(home, edit):
    pip(home, f"deliver({edit})")
    with pytest.raises(ArchiveError, match=f"its SHA-256 differs from {archive().sha256}"):
        archives.fetch("fake")
    assert left(home) == [] and calls(home) == 2


@pytest.fixture
def wheel(home, monkeypatch) -> Path:
    """An archive in a folder of its own that real pip takes, whatever version of pip is here."""
    shutil.rmtree(home / "pip")
    wheel = home / "links" / "fake_package-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(home / "fake.whl", "a") as opened:
        info = "fake_package-1.0.dist-info"
        about = "Metadata-Version: 2.1\nName: fake-package\nVersion: 1.0\n"
        opened.writestr(f"{info}/METADATA", about)
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        opened.writestr(f"{info}/RECORD", "")
    shutil.copy(home / "fake.whl", wheel)
    monkeypatch.setattr(archives, "ARCHIVES", {"fake": archive(chapters=(4,))})
    return wheel


@pytest.mark.parametrize("where", ["folder", "file", "address of a page"])
def test_a_second_way_in_takes_the_place_of_the_index(home, wheel, where, monkeypatch, capsys):
    page = home / "page.html"
    page.write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>')
    place = {"folder": wheel.parent, "file": wheel, "address of a page": page.as_uri()}[where]
    monkeypatch.setenv(download.SOURCE_VARIABLE, "")  # restored after `--from` has set it
    assert command_line.main(["fetch", "--from", str(place)]) == 0
    assert "to fetch: 12 MB" in capsys.readouterr().out
    assert (archives.fetch("fake") / "one.txt").read_bytes() == CONTENT


def test_a_second_way_in_that_lacks_the_archive_is_named(home, wheel, monkeypatch):
    wheel.unlink()
    monkeypatch.setenv(download.SOURCE_VARIABLE, str(wheel.parent))
    with pytest.raises(ArchiveError, match="this one is not there") as caught:
        archives.fetch("fake")
    assert str(wheel.parent) in str(caught.value)


def test_what_is_collected_serves_another_machine(home, wheel, monkeypatch, capsys):
    monkeypatch.setenv(download.SOURCE_VARIABLE, str(wheel.parent))
    stick = home / "stick"
    assert command_line.main(["collect", str(stick)]) == 0
    assert [path.name for path in stick.iterdir()] == [wheel.name]
    monkeypatch.setenv(download.SOURCE_VARIABLE, str(stick))
    assert archives.fetch("fake").is_dir()


def test_verify_tells_absent_whole_and_damaged_apart(home, capsys):
    assert command_line.main(["verify"]) == 0 and "absent" in capsys.readouterr().out
    folder = archives.fetch("fake")
    assert command_line.main(["verify"]) == 0 and "whole" in capsys.readouterr().out
    truncate(folder)
    assert command_line.main(["verify"]) == 1 and "damaged" in capsys.readouterr().out


def test_chapters_choose_archives(home, monkeypatch, capsys):
    monkeypatch.setattr(archives, "ARCHIVES", {"fake": archive(chapters=(4, 9), licence="MIT")})
    assert command_line.main(["fetch", "--chapters", "5", "6"]) == 0
    assert "need no archive" in capsys.readouterr().out and not (home / "calls").exists()
    assert command_line.main(["fetch", "--chapters", "3", "9"]) == 0
    said = capsys.readouterr().out
    assert "to fetch: 12 MB" in said and "ch. 4, 9" in said and "MIT" in said
    assert command_line.main(["list"]) == 0
    assert "chapter 9: 12 MB (fake)" in capsys.readouterr().out


def test_real_pip_names_what_is_wrong(home, wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheel.parent.as_uri())
    folder = archives.fetch("fake")
    assert (folder / "one.txt").read_bytes() == CONTENT
    shutil.rmtree(folder)
    wheel.write_bytes(wheel.read_bytes()[:500])
    with pytest.raises(ArchiveError, match="cut short"):
        archives.fetch("fake")


def truncate(folder: Path) -> None:
    os.truncate(folder / "one.txt", 5)


def tamper_and_restore_the_time(folder: Path) -> None:
    before = (folder / "two.txt").stat()
    (folder / "two.txt").write_bytes(CONTENT)  # as long as the original
    os.utime(folder / "two.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    archives._sha256.cache_clear()  # found in the next process


def pin_another_version(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sha256": "0" * 64}))


DAMAGES = [
    truncate,
    tamper_and_restore_the_time,
    pin_another_version,
    lambda folder: (folder / "one.txt").unlink(),
    lambda folder: (folder / "manifest.json").write_text("{"),
    lambda folder: (folder / "manifest.json").write_text("[]"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_found_removed_and_fetched_again(home, damage):
    folder = archives.fetch("fake")
    damage(archives.fetch("fake"))
    assert archives.fetch("fake") == folder
    assert calls(home) == 2
    assert (folder / "one.txt").read_bytes() == CONTENT
    assert (folder / "two.txt").read_bytes() == CONTENT[::-1]
    assert left(home) == ["fake-1.0"]


def test_a_damaged_cache_without_network_is_an_error_not_bad_data(home):
    truncate(archives.fetch("fake"))
    pip(home, NO_NETWORK)
    with pytest.raises(ArchiveError, match="damaged in the cache .* could not be fetched"):
        archives.fetch("fake")


def test_an_archive_without_the_member_is_named(home, monkeypatch):
    monkeypatch.setattr(archives, "ARCHIVES", {"fake": archive(files=("three.txt",))})
    with pytest.raises(ArchiveError, match=r"fake-package==1\.0.* does not hold .*three\.txt"):
        archives.fetch("fake")
    assert left(home) == []


def test_a_full_disk_leaves_nothing_and_can_be_repeated(home, monkeypatch):
    def full(source, sink, length):
        sink.write(source.read(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    said = "disk is full.*72 MB.*ATTENTION_MEASURED_CACHE"
    pip(home, "sys.exit('ERROR: [Errno 28] No space left on device')")
    with pytest.raises(ArchiveError, match=said):  # while downloading
        archives.fetch("fake")
    pip(home, "deliver(raw)")
    with monkeypatch.context() as patch, pytest.raises(ArchiveError, match=said):
        patch.setattr(archives.shutil, "copyfileobj", full)  # while unpacking
        archives.fetch("fake")
    assert left(home) == []
    assert (archives.fetch("fake") / "one.txt").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_is_a_clear_error(home, monkeypatch):
    (home / "taken").touch()
    monkeypatch.setenv(archives.CACHE_VARIABLE, str(home / "taken" / "cache"))
    with pytest.raises(ArchiveError, match="cannot be stored there: .*taken"):
        archives.fetch("fake")


def test_without_a_home_folder_the_remedy_is_named(monkeypatch, capsys):
    monkeypatch.delenv(archives.CACHE_VARIABLE, raising=False)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])  # a user without an entry
    with pytest.raises(ArchiveError, match="HOME is not set.*Set ATTENTION_MEASURED_CACHE"):
        archives.fetch("verses")
    assert command_line.main(["list"]) == 1 and "HOME is not set" in capsys.readouterr().err
    monkeypatch.setenv(archives.CACHE_VARIABLE, "/elsewhere")
    assert archives.cache_folder() == Path("/elsewhere")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv(archives.CACHE_VARIABLE)
    assert archives.cache_folder().name == "attention-measured"


def announce_and_wait(folder: Path) -> None:
    """Between unpacking and the final place; a file beside the cache says so."""
    (folder.parents[2] / "unpacking").touch()
    time.sleep(0.5 if os.environ.get("SHORT") else 60)


def work(results=None) -> None:
    """What another process does: fetch and report what it reads at once."""
    archives.ARCHIVES = {"fake": archive(prepare=announce_and_wait)}
    folder = archives.fetch("fake")
    if results is not None:
        results.put((folder / "one.txt").read_bytes() + (folder / "two.txt").read_bytes())


def test_two_fetches_at_once_download_once_and_both_read_whole_files(home, monkeypatch):
    monkeypatch.setenv("SHORT", "1")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=work, args=(results,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    read = [results.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert read == [CONTENT + CONTENT[::-1]] * 2
    assert calls(home) == 1 and left(home) == ["fake-1.0"]


def test_another_process_is_waited_for_and_what_it_left_when_killed_is_cleaned_up(
    home, monkeypatch
):
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    deadline = time.monotonic() + 30
    while not (home / "unpacking").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setattr(archives, "LOCK_TIMEOUT", 0.2)
    with pytest.raises(ArchiveError, match="another process has been fetching it for more than"):
        archives.fetch("fake")
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(30)
    assert not (home / "cache" / "fake-1.0").exists()
    assert (archives.fetch("fake") / "one.txt").read_bytes() == CONTENT
    assert left(home) == ["fake-1.0"]


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_pip_ends_with_the_process_that_started_it(home, kind):
    """However that one ends. As long as pip runs, its end of the connection stays open."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(30)
    pip(
        home,
        f"import socket; s = socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))\n"
        "time.sleep(60)",
    )
    # A suite that runs in the background has been started with Ctrl-C ignored.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{listen}; from tests.data.test_archives import work; work()"
    worker = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    connection, _ = server.accept()
    connection.settimeout(20)
    worker.send_signal(kind)
    worker.wait(20)
    assert connection.recv(1) == b""  # the other side is gone
    assert kind != signal.SIGINT or left(home) == []


def test_command_line(home, capsys):
    assert command_line.main(["path"]) == 0
    assert capsys.readouterr().out.strip() == str(home / "cache")
    assert command_line.main(["list"]) == 0
    assert "fake-package==1.0, to fetch" in capsys.readouterr().out
    pip(home, NO_NETWORK)
    assert command_line.main(["fetch"]) == 1
    assert "error: the archive 'fake'" in capsys.readouterr().err
    pip(home, "deliver(raw)")
    assert command_line.main(["fetch", "fake"]) == 0
    assert str(home / "cache" / "fake-1.0") in capsys.readouterr().out
    assert command_line.main(["fetch", "nonsense"]) == 1
    assert "no archive is called nonsense; there are: fake" in capsys.readouterr().err


def test_the_database_of_verses_becomes_a_file_for_each_translation(tmp_path):
    database = tmp_path / "bible.db"
    codes = [*archives.TRANSLATIONS.values(), "unused"]
    with contextlib.closing(sqlite3.connect(database)) as rows, rows:
        rows.execute("CREATE TABLE bible (bbName, bNumber, cNumber, vNumber, vText)")
        verses = [(code, 1, 2, verse, f"{code} {verse}") for verse in (2, 1) for code in codes]
        rows.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", verses)
    archives.split_translations(tmp_path)
    written = {
        path.name: gzip.decompress(path.read_bytes()).decode() for path in tmp_path.iterdir()
    }
    assert written == {
        f"{language}.tsv.gz": f"1\t2\t1\t{code} 1\n1\t2\t2\t{code} 2\n"
        for language, code in archives.TRANSLATIONS.items()
    }


@pytest.mark.parametrize("name", archives.ARCHIVES)
def test_real_archives_are_in_the_cache_and_whole(name):
    assert archives.is_intact(archives.ARCHIVES[name])
    assert (archives.fetch(name) / archives.MANIFEST).is_file()
