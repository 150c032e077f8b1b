"""pytest plugin: the one execution by nbval also feeds the book.

    python -m pytest -p tools.nbval_record --nbval-lax --nbval-record _build/executed notebooks

A notebook of which *every* cell ran and passed is written, with its outputs and widget state, below
the folder given, at once and completely (a temporary file, then a rename); beside it a small JSON
file with the files it used, the key of all its inputs, the seconds and the memory it took. A
failed, interrupted or partly selected notebook leaves the earlier copy alone. Workers share nothing
but the folder; tools/build.py fills Jupyter Book's execution cache from it, in one process.

What goes to stderr is not recorded. A Python warning there fails its cell: a reader would see it.
"""

import base64
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat import NotebookNode

from tools.project import fingerprints, notebook_key, record_path

OFFLINE = Path(__file__).parent / "offline"
PYTHON_WARNING = re.compile(r"^.+:\d+: \w*Warning: .*", re.MULTILINE)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


class Recording:
    """What one notebook's kernel has sent so far, beyond what nbval keeps."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.passed: set[int] = set()
        self.state: dict[str, dict] = {}
        self.buffers: dict[str, dict[tuple, dict]] = {}

    def note(self, message: dict) -> None:
        """Take the widgets' state from a kernel message."""
        content, kind = message["content"], message["msg_type"]
        data = content.get("data") or {}
        if kind.startswith("comm") and "state" in data:
            comm = content["comm_id"]
            self.state.setdefault(comm, {}).update(data["state"])
            for path, buffer in zip(
                data.get("buffer_paths") or [], message.get("buffers") or [], strict=True
            ):
                encoded = base64.b64encode(memoryview(buffer)).decode()
                entry = {"data": encoded, "encoding": "base64", "path": list(path)}
                self.buffers.setdefault(comm, {})[tuple(path)] = entry

    def widget_state(self) -> dict | None:
        """The state of all widgets in the form notebooks store it, None without widgets."""
        models = {}
        for comm, state in self.state.items():
            if "_model_name" not in state:
                continue
            models[comm] = {
                "model_name": state["_model_name"],
                "model_module": state["_model_module"],
                "model_module_version": state["_model_module_version"],
                "state": state,
            }
            if comm in self.buffers:
                models[comm]["buffers"] = list(self.buffers[comm].values())
        if not models:
            return None
        return {WIDGET_STATE: {"state": models, "version_major": 2, "version_minor": 0}}

    def is_progress_bar(self, output: NotebookNode) -> bool:
        """Whether a display is tqdm's notebook bar (a box with a progress widget inside)."""
        view = output.get("data", {}).get(WIDGET_VIEW)
        if view is None:
            return False
        children = self.state.get(view["model_id"], {}).get("children", [])
        names = [
            self.state.get(child.removeprefix("IPY_MODEL_"), {}).get("_model_name", "")
            for child in children
        ]
        return any("Progress" in name for name in names)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nbval-record", default=None, metavar="FOLDER", help=__doc__.split("\n")[0])


def peak_memory(process_id: int) -> int:
    """Largest resident size so far in bytes; the present one where the system keeps no peak."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text("utf8")
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))
    except (OSError, AttributeError):
        return psutil.Process(process_id).memory_info().rss


def write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, "utf8")
    temporary.replace(path)


def used_files(process_id: int) -> list[str]:
    """What the kernel noted (tools/offline/used_files.py)."""
    path = Path(os.environ["COURSE_USED"]) / f"{process_id}.txt"
    return sorted(set(path.read_text("utf8").splitlines()))


def said(process_id: int) -> list[list]:
    """The sentences that the kernel made, with their templates (course_lib/figures/words.py)."""
    path = Path(os.environ["COURSE_USED"]) / f"{process_id}.said"
    lines = path.read_text("utf8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def write_record(notebook_file, recording: Recording, files: dict[str, str]) -> None:
    """Write the executed copy and its record, unless a cell is missing."""
    cells = [cell for cell in notebook_file.nb.cells if cell.cell_type == "code"]
    if recording.passed != set(range(len(cells))):
        return
    config = notebook_file.config
    widgets = recording.widget_state()
    if widgets:
        notebook_file.nb.metadata["widgets"] = widgets
    relative = notebook_file.path.relative_to(config.rootpath)
    copy = config.rootpath / config.getoption("--nbval-record") / relative
    process = notebook_file.kernel.km.provisioner.process.pid
    uses = used_files(process)
    record = {
        "key": notebook_key(notebook_file.nb, uses, files),
        "uses": uses,
        "said": said(process),
        "seconds": round(time.perf_counter() - recording.start, 1),
        "megabytes": round(peak_memory(process) / 2**20),
    }
    record_path(copy).unlink(missing_ok=True)  # never a new key beside old outputs
    write_atomically(copy, nbformat.writes(notebook_file.nb))
    write_atomically(record_path(copy), json.dumps(record))


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--nbval-record"):
        return
    from nbval.plugin import IPyNbFile

    # What the kernels start with: they note what they open (tools/offline/used_files.py).
    os.environ["COURSE_USED"] = tempfile.mkdtemp()
    os.environ["COURSE_USED_ROOT"] = str(config.rootpath)
    paths = [str(OFFLINE), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # Before the first cell runs: a file that changes meanwhile makes the outputs stale.
    files = fingerprints(config.rootpath)
    setup, receive, teardown = IPyNbFile.setup, IPyNbFile.get_kernel_message, IPyNbFile.teardown

    def recording_setup(self) -> None:
        self.recording = Recording()
        setup(self)

    def recording_receive(self, timeout=None, stream="iopub"):
        message = receive(self, timeout, stream)
        self.recording.note(message)
        return message

    def recording_teardown(self) -> None:
        try:
            if self.kernel is not None and self.kernel.is_alive():
                write_record(self, self.recording, files)
        finally:
            teardown(self)

    IPyNbFile.setup = recording_setup
    IPyNbFile.get_kernel_message = recording_receive
    IPyNbFile.teardown = recording_teardown


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    result = yield
    if item.config.getoption("--nbval-record") and type(item).__name__ == "IPyNbCell":
        recording: Recording = item.parent.recording
        for output in item.test_outputs:
            warning = output.get("name") == "stderr" and PYTHON_WARNING.search(output.text)
            if warning:
                item.raise_cell_error(f"The cell warns: {warning.group(0)}")
        item.cell.outputs = [
            NotebookNode(output)
            for output in item.test_outputs
            if output.get("name") != "stderr" and not recording.is_progress_bar(output)
        ]
        # nbval keeps no history in the kernel, so the kernel's own count stays at 1.
        item.cell.execution_count = item.cell_num + 1
        for output in item.cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = item.cell.execution_count
        recording.passed.add(item.cell_num)
    return result
