"""The page "How fast is it" says what the records say."""

import json
import re

import nbformat
import pytest

from tools.bench import page
from tools.project import notebooks


def test_the_page_is_that_of_the_records():
    written = page.PAGE.read_text("utf8")
    assert written == page.render(page.read(page.BENCH), page.read(page.COSTS), page.read(page.GPU))


def test_a_comparison_without_a_table_is_an_error():
    bench = page.read(page.BENCH)
    bench["results"].append({**bench["results"][0], "name": "something new"})
    with pytest.raises(ValueError, match="something new"):
        page.render(bench, None)


def test_without_records_the_page_says_how_to_make_them():
    text = page.render(None, None)
    assert text.count("There is no record yet") == 2 and "`make bench`" in text


def test_costs_are_collected_from_the_last_execution(tmp_path, monkeypatch):
    path = notebooks()[0]
    record = page.record_path(tmp_path / path.relative_to(page.ROOT))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"key": "k", "seconds": 7.5, "megabytes": 300}))
    monkeypatch.setattr(page, "EXECUTED", tmp_path)
    monkeypatch.setattr(page, "notebooks", lambda: [path])
    monkeypatch.setattr(page, "fingerprints", dict)
    monkeypatch.setattr(page, "fresh", lambda path, files: False)
    with pytest.raises(FileNotFoundError, match="make book"):
        page.collect()
    monkeypatch.setattr(page, "fresh", lambda path, files: True)
    assert page.collect()["notebooks"] == {path.stem: {"seconds": 7.5, "megabytes": 300}}


PROMISES = {"a few seconds": 10, "half a minute": 30, "a minute": 60}  # seconds


def promised(first: str) -> float:
    """The seconds that the first cell of a notebook names."""
    [said] = re.findall(
        r"(?:\*\*Run time\*\*|; the code runs in) (?:about )?(.+?) on one processor core", first
    )
    return PROMISES.get(said) or float(re.fullmatch(r"(\d+) seconds", said)[1])


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_promises_the_run_time_of_the_record(path):
    seconds = promised(nbformat.read(path, as_version=4).cells[0].source)
    costs = page.read(page.COSTS)["notebooks"]
    assert set(costs) == {path.stem for path in notebooks()}, "collect: python -m tools.bench.page"
    assert costs[path.stem]["seconds"] <= 1.5 * seconds


def test_promises_are_read_as_they_are_said():
    assert promised("**Run time** a few seconds on one processor core.") == 10
    assert (
        promised(
            "**Time** about 5 minutes to read; the code runs in about 45 seconds on one "
            "processor core."
        )
        == 45
    )
