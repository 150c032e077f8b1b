"""The page "How fast is it" says what the records say."""

import json
import re

import nbformat
import pytest

from tools.bench import page
from tools.project import notebooks

MACHINE = {
    "device": "cpu",
    "versions": {"python": "3.11.9", "torch": "2.13.0"},
    "system": "Linux x86_64",
    "processor": "A Processor",
    "cores": 2,
    "threads": 1,
}


def result(name, target=None, passed=None):
    return {
        "name": name,
        "pairs": 30,
        "milliseconds": [1.234, 2.5],
        "ratio": 0.4936,
        "interval": [0.481, 0.502],
        "wall_ratio": 0.51,
        "wall_interval": [0.49, 0.53],
        "target": target,
        "passed": passed,
    }


@pytest.fixture
def bench():
    names = [start for _, _, starts in page.GROUPS for start in starts]
    step = {"name": "one decoding step, dot", "lengths": [64, 4096], "fitted_from": 1024}
    return {
        "environment": MACHINE,
        "results": [result(f"{name} x") for name in names] + [result("decode y", 1.0, True)],
        "exponents": [{**step, "exponent": 1.01, "interval": [1, 1.02], "target": 1.2}],
        "memory": [{"name": "attend", "length": 4096, "peak": 3.21e8, "target": 2e9}],
    }


@pytest.fixture
def costs():
    figures = {"seconds": 31.4, "megabytes": 1234}
    return {"environment": MACHINE, "notebooks": {"04_attention": figures}}


def complete(bench):
    for one in (*bench["exponents"], *bench["memory"]):
        one["passed"] = False
    return bench


def test_the_page_is_that_of_the_records():
    written = page.PAGE.read_text("utf8")
    assert written == page.render(page.read(page.BENCH), page.read(page.COSTS), page.read(page.GPU))


def test_every_number_and_the_machine_are_on_the_page(bench, costs):
    text = page.render(complete(bench), costs)
    assert "There is no record yet" not in text
    assert "| decode y | 1.23 | 2.5 | 0.494 [0.481, 0.502] | 0.510 [0.490, 0.530] |" in text
    assert text.count("| at most 1.00: met |") == 1
    assert (
        "| one decoding step, dot | 1,024 to 4,096 | 1.010 [1.000, 1.020] | at most 1.20: " in text
    )
    assert "| attend | 4,096 | 321 | below 2,000 MB: missed |" in text
    assert "| {doc}`../notebooks/04_attention` | 31 | 1,234 |" in text
    assert text.count("A Processor, 2 cores, Linux x86_64; Python 3.11.9, torch 2.13.0.") == 2
    for one in bench["results"]:
        assert text.count(f"| {one['name']} |") == 1


def test_every_table_is_well_formed(bench, costs):
    lines = page.render(complete(bench), costs).splitlines()
    tables = [[]]
    for line in lines:
        if line.startswith("|"):
            tables[-1].append(line.count("|"))
        elif tables[-1]:
            tables.append([])
    assert len([table for table in tables if table]) == len(page.GROUPS) + 3
    assert all(len(set(table)) == 1 for table in tables if table)


def test_the_gpu_has_a_table_of_its_own(bench, costs):
    row = {"name": "ours", "tokens_a_second": 366932, "share_of_peak": 0.3174}
    gpu = {
        "environment": MACHINE | {"device": "Some Card"},
        "rounds": 8,
        "batch": 16,
        "context": 1024,
        "peak": 9.89e14,
        "rows": [row | {"ratio": 1.0655, "interval": [1.058, 1.104]}],
    }
    text = page.render(complete(bench), costs, gpu)
    assert "| ours | 366,932 | 32 % | 1.065 [1.058, 1.104] |" in text
    assert "989 TFLOP" in text and "Some Card; A Processor" in text


def test_a_comparison_without_a_table_is_an_error(bench):
    bench["results"].append(result("something new"))
    with pytest.raises(ValueError, match="something new"):
        page.render(complete(bench), None)


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
