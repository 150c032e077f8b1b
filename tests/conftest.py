"""What holds for every test: no network, and one thread for each of the workers."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Loopback and Unix sockets stay open. Processes that a test starts inherit the block.
OFFLINE = str(Path(__file__).resolve().parent.parent / "tools" / "offline")
sys.path.insert(0, OFFLINE)
os.environ["PYTHONPATH"] = OFFLINE + os.pathsep + os.environ.get("PYTHONPATH", "")

import network_block  # noqa: E402, F401  (blocks on import)
import pytest  # noqa: E402

# Start processes of their own and take the longest: first, so that no worker is left with them.
FIRST = ("test_distributed", "test_grade", "test_recorder", "test_covered")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in FIRST)


@pytest.fixture
def shown(monkeypatch) -> list[dict[str, str]]:
    """Every figure, table and sentence that is displayed, in order: its text by media type."""
    from course_lib.figures import plots

    items: list[dict[str, str]] = []
    monkeypatch.setattr(plots, "display", lambda item, **_: items.append(item))
    return items
