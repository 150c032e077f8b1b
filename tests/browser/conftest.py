"""Chromium and a server for the built pages."""

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.project import HTML
from tools.vendor import AXE


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing: a page loads dozens of files."""


def missing(what: str) -> None:
    """A reader's machine may lack a browser; a continuous-integration machine may not."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served."""
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Address of the built pages."""
    with served(HTML) as address:
        yield address


@pytest.fixture(scope="session")
def chromium(site) -> Iterator:
    """A running Chromium whose reader wants no answer held back (book/_static/guess.js).

    So a test sees all of a page. With `storage_state=None` a context is that of a new reader.
    """
    from tools import chromium

    answers = {"name": "answers", "value": "shown"}
    kept = {"cookies": [], "origins": [{"origin": site.rstrip("/"), "localStorage": [answers]}]}
    try:
        with chromium.chromium() as browser:
            browser.new_context = functools.partial(browser.new_context, storage_state=kept)
            browser.new_page = functools.partial(browser.new_page, storage_state=kept)
            yield browser
    except chromium.NoChromium as reason:
        missing(str(reason))


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, the accessibility checker."""
    if not AXE.is_file():
        missing("axe-core was not fetched: `make vendor` needs npm")
    return AXE.read_text("utf8")
