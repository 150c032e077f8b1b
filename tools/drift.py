"""Does the library still work with other versions than the locked ones?

`python -m tools.drift newest` (make drift-newest) installs the newest of everything, `oldest`
(make drift-oldest) the oldest of everything that `pyproject.toml` gives a lower bound. Both use an
environment of their own, run the unit tests there, and then the first notebook as Colab does, with
the environment's packages already in place.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from tools.build import WORKERS
from tools.project import BUILD, ROOT

# What the tests and notebooks need beyond the library and its optional part `test`.
AROUND = ("jupyter-book<2", "jupyter-cache", "ipykernel", "nbclient", "playwright", "pypdf", "ruff")
MINUTES = 30  # for one step of the installation; it takes two to ten


def oldest(requirements: list[str]) -> list[str]:
    """Pin each requirement that has a lower bound to that version's series.

    >>> oldest(["numpy", "torch>=2.6"])
    ['torch==2.6.*']
    """
    bounds = (re.fullmatch(r"([\w-]+)>=([\d.]+)", one) for one in requirements)
    return [f"{bound[1]}=={bound[2]}.*" for bound in bounds if bound]


def requirements() -> list[str]:
    """What the library asks for, without and with its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def environment(folder: Path, which: str, torch_index: str) -> Path:
    """A new environment with the newest or oldest versions; its interpreter.

    Raises:
        CalledProcessError: pip could not install it.
        TimeoutExpired: a step of the installation took more than MINUTES.
    """
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"

    def install(*arguments: str) -> None:
        pip = [str(python), "-m", "pip", "install", "-q", "--log", str(log(folder))]
        subprocess.run([*pip, *arguments], check=True, timeout=60 * MINUTES)

    pins = oldest(requirements()) if which == "oldest" else []
    if torch_index:  # before all else: from elsewhere it may come with gigabytes of CUDA
        torch = next((pin for pin in pins if pin.startswith("torch==")), "torch")
        install("--index-url", torch_index, torch)
    else:
        print(
            "torch comes from the package index; on Linux with CUDA libraries, 6 GB on the disk. "
            "TORCH_INDEX=… names an index of builds for the CPU.",
            flush=True,
        )
    install(*requirements(), *AROUND, *pins, "setuptools", "wheel")
    install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    return python


def log(folder: Path) -> Path:
    """Where pip tells in full what it does for an environment."""
    return folder / "pip.log"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.drift", description=__doc__)
    parser.add_argument("which", choices=("newest", "oldest"))
    parser.add_argument("--torch-index", default="", help="where torch comes from")
    options = parser.parse_args()
    folder = BUILD / f"drift-{options.which}"
    try:
        python = environment(folder, options.which, options.torch_index)
        subprocess.run([str(python), "-m", "pip", "freeze", "--exclude-editable"], check=True)
        subprocess.run([str(python), "-m", "course_lib.data", "fetch"], cwd=ROOT, check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{options.which}: not installed, nothing was tested; failed: {error.cmd}")
    except subprocess.TimeoutExpired:
        told = log(folder).read_text("utf8", "replace").splitlines()[-5:]
        sys.exit(
            f"{options.which}: the installation did not end within {MINUTES} minutes, nothing was "
            "tested. With TORCH_INDEX=… torch comes without CUDA. pip was here (all of it: "
            f"{log(folder).relative_to(ROOT)}):\n" + "\n".join(told)
        )
    tests = [str(python), "-m", "pytest", "-q"]
    offline = {**os.environ, "PYTHONPATH": str(ROOT / "tools" / "offline"), "OMP_NUM_THREADS": "1"}
    colab = ["-m", "colab", "tests/tools/test_colab.py", "-k", "already_installed and 00_before"]
    failed = [
        name
        for name, arguments, variables in (
            ("unit tests", [*WORKERS, "tests"], offline),
            ("the Colab path", colab, None),
        )
        if subprocess.run([*tests, *arguments], cwd=ROOT, env=variables).returncode
    ]
    print(f"{options.which}: {', '.join(failed) + ' failed' if failed else 'all passed'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
