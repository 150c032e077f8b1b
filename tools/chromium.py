"""Chromium, which checks the pages and prints them: where it is and how it is started."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright


class NoChromium(Exception):
    """There is none on this machine; the message says what was tried."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium: the system's, or the one that `playwright install chromium` brought.

    Raises:
        NoChromium: neither is there.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            raise NoChromium(f"no Chromium here: {str(error).splitlines()[0]}") from error
        yield browser
        browser.close()
