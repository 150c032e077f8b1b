"""Tests that need real data skip where it is neither cached nor to be had."""

from pathlib import Path

import pytest

from course_lib.data import archives


def fetched(name: str) -> Path:
    """The folder of an archive of the course."""
    try:
        return archives.fetch(name)
    except archives.ArchiveError as error:
        pytest.skip(str(error))
