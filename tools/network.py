"""Run a command where only loopback exists.

    unshare --map-root-user --net python -m tools.network COMMAND …

A fresh network namespace has its loopback device down; Jupyter kernels need it up.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def raise_loopback() -> None:
    """Switch the device `lo` on; without the right to (no namespace) nothing changes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH", b"lo", 0).ljust(40, b"\0")
        flags = struct.unpack("16sH", fcntl.ioctl(handle, SIOCGIFFLAGS, request)[:18])[1]
        if not flags & IFF_UP:
            request = struct.pack("16sH", b"lo", flags | IFF_UP).ljust(40, b"\0")
            fcntl.ioctl(handle, SIOCSIFFLAGS, request)


def can_unshare() -> bool:
    """Whether this system lets us start a process without any network."""
    try:
        probe = subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


if __name__ == "__main__":
    if sys.platform == "linux":
        raise_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
