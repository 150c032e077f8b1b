"""A kernel notes which files of the library it opens, so that its notebook is keyed on these.

`record()` starts it in a Jupyter kernel when `COURSE_USED` names a folder: one text file a kernel,
named by its process, a path a line. Processes that the kernel starts write to the same file. A
module is noted when Python reads it, also from its byte code; so are records, checkpoints and
tables, whenever they are opened. An archive of the data rooms is noted as `archive:NAME`.
"""

import os
import re
import sys

LIBRARY = "course_lib"
ARCHIVE = re.compile(r"/(\w+)-[\d.]+/manifest\.json$")


def noted(path: object, root: str) -> str | None:
    """The file of the library as a path from the root, or the archive; None for any other."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    name = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path)))
    if found := ARCHIVE.search(name):
        return f"archive:{found[1]}"
    if not name.startswith(os.path.join(root, LIBRARY, "")):
        return None
    parts = name[len(root) + 1 :].split(os.sep)
    if "__pycache__" in parts:  # course_lib/__pycache__/x.cpython-311.pyc stands for x.py
        if not name.endswith(".pyc"):
            return None
        parts.remove("__pycache__")
        parts[-1] = parts[-1].split(".")[0] + ".py"
    return "/".join(parts)


def record() -> None:
    """Start noting in this process, if it is a kernel or was started by one."""
    folder = os.environ.get("COURSE_USED")
    if folder and any("ipykernel" in argument for argument in sys.orig_argv):
        os.environ["COURSE_USED_FILE"] = os.path.join(folder, f"{os.getpid()}.txt")
        os.environ["COURSE_SAID_FILE"] = os.path.join(folder, f"{os.getpid()}.said")
    path = os.environ.get("COURSE_USED_FILE")
    if not path:
        return
    root = os.environ["COURSE_USED_ROOT"]
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    seen: set[str] = set()

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and (name := noted(arguments[0], root)) and name not in seen:
            seen.add(name)
            os.write(handle, f"{name}\n".encode())

    sys.addaudithook(hook)
