"""pytest plugin: kernels that start with PyTorch and its like loaded (`-p tools.kernels`).

A fork server of the standard library imports `LOADED` once in each of pytest's workers, and every
kernel that nbval starts is a copy of it. That saves two to four seconds of processor time a
notebook. The library itself is not among them: each kernel reads it anew and notes its files
(tools/offline/used_files.py). `make check-determinism` and `make colab-test` go without, so that
nothing rests on it.
"""

import gc
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

# What notebooks import sooner or later: the first optimizer loads PyTorch's compiler, and the
# kernel itself the debugger.
LOADED = """
    torch torch._dynamo matplotlib.pyplot scipy.stats sklearn.feature_extraction.text
    sklearn.linear_model sklearn.pipeline tokenizers PIL.Image sacrebleu yaml
    ipykernel.kernelapp ipykernel.debugger
""".split()


class Kernel:
    """A started kernel, with as much of `subprocess.Popen` as jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, command: list[str], folder: str, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        ours, its = context.Pipe()
        path = new_path(folder, environment.get("PYTHONPATH", ""))
        arguments = (command, folder, dict(environment), path, its)
        self.process = context.Process(target=become, args=arguments)
        self.process.start()
        its.close()
        ours.recv()  # jupyter_client asks at once for the process group, to send signals to
        self.pid = self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


def become(
    command: list[str],
    folder: str,
    environment: dict[str, str],
    path: list[str],
    started: Connection,
) -> None:
    """In the new process: be what `command`, a Python with `-m ipykernel_launcher`, would start."""
    import used_files
    from ipykernel import kernelapp

    gc.freeze()  # what all copies share is never garbage; to look at it is to copy it
    os.setsid()
    started.send(True)
    threading.Thread(target=end_with_parent, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # what does not go through Jupyter
        os.dup2(nowhere, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    sys.argv = sys.orig_argv = command
    used_files.record()
    kernelapp.launch_new_instance(command[command.index("ipykernel_launcher") + 1 :])


def end_with_parent() -> None:
    """No kernel outlives the worker that asked for it."""
    multiprocessing.parent_process().join()
    os._exit(1)


@cache
def new_path(folder: str, pythonpath: str) -> list[str]:
    """`sys.path` of a Python that starts there: pytest has put folders of its own into ours."""
    code = "import json, sys; print(json.dumps(sys.path[1:]))"  # ipykernel drops the first, too
    environment = os.environ | {"PYTHONPATH": pythonpath}
    command = [sys.executable, "-c", code]
    return json.loads(subprocess.check_output(command, cwd=folder, env=environment))


def launch_copies() -> None:
    """From now on the kernels that this process starts are copies."""
    from jupyter_client.provisioning import local_provisioner

    # pyplot reads it when it is loaded, and ipykernel would set it only afterwards.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

    def launch(
        command: list[str], *, env: Mapping[str, str], cwd: str | None = None, **_: Any
    ) -> Kernel:
        return Kernel(command, cwd or os.getcwd(), env)

    local_provisioner.launch_kernel = launch


def pytest_configure() -> None:
    if sys.platform == "linux":  # elsewhere a loaded process is not copied safely, or not at all
        launch_copies()
