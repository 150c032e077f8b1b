"""The ledger: verdicts follow from the records, and a malformed entry names its fault."""

import copy
import functools
import re

import pytest
import yaml

from course_lib import claims, studies
from course_lib.claims import quantities
from course_lib.studies.engine.core import RESULTS, Record
from tests.book.notebook_rules import cells
from tools.project import ROOT, notebooks

ALL = claims.load()
ENTRIES = yaml.safe_load(claims.LEDGER.read_text(encoding="utf-8"))
SIDE = {"metric": "score", "select": {"size": 1}}
SOURCES = {"one2014": {"citation": "One (2014)", "url": "https://example.org"}}
NUMBERS = {1: [0.5, 0.6, 0.7], 2: [0.1, 0.2, 0.1], 3: [0.5, 0.2, 1.1], 4: [0.5, 0.6]}


def record(numbers, first_seed=0, cost=1.0, text=None):
    return [
        {
            "config": {"size": size},
            "seed": first_seed + number,
            "metrics": {"score": value, "cost": cost * 2**size, "text": text},
            "seconds": 1.0,
            "environment": 0,
        }
        for size, values in numbers.items()
        for number, value in enumerate(values)
    ]


def fake(name, cells_of_record):
    top = {"study": name, "title": name, "complete": True, "promised": 1, "environments": []}
    return Record({**top, "cells": cells_of_record, "smoke": None})


RECORDS = {
    "fake": fake("fake", record(NUMBERS) + record({5: NUMBERS[2]}, first_seed=7)),
    "other": fake("other", record({1: [0.9, 0.8, 0.4]})),
    "curve": fake("curve", record({1: [0, 0, 0], 2: [1, 1, 1], 4: [3, 3, 6]})),
}


def read(name, *, results=None):
    if name not in RECORDS:
        raise KeyError(f"no record of study {name!r}; recorded: {', '.join(RECORDS)}")
    return RECORDS[name]


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
    monkeypatch.setattr(studies, "load", read)

    def load(others=(), sources=SOURCES, **top):
        path = tmp_path / "ledger.yml"
        ledger = {"sources": sources, "claims": [entry, *others], **top}
        path.write_text(yaml.safe_dump(ledger))
        return claims.load(path)

    return load


# The ledger itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_verdict_in_the_ledger_is_the_computed_one(claim):
    assert claim.verdict == claim.recorded_verdict, claim.difference


def unknown_sources(ledger, bibliography):
    """One line for each source that the bibliography lacks, or has under another address."""
    problems = []
    for key, source in ledger["sources"].items():
        found = re.search(rf"@\w+\{{{key},.*?\n\}}", bibliography, flags=re.DOTALL)
        if not found:
            problems.append(f"claims.yml, source {key!r}: not in book/references.bib")
        elif source["url"].removeprefix("https://doi.org/") not in found[0]:
            problems.append(f"claims.yml, source {key!r}, field 'url': no {source['url']} there")
    return problems


def test_sources_are_in_the_bibliography():
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert unknown_sources(ENTRIES, bibliography) == []
    changed = copy.deepcopy(ENTRIES)
    changed["sources"]["nobody1999"] = SOURCES["one2014"]
    changed["sources"]["vaswani2017"]["url"] = "https://arxiv.org/abs/0000.00000"
    assert unknown_sources(changed, bibliography) == [
        "claims.yml, source 'vaswani2017', field 'url': no https://arxiv.org/abs/0000.00000 there",
        "claims.yml, source 'nobody1999': not in book/references.bib",
    ]


def test_every_source_is_used():
    assert set(ENTRIES["sources"]) == {claim.source for claim in ALL}


def test_every_chapter_of_the_ledger_shows_its_claims_and_has_a_headline():
    texts = {
        path.name[:2]: "\n".join(cell.source for cell in cells(notebook(path), "code"))
        for path in notebooks()
    }
    for chapter in {claim.chapter for claim in ALL} & set(texts):
        assert f'claims.table("{chapter}")' in texts[chapter]
        assert sum(claim.headline for claim in ALL if claim.chapter == chapter) == 1, chapter


def notebook(path):
    import nbformat

    return nbformat.read(path, as_version=4)


# Mutations of the real ledger and the real records ------------------------------------------------


