"""What a release consists of: `python -m tools.release [--tag v1.2.3]` (make release).

Into `_build/release/files` come the wheel, the built book as one archive, and the SHA-256 of both;
into `_build/release/notes.md` the version's part of the changelog and what the wheel carries. The
book must have been built; nothing is sent anywhere.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

from tools.project import BUILD, HTML, ROOT

FOLDER = BUILD / "release"
MOST = 40_000_000  # bytes of the wheel


def version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["version"]


def changes(text: str, number: str) -> str:
    """The part of the changelog under the heading of a version.

    >>> changes("## 0.2.0 (2026)\\n\\n- new\\n\\n## 0.1.0\\n\\n- first\\n", "0.2.0")
    '- new'
    """
    found = re.search(rf"(?ms)^## {re.escape(number)}\b[^\n]*\n(.*?)(?=^## |\Z)", text)
    if not found:
        raise SystemExit(f"CHANGELOG.md has no heading for {number}: write what is new in it")
    return found[1].strip()


def wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder."""
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True)
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools leaves it behind
    (built,) = folder.glob("*.whl")
    if built.stat().st_size > MOST:
        raise SystemExit(f"the wheel has {built.stat().st_size:,} bytes, the most is {MOST:,}")
    return built


def carried(path: Path) -> str:
    """What the wheel carries, by kind of file, as a Markdown table."""
    count, size = Counter(), Counter()
    with zipfile.ZipFile(path) as opened:
        for member in opened.infolist():
            kind = Path(member.filename).suffix or "without ending"
            count[kind] += 1
            size[kind] += member.compress_size
    rows = [
        f"| {kind} | {count[kind]} | {size[kind] / 1e6:.2f} |" for kind, _ in size.most_common()
    ]
    head = ["| kind of file | files | MB in the wheel |", "|---|---:|---:|"]
    return "\n".join([*head, *rows])


def book(folder: Path) -> Path:
    """The built book as one archive."""
    if not (HTML / "index.html").is_file():
        raise SystemExit("there is no built book yet; run `make book` first")
    path = folder / f"attention-measured-{version()}-book.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(HTML, path.name.removesuffix(".tar.gz"))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("--tag", default="", help="must name the version: v1.2.3")
    tag = parser.parse_args().tag
    if tag and tag != f"v{version()}":
        raise SystemExit(f"the tag is {tag}, the version in pyproject.toml is {version()}")
    notes = changes((ROOT / "CHANGELOG.md").read_text("utf8"), version())
    files = FOLDER / "files"
    shutil.rmtree(FOLDER, ignore_errors=True)
    files.mkdir(parents=True)
    made = [wheel(files), book(files)]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (files / "SHA256SUMS").write_text("".join(sums), "utf8")
    listed = f"{notes}\n\n### What the wheel carries\n\n{carried(made[0])}\n"
    (FOLDER / "notes.md").write_text(listed, "utf8")
    for path in made:
        print(f"{path.stat().st_size / 1e6:7.1f} MB  {path.relative_to(ROOT)}")
    print(listed)


if __name__ == "__main__":
    main()
