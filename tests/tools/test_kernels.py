"""A copied kernel is what a new one would be, with modules loaded; and it ends when it should."""

import ast
import os
import queue
import signal
import subprocess
import sys
import time

import pytest
from jupyter_client import KernelManager
from jupyter_client.provisioning import local_provisioner

from tools import kernels

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are copied on Linux only"
)

# What a notebook can see of how its kernel was started, but for names of processes and files.
SEEN = (
    "(__name__, sys.path, os.getcwd(), sys.flags, sys.stdin.closed, "
    "sorted(one for one in os.environ.items() if not one[0].startswith(('JPY_', 'PYDEVD_'))), "
    "signal.getsignal(signal.SIGINT) is signal.default_int_handler, os.getpgid(0) == os.getpid())"
)
ORPHAN = """
import os
from jupyter_client import KernelManager
from tools import kernels
kernels.LOADED = []
kernels.launch_copies()
if __name__ == "__main__":
    manager = KernelManager()
    manager.start_kernel()
    print(manager.provisioner.pid, flush=True)
    os._exit(0)
"""


@pytest.fixture
def copies(monkeypatch):
    """Kernels of this process are copies of one that has loaded `wave`."""
    monkeypatch.setattr(kernels, "LOADED", ["wave"])
    monkeypatch.setattr(local_provisioner, "launch_kernel", local_provisioner.launch_kernel)
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # put back later
    return kernels.launch_copies


def opened(folder):
    manager = KernelManager()
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return manager, client


def value(client, expression, code="import os, signal, sys"):
    """What an expression is in the kernel after some code; the error where that fails."""
    reply = client.execute(code, user_expressions={"it": expression}, reply=True, timeout=60)
    if reply["content"]["status"] == "error":
        return reply["content"]["ename"]
    return reply["content"]["user_expressions"]["it"]["data"]["text/plain"]


def interrupted(manager, client):
    """The error that a running cell ends with; a signal before it runs is not heard."""
    for _ in range(100):
        manager.interrupt_kernel()
        try:
            return client.get_shell_msg(timeout=0.3)["content"]["ename"]
        except queue.Empty:
            continue


def ended(process):
    limit = time.monotonic() + 30
    while os.path.exists(f"/proc/{process}") and time.monotonic() < limit:
        time.sleep(0.05)
    return not os.path.exists(f"/proc/{process}")


def test_a_copy_is_like_a_new_kernel_but_for_what_it_has_loaded(copies, tmp_path):
    seen = []
    for prepare in (lambda: None, copies):
        prepare()
        manager, client = opened(tmp_path)
        loaded = ast.literal_eval(value(client, "'wave' in sys.modules"))
        seen.append(value(client, SEEN))
        process = manager.provisioner.pid
        client.execute("import time; time.sleep(60)")
        assert interrupted(manager, client) == "KeyboardInterrupt"
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        assert ended(process)
        assert loaded == (prepare is copies)
    assert seen[0] == seen[1]


def test_a_copy_notes_the_files_that_it_opens(copies, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_USED", str(tmp_path))
    monkeypatch.setenv("COURSE_USED_ROOT", str(tmp_path))
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "one.txt").write_text("1", "utf8")
    copies()
    manager, client = opened(tmp_path)
    assert value(client, "open('course_lib/one.txt').read()") == "'1'"
    noted = (tmp_path / f"{manager.provisioner.pid}.txt").read_text("utf8")
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    assert noted == "course_lib/one.txt\n"


def test_no_copy_outlives_the_process_that_asked_for_it():
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=60
    )
    process = int(done.stdout)
    try:
        assert ended(process), done.stderr
    finally:
        if os.path.exists(f"/proc/{process}"):
            os.kill(process, signal.SIGKILL)
