"""The ledger: verdicts follow from the records, and a malformed entry names its fault."""

import re
from pathlib import Path

import pytest
import yaml

from course_lib import claims, studies

ROOT = Path(__file__).parents[1]
SIDE = {"metric": "score", "select": {"size": 1}}
SOURCES = {"one2014": {"citation": "One (2014)", "url": "https://example.org"}}


class FakeRecord:
    numbers = {1: [0.5, 0.6, 0.7], 2: [0.1, 0.2, 0.1], 3: [0.5, 0.2, 1.1], 4: [0.5, 0.6]}
    numbers[5] = numbers[2]  # of other seeds

    def values(self, metric, size):
        if metric != "score":
            raise KeyError(f"no metric {metric!r}")
        return self.numbers[size]

    def seeds(self, size):
        return [7, 8, 9] if size == 5 else list(range(len(self.numbers[size])))


class OtherRecord(FakeRecord):
    numbers = {1: [0.9, 0.8, 0.4]}


@pytest.fixture
def entry():
    return {
        "id": "a-claim",
        "chapter": "99",
        "claim": "One is more than two.",
        "source": "one2014",
        "where": "table 1",
        "published": "1 and 2",
        "study": "fake",
        "a": {"label": "one", **SIDE},
        "is": "greater",
        "b": {"label": "two", "metric": "score", "select": {"size": 2}},
        "verdict": "reproduced",
    }


@pytest.fixture
def load(entry, tmp_path, monkeypatch):
    monkeypatch.setattr(
        studies, "load", lambda name: OtherRecord() if name == "other" else FakeRecord()
    )

    def load(count=1):
        path = tmp_path / "ledger.yml"
        path.write_text(yaml.safe_dump({"sources": SOURCES, "claims": [entry] * count}))
        return claims.load(path)

    return load


@pytest.mark.parametrize("claim", claims.load(), ids=lambda claim: claim.id)
def test_verdict_in_the_ledger_is_the_computed_one(claim):
    assert claim.verdict == claim.recorded_verdict, claim.difference


def test_sources_are_in_the_bibliography():
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    sources = yaml.safe_load(claims.LEDGER.read_text(encoding="utf-8"))["sources"]
    for key, source in sources.items():
        entry = re.search(rf"@\w+\{{{key},.*?\n\}}", bibliography, flags=re.DOTALL)
        assert entry, f"{key} is not in book/references.bib"
        assert source["url"].removeprefix("https://doi.org/") in entry[0]


@pytest.mark.parametrize(
    ("relation", "size", "verdict"),
    [
        ("greater", 2, "reproduced"),
        ("greater", 3, "direction only"),
        ("less", 2, "not reproduced at this scale"),
    ],
)
def test_the_verdict_follows_from_the_interval(entry, load, relation, size, verdict):
    if verdict == "direction only":  # mean 0.6, wide interval, against a fixed value
        entry["a"]["select"] = {"size": size}
        entry["b"] = {"label": "two", "value": 0.55}
    entry["is"] = relation
    assert load()[0].verdict == verdict


def test_turning_the_relation_turns_the_difference(entry, load):
    first = load()[0].difference
    entry["is"] = "less"
    assert load()[0].difference.mean == pytest.approx(-first.mean)


def test_a_side_may_come_from_another_study(entry, load):
    entry["b"] = {"label": "other", **SIDE, "study": "other"}
    entry["verdict"] = "not reproduced at this scale"
    [claim] = load()
    assert claim.b.values == (0.9, 0.8, 0.4)
    assert claim.difference.mean == pytest.approx(-0.1)


def test_minus_is_taken_off_seed_by_seed(entry, load):
    entry["a"]["minus"] = {"metric": "score", "select": {"size": 2}}
    entry["b"] = {"label": "nothing", "value": 0}
    [claim] = load()
    assert claim.a.values == pytest.approx((0.4, 0.4, 0.6))
    assert claim.verdict == "reproduced"
    entry["a"] = {"label": "lost", **SIDE, "study": "other", "minus": SIDE}
    assert load()[0].a.values == (0, 0, 0)  # the study of the side is that of its minus
    entry["a"]["minus"] = {**SIDE, "study": "fake"}
    assert load()[0].a.values == pytest.approx((0.4, 0.2, -0.3))


@pytest.mark.parametrize("field", ["id", "claim", "source", "published", "study", "a", "verdict"])
def test_a_missing_field_is_named(entry, load, field):
    del entry[field]
    with pytest.raises(claims.LedgerError, match=rf"ledger.yml.*misses {field}"):
        load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "two2015"}, "two2015.*not listed"),
        ({"is": "better"}, "greater or less"),
        ({"verdict": "true"}, "verdict 'true'"),
        ({"note": "x"}, "does not know"),
        ({"a": {"label": "one", "metric": "nothing", "select": {"size": 1}}}, "no metric"),
        ({"a": {"label": "one"}}, "either value, or metric"),
        (
            {"a": {"label": "four", "metric": "score", "select": {"size": 4}}},
            r"\(0, 1\), b has \(0, 1, 2\)",
        ),
        ({"a": {"label": "five", "metric": "score", "select": {"size": 5}}}, r"seeds \(7, 8, 9\)"),
        ({"a": {"label": "one", **SIDE, "minus": {"value": 1}}}, "minus: expected metric"),
        ({"a": {"label": "one", **SIDE, "minus": {**SIDE, "label": "x"}}}, "expected metric"),
        (
            {"a": {"label": "one", **SIDE, "minus": {"metric": "score", "select": {"size": 4}}}},
            r"minus has \(0, 1\)",
        ),
        (
            {"a": {"label": "x", "value": 1}, "b": {"label": "y", "value": 2}},
            "neither side comes from",
        ),
    ],
)
def test_a_malformed_entry_is_named(entry, load, change, message):
    entry.update(change)
    with pytest.raises(claims.LedgerError, match=f"a-claim.*{message}"):
        load()


def test_ids_are_unique(load):
    with pytest.raises(claims.LedgerError, match="two claims have the id 'a-claim'"):
        load(count=2)


def test_table_shows_published_and_measured(entry, load, monkeypatch, capsys):
    loaded = {"99": load(), "98": []}
    monkeypatch.setattr(claims, "load", lambda chapter: loaded[chapter])
    shown = []
    monkeypatch.setattr(claims.plots, "table", lambda rows, header, caption: shown.extend(rows))
    claims.table("99")
    assert shown[0][1] == "1 and 2 [One (2014)](https://example.org), table 1"
    assert shown[0][2].startswith("one: 0.60 [")
    with pytest.raises(ValueError, match="no claim of chapter '98'"):
        claims.table("98")
