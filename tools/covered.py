"""How much of the library do its tests and the notebooks run? `python -m tools.covered` says it.

Its tests are the unit tests and the smoke cells of the studies, which `make studies-check` compares
with the records. Counted are lines, in all processes: pytest's workers, the notebooks' kernels, and
what tests and kernels start. Settings, also the least share that passes, stand in `[tool.coverage]`
of pyproject.toml.
"""

import os
import shutil
from typing import NamedTuple

from coverage import Coverage

from tools.build import WORKERS, Steps, prepare, python
from tools.project import BUILD, notebooks

FOLDER = BUILD / "coverage"
LOWEST = 25  # files that are listed
NBVAL = ["-p", "tools.covered", "--nbval-lax", "--nbval-current-env"]
NBVAL += ["--nbval-cell-timeout", "600"]  # counting makes Python slower


def pytest_configure() -> None:
    """As a plugin beside nbval, which kills its kernels: they end by themselves and tell."""
    from nbval.kernel import RunningKernel

    def stop(self: RunningKernel) -> None:
        self.kc.stop_channels()
        self.km.shutdown_wait_time = 60.0
        self.km.shutdown_kernel()

    RunningKernel.stop = stop


class Row(NamedTuple):
    """A file: the share of its lines that ran, how many there are and did not run, and which."""

    share: float
    lines: int
    missing: int
    path: str
    which: str


def rows(measured: Coverage) -> list[Row]:
    """All files that have a line to run, those with the lowest share first."""
    found = []
    for path in measured.get_data().measured_files():
        _, lines, _, missing, which = measured.analysis2(path)
        if lines:
            share = 1 - len(missing) / len(lines)
            found.append(Row(share, len(lines), len(missing), os.path.relpath(path), which))
    return sorted(found)


def report() -> tuple[float, float]:
    """Print the lowest files; the percentage of the whole library, and the least that passes."""
    measured = Coverage()
    measured.combine()
    measured.save()
    found = rows(measured)
    for row in found[:LOWEST]:
        which = row.which if len(row.which) <= 60 else f"{row.which[:59]}…"
        print(f"{row.share:7.1%}{row.missing:5} of{row.lines:5}  {row.path}: {which}")
    measured.html_report(directory=str(FOLDER / "html"))
    lines = sum(row.lines for row in found)
    percentage = 100 * (1 - sum(row.missing for row in found) / lines)
    return percentage, float(measured.get_option("report:fail_under"))


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ["COVERAGE_FILE"] = str(FOLDER / "data")
    steps = Steps()
    prepare(steps)
    run = ["coverage", "run", "-m"]
    with steps.step("unit tests"):
        python(*run, "pytest", "-q", *WORKERS, "tests", offline=True)
    with steps.step("every notebook"):
        python(*run, "pytest", "-q", *WORKERS, *NBVAL, *map(str, notebooks()), offline=True)
    with steps.step("smoke cells of the studies"):
        python(*run, "course_lib.studies", "check", offline=True)
    with steps.step("lines that ran") as remark:
        percentage, least = report()
        remark.append(f"{percentage:.1f}% of the library, {least:g}% is asked; {FOLDER / 'html'}")
        steps.failed |= percentage < least
    steps.report()


if __name__ == "__main__":
    main()