@pytest.fixture(scope="module")
def recorded():
    """The real records, each read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "load", functools.cache(studies.load))
        yield


def wrong(path):
    """The claims whose verdict is not the computed one."""
    return [claim.id for claim in claims.load(path) if claim.verdict != claim.recorded_verdict]


@pytest.fixture
def ledger(tmp_path):
    """Writes a changed copy of the ledger with one claim of it."""

    def write(name, change=lambda entry: None):
        entries = copy.deepcopy(ENTRIES)
        [chosen] = [one for one in entries["claims"] if one["id"] == name]
        change(chosen)
        path = tmp_path / "claims.yml"
        path.write_text(yaml.safe_dump({**entries, "claims": [chosen]}), encoding="utf-8")
        return path

    return write


def turned(claim):
    """The entry with the opposite relation; where that changes no verdict, with a tight margin."""

    def change(entry):
        if entry["is"] == "equal":
            entry["margin"] = 1e-9 if claim.verdict == "reproduced" else 1e9
        else:
            entry["is"] = {"greater": "less", "less": "greater"}[entry["is"]]

    return change


def judged(entry, verdict):
    entry.pop("why", None)  # a claim that reproduces has none
    entry["verdict"] = verdict


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_another_predicate_or_verdict_is_noticed(claim, ledger, recorded):
    assert wrong(ledger(claim.id)) == []
    assert wrong(ledger(claim.id, turned(claim))) == [claim.id]
    for verdict in set(claims.VERDICTS) - {claim.verdict}:
        assert wrong(ledger(claim.id, lambda entry, v=verdict: judged(entry, v))) == [claim.id]


def moved(metrics, path, by):
    *parts, last = path.split(".")
    for part in parts:
        metrics = metrics[int(part)] if isinstance(metrics, list) else metrics[part]
    metrics[int(last) if isinstance(metrics, list) else last] += by


def telling(claim):
    """A shift of side a that turns the verdict."""
    mean = claim.difference.mean
    if claim.margin is None:
        return -3 * mean * (-1 if claim.relation == "<" else 1)
    return -mean if claim.verdict == claims.VERDICTS[2] else 10 * claim.margin


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_another_number_in_the_record_is_noticed(claim, ledger, recorded, monkeypatch):
    side_a, load = claim.entry["a"], studies.load
    study = side_a.get("study", claim.study)
    changed = copy.deepcopy(load(study, results=RESULTS))
    for cell in changed.cells:
        if side_a.get("select", {}).items() <= cell["config"].items():
            moved(cell["metrics"], side_a["metric"], telling(claim))
    monkeypatch.setattr(
        studies, "load", lambda name, **where: changed if name == study else load(name, **where)
    )
    assert wrong(ledger(claim.id)) == [claim.id]


# How verdicts follow ------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("value", "margin", "verdict"),
    [  # a has the mean 0.6 with an interval of 0.35 to 0.85
        (0.6, 0.3, "reproduced"),
        (0.6, 0.2, "direction only"),
        (0.3, 0.31, "direction only"),
        (0.9, 0.31, "direction only"),
        (0.3, 0.29, "not reproduced at this scale"),
        (0.9, 0.29, "not reproduced at this scale"),
    ],
)
def test_equal_needs_the_whole_interval_within_the_margin(entry, load, value, margin, verdict):
    entry |= {"is": "equal", "margin": margin, "b": {"label": "two", "value": value}}
    [claim] = load()
    assert claim.verdict == verdict
    assert claim.difference.mean == pytest.approx(0.6 - value)


def test_turning_the_relation_turns_the_difference(entry, load):
    first = load()[0].difference
    entry["is"] = "less"
    assert load()[0].difference.mean == pytest.approx(-first.mean)


def test_a_side_may_come_from_another_study(entry, load):
    entry["b"] = {"label": "other", **SIDE, "study": "other"}
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


AT = {"along": "size", "cost": "cost", "budget": {"metric": "cost", "select": {"size": 4}}}


def budget(size):
    return {**AT, "budget": {"study": "fake", "metric": "cost", "select": {"size": size}}}


def test_a_curve_is_read_where_its_cost_is_the_budget(entry, load):
    entry["a"] = {"label": "read", "study": "curve", "metric": "score", "at": AT}
    assert load()[0].a.values == (3, 3, 6)
    entry["a"]["at"] = budget(3)  # 8 lies half way between 4 and 16 in logarithms
    assert load()[0].a.values == pytest.approx((2, 2, 3.5))
    assert load()[0].a.seeds == (0, 1, 2)


def test_a_budget_outside_the_curve_is_an_error(entry, load):
    entry["a"] = {"label": "read", "study": "curve", "metric": "score", "at": budget(5)}
    with pytest.raises(claims.LedgerError, match=r"a-claim.*'a', field 'at'.*32 lies outside"):
        load()


# Malformed entries --------------------------------------------------------------------------------

FIELDS = ["claim", "chapter", "source", "where", "published", "study", "a", "is", "b", "verdict"]


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named(entry, load, field):
    del entry[field]
    with pytest.raises(claims.LedgerError, match=rf"ledger.yml, claim 'a-claim' misses {field}"):
        load()


def test_a_missing_id_is_named_by_its_place(entry, load):
    other = {name: value for name, value in entry.items() if name != "id"}
    with pytest.raises(claims.LedgerError, match=r"ledger.yml, claim number 2 .* misses id"):
        load(others=[other])


def side(**fields):
    return {"a": {"label": "one", **SIDE, **fields}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "two2015"}, "'source': 'two2015' is not listed"),
        ({"study": "absent"}, "'study': no record of study 'absent'"),
        (side(study="absent"), "'a', field 'study': no record of study 'absent'"),
        ({"is": "better"}, "'is': 'better'; expected one of greater, less, equal"),
        ({"verdict": "true"}, "'verdict': 'true'"),
        ({"verdict": True}, "'verdict': True is no text"),
        ({"published": "  "}, "'published': '  ' is no text"),
        ({"chapter": 4}, "'chapter': 4 is no text"),
        ({"chapter": "4"}, "'chapter': '4'; expected two digits"),
        ({"id": "a claim"}, "'id': 'a claim'; expected small letters"),
        ({"note": "x"}, "does not know note"),
        ({"headline": False}, "'headline': write true"),
        ({"why": "A guess."}, "'why': a text for a claim that does not reproduce"),
        ({"why": "", "verdict": "direction only"}, "'why': a text"),
        ({"margin": 1}, "'margin': an equal claim has one"),
        ({"is": "equal"}, "'margin': an equal claim has one"),
        ({"is": "equal", "margin": 0}, "'margin': 0; expected a number above 0"),
        ({"a": 3}, "'a': 3 is no mapping"),
        (side(metric="nothing"), "'a': .*no metric 'nothing'"),
        (side(metric="text"), "'a', field 'metric': 'text' is None, not a number"),
        (side(select=[1]), r"'a', field 'select': \[1\] is no mapping"),
        (side(select={"size": 9}), "'a': .*nothing recorded"),
        ({"a": {"label": "one"}}, "'a': expected either value, or metric"),
        ({"a": SIDE}, "'a' misses label"),
        (side(value=1), "'a': expected either value, or metric"),
        ({"a": {"label": "x", "value": 1, "select": {}}}, "'a': a fixed value has no select"),
        ({"a": {"label": "x", "value": "1"}}, "'a', field 'value': '1' is no number"),
        (side(select={"size": 4}), "'a': 2 seeds; a verdict needs 3"),
        (side(select={"size": 5}), r"'b': it has the seeds \(0, 1, 2\), a has \(7, 8, 9\)"),
        (side(minus={"value": 1}), "'a', field 'minus' misses metric"),
        (side(minus={**SIDE, "label": "x"}), "field 'minus' does not know label"),
        (side(minus={"metric": "score", "select": {"size": 4}}), r"'minus': it has the seeds"),
        (side(at={"along": "size"}), "'a', field 'at' misses budget, cost"),
        (side(at=AT, select={"size": 1}), "'a', field 'at': .* leaves 1 configurations"),
        (side(at={**AT, "budget": {}}), "field 'at', field 'budget' misses metric"),
        (
            {"a": {"label": "x", "value": 1}, "b": {"label": "y", "value": 2}},
            "'a' and 'b': neither side comes from a record",
        ),
    ],
)
def test_a_malformed_entry_names_file_entry_and_field(entry, load, change, message):
    entry.update(change)
    with pytest.raises(claims.LedgerError, match=rf"ledger.yml, claim '{entry['id']}'.*{message}"):
        load()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"one2014": {"url": "https://example.org"}}, "source 'one2014' misses citation"),
        ({"one2014": {**SOURCES["one2014"], "year": 1}}, "source 'one2014' does not know year"),
    ],
)
def test_a_malformed_source_is_named(load, sources, message):
    with pytest.raises(claims.LedgerError, match=f"ledger.yml, {message}"):
        load(sources=sources)


def test_a_ledger_has_two_parts(load):
    with pytest.raises(claims.LedgerError, match="two parts sources and claims"):
        load(notes=[])


def test_ids_and_headlines_are_unique(entry, load):
    with pytest.raises(claims.LedgerError, match="two claims have the id 'a-claim'"):
        load(others=[entry])
    entry["headline"] = True
    with pytest.raises(claims.LedgerError, match="two claims are the headline of chapter '99'"):
        load(others=[{**entry, "id": "b-claim"}])


@pytest.mark.parametrize(
    ("value", "sign", "shown"),
    [
        (0.0, "", "0.00"),
        (-0.004, "", "−0.004"),
        (0.0123, "+", "+0.012"),
        (0.5, "", "0.50"),
        (-3.14159, "+", "−3.14"),
        (12.34, "", "12.3"),
        (3.0, "", "3"),
        (1234.5, "", "1,234"),
        (3.3e18, "", "3.30 · 10¹⁸"),
        (-3.9e11, "+", "−3.90 · 10¹¹"),
        (-0.00001, "", "0.00"),
    ],
)
def test_numbers_are_shown_with_three_digits_or_so(value, sign, shown):
    assert quantities.number(value, sign) == shown
