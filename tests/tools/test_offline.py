"""The network block that all tests and notebooks run under."""

import socket
import subprocess
import sys

import pytest

CALLS = [
    "socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "socket.socket().connect(('192.0.2.1', 80))",
    "socket.socket().connect_ex(('2001:db8::1', 80))",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 80))",
    "socket.getaddrinfo('example.org', 80)",
    "urllib.request.urlopen('http://example.org')",
]


PROGRAM = f"""
import socket, urllib.request
for call in {CALLS}:
    try:
        eval(call)
    except OSError as error:
        print("make fetch" in str(error), call)
"""


def test_no_way_out_of_this_machine():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"True {call}" for call in CALLS], done.stderr


def test_this_process_is_blocked_too():
    with pytest.raises(OSError, match="make fetch"):
        socket.getaddrinfo("example.org", 80)


def test_loopback_stays_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"x")
                assert accepted.recv(1) == b"x"
