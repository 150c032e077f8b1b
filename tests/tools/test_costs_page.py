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


PROMISES = {  # what the line "Run time" says, and the most seconds that it may mean
    "a few seconds": 15,
    "about half a minute": 45,
    "about a minute": 90,
    "a little over a minute": 90,
    "about a minute and a half": 120,
}


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_the_run_time_that_a_notebook_promises_is_that_of_the_record(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    found = re.search(r"\*\*Run time\*\* (.+?) on one processor core", first)
    if not found:
        assert "Run time" not in first, "say it as the others do"
        return
    assert found[1] in PROMISES
    costs = page.read(page.COSTS)
    if costs and path.stem in costs["notebooks"]:
        assert costs["notebooks"][path.stem]["seconds"] <= PROMISES[found[1]]
