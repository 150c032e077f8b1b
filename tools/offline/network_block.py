"""Importing this module blocks the network for the process, except on the machine itself.

Loopback and Unix sockets stay open: Jupyter kernels, test servers and pytest workers need them.
tests/conftest.py and tools/build.py put this folder on the path of all tests and notebooks, where
sitecustomize.py imports it at the start of each process.
"""

import ipaddress
import socket


class NetworkBlocked(OSError):
    """Raised instead of leaving the machine; an OSError, as a missing network would be."""


def is_local(host: object) -> bool:
    """Whether an address stays on this machine."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    try:
        address = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def check(address: object) -> None:
    if isinstance(address, tuple) and address and not is_local(address[0]):
        raise NetworkBlocked(
            f"a test or notebook tried to reach {address[0]!r}; tests and notebooks work without "
            "a network: get the data before, with `make fetch`"
        )


class LocalSocket(socket.socket):
    """A socket that reaches this machine only."""

    def connect(self, address):
        check(address)
        return super().connect(address)

    def connect_ex(self, address):
        check(address)
        return super().connect_ex(address)

    def sendto(self, data, *arguments):
        check(arguments[-1])
        return super().sendto(data, *arguments)


def block() -> None:
    """Replace the socket class and name resolution of this process."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        check((host,))
        return resolve(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
    socket.socket = LocalSocket


block()
