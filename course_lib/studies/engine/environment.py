"""On what a cell ran: versions, processor and device, and nothing that names a person's machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def resolve_device(choice: str) -> str:
    """The device of a run: for "auto" a CUDA device where there is one, else the CPU.

    Raises:
        ValueError: an unknown device, or one that this machine lacks.
    """
    import torch

    available = ["cpu"]
    if torch.cuda.is_available():
        available.append("cuda")
    if torch.backends.mps.is_available():
        available.append("mps")
    if choice == "auto":
        return "cuda" if "cuda" in available else "cpu"
    if choice not in available:
        raise ValueError(f"device {choice!r}; this machine has: {', '.join(available)}")
    return choice


def describe(device: str) -> dict[str, Any]:
    """Versions, system, processor kind and number of cores, device."""
    import numpy
    import torch

    name = torch.cuda.get_device_name(0) if device == "cuda" else device
    return {
        "device": name,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        },
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": 1,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return platform.machine()
