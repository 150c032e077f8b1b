"""The ledger: verdicts follow from the records, and a malformed entry names its fault."""

import copy
import re

import nbformat
import pytest
import yaml

from course_lib import claims, studies
from course_lib.claims import quantities
from course_lib.claims.__main__ import main
from course_lib.claims.ledger import RELATIONS, SCHEMA
from course_lib.studies.engine.record import Record
from tests.book.notebook_rules import cells
from tools.project import ROOT, is_lesson, notebooks

ALL = claims.load()
TEXT = claims.LEDGER.read_text(encoding="utf-8")
ENTRIES = yaml.safe_load(TEXT)
SIDE = {"metric": "score", "select": {"size": 1}}
SOURCES = {"one2014": {"citation": "One (2014)", "url": "https://example.org"}}
NUMBERS = {1: [0.5, 0.6, 0.7], 2: [0.1, 0.2, 0.1], 3: [0.5, 0.2, 1.1], 4: [0.5, 0.6]}


def record(numbers, first_seed=0):
    return [
        {
            "config": {"size": size},
            "seed": first_seed + number,
            "metrics": {"score": value, "cost": 2.0**size, "text": None},
        }
        for size, values in numbers.items()
        for number, value in enumerate(values)
    ]


def fake(name, cells_of_record):
    return Record(name, "99", name, True, 1, [], None, cells_of_record)


RECORDS = {
    "fake": fake("fake", record(NUMBERS) + record({5: NUMBERS[2]}, first_seed=7)),
    "other": fake("other", record({1: [0.9, 0.8, 0.4]})),
    "longer": fake("longer", record({1: [0.1, 0.2, 0.1, 9.0, 9.0]})),
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
        "kind": "tested",
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


def test_verdicts_in_the_ledger_are_the_computed_ones():
    assert {c.id: f"is {c.verdict}" for c in ALL if c.verdict != c.recorded_verdict} == {}
    schema = yaml.safe_load(SCHEMA.read_text())["$defs"]["claim"]["properties"]
    assert schema["verdict"]["enum"] == list(claims.VERDICTS)
    assert sorted(schema["kind"]["enum"]) == sorted(claims.KINDS)
    assert schema["is"]["enum"] == list(RELATIONS)


def unknown_sources(ledger, bibliography):
    """One line for each source that the bibliography lacks, or has under another address."""
    problems = []
    for key, source in ledger["sources"].items():
        found = re.search(rf"@\w+\{{{key},.*?\n\}}", bibliography, flags=re.DOTALL)
        if not found:
            problems.append(f"source {key!r}: not in book/references.bib")
        elif source["url"].removeprefix("https://doi.org/") not in found[0]:
            problems.append(f"source {key!r}: no {source['url']} there")
    return problems


def test_sources_are_used_and_in_the_bibliography():
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert unknown_sources(ENTRIES, bibliography) == []
    changed = copy.deepcopy(ENTRIES)
    changed["sources"]["nobody1999"] = SOURCES["one2014"]
    changed["sources"]["vaswani2017"]["url"] = "https://arxiv.org/abs/0000.00000"
    assert len(unknown_sources(changed, bibliography)) == 2
    assert set(ENTRIES["sources"]) == {claim.source for claim in ALL}


def test_every_chapter_of_the_ledger_shows_its_claims_and_has_a_headline():
    texts = {
        path.name[:2]: "\n".join(
            cell.source for cell in cells(nbformat.read(path, as_version=4), "code")
        )
        for path in filter(is_lesson, notebooks())
    }
    for chapter in {claim.chapter for claim in ALL} & set(texts):
        assert f'claims.table("{chapter}")' in texts[chapter]
        assert sum(claim.headline for claim in ALL if claim.chapter == chapter) == 1, chapter
        assert 3 <= sum(claim.shown for claim in ALL if claim.chapter == chapter) <= 4, chapter


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
        (0.3, 0.29, "not reproduced at this scale"),
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


def test_a_measured_reason_is_shown_by_a_quantity_or_by_another_claim(entry, load):
    other = {**entry, "id": "b-claim"}
    entry |= {**SHOWN, "shown_by": [{"label": "two", "metric": "score", "select": {"size": 2}}]}
    entry["shown_by"].append("b-claim")
    claim, _ = load(others=[other])
    assert claim.shown_by[0].values == (0.1, 0.2, 0.1) and claim.shown_by[1] == other["claim"]


# Malformed entries --------------------------------------------------------------------------------


def side(**fields):
    return {"a": {"label": "one", **SIDE, **fields}}


OPEN = {"verdict": "direction only"}
SHOWN = {**OPEN, "why": "Measured: x."}
MALFORMED = [
    *(({field: None}, f"'{field}'") for field in ("claim", "where", "published", "b")),
    ({"chapter": ...}, "'chapter' is a required property"),
    ({"note": "x"}, r"Additional properties .*\('note' was unexpected\)"),
    ({"source": "two2015"}, "'source': 'two2015' is not listed"),
    ({"study": "absent"}, "'study': no record of study 'absent'"),
    ({"is": "better"}, r"'is': 'better' is not one of \['greater', 'less', 'equal'\]"),
    ({"verdict": True}, "'verdict': True is not one of"),
    ({"chapter": 4}, "'chapter': 4: expected two digits"),
    ({"id": "a claim"}, "'id': 'a claim': expected small letters"),
    ({"why": "A guess: x."}, "'why': 'A guess: x.': a claim that reproduces has none"),
    ({"kind": ...}, "'kind' is a required property"),
    ({"kind": "weaker opponent"}, "'because' is a required property"),
    ({"kind": "by construction"}, "'because' is a required property"),
    ({"kind": "weak"}, r"'kind': 'weak' is not one of \['tested', 'by construction', "),
    ({"verdict": "not decided at this scale"}, "'history' is a required property"),
    ({**OPEN, "why": "Nobody knows."}, "'why': 'Nobody knows.': begins with \"Measured:\""),
    ({**OPEN, "why": "Measured: x."}, "'shown_by' is a required property"),
    ({**OPEN, "why": "A guess: x.", "shown_by": ["a-claim"]}, "'shown_by': .*: only a reason that"),
    ({**SHOWN, "shown_by": ["no-claim"]}, "'shown_by': the ledger has no claim no-claim"),
    ({**SHOWN, "shown_by": [{"label": "x", "metric": "no"}]}, "'shown_by': .*"),
    ({**SHOWN, "shown_by": [{"label": "x", "value": 1}]}, "'shown_by', .*: a typed value"),
    ({"margin": 1}, "'margin': 1: only an equal claim has one"),
    ({"is": "equal"}, "'margin' is a required property"),
    ({"is": "equal", "margin": 0}, "'margin': 0 is less than or equal to the minimum"),
    ({"is": "equal", "margin": float("nan")}, "'margin': nan is not of type 'number'"),
    (side(metric="nothing"), "'a': .*no metric 'nothing'"),
    (side(metric="text"), "'a', field 'metric': 'text' is None, not a number"),
    (side(select={"size": 9}), "'a': .*nothing recorded"),
    (side(value=1), "'a': Additional properties .*'metric', 'select' were unexpected"),
    ({"a": {"label": "x", "value": "1"}}, "'a', field 'value': '1' is not of type 'number'"),
    (side(select={"size": 4}), "'a': 2 seeds; a verdict needs 3"),
    (side(select={"size": 5}), r"'b': it has the seeds \(0, 1, 2\), a has \(7, 8, 9\)"),
    (side(minus={"value": 1}), "'a', field 'minus': "),
    (side(minus={"metric": "score", "select": {"size": 4}}), r"'minus': it has the seeds"),
    (side(at=AT, select={"size": 1}), "'a', field 'at': .* leaves 1 configurations"),
    (side(at={**AT, "budget": {}}), "field 'at', field 'budget': 'metric' is a required"),
    (
        {"a": {"label": "x", "value": 1}, "b": {"label": "y", "value": 2}},
        "'a' and 'b': neither side comes from a record",
    ),
]


@pytest.mark.parametrize(("change", "message"), MALFORMED)
def test_a_malformed_entry_names_file_entry_and_field(entry, load, change, message):
    entry.update(change)
    for field in [field for field, value in entry.items() if value is ...]:
        del entry[field]
    with pytest.raises(claims.LedgerError, match=rf"ledger.yml, claim '{entry['id']}'.*{message}"):
        load()


def test_sides_are_compared_at_the_seeds_that_both_have(entry, load):
    entry["b"] = {"label": "longer", "study": "longer", **SIDE}
    [claim] = load()
    assert claim.b.seeds == claim.seeds == (0, 1, 2) and claim.b.values == (0.1, 0.2, 0.1)
    assert claim.difference.mean == pytest.approx((0.4 + 0.4 + 0.6) / 3)


def test_a_missing_id_is_named_by_its_place(entry, load):
    other = {name: value for name, value in entry.items() if name != "id"}
    with pytest.raises(
        claims.LedgerError, match=r"ledger.yml, claim number 2 .*'id' is a required"
    ):
        load(others=[other])


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ({"sources": {"one": {"url": "x"}}}, ", source 'one': 'citation' is a required property"),
        ({"sources": []}, r", field 'sources': \[\] is not of type 'object'"),
        ({"notes": []}, ": Additional properties .*'notes' was unexpected"),
    ],
)
def test_a_malformed_ledger_is_named(load, top, message):
    with pytest.raises(claims.LedgerError, match=f"ledger.yml{message}"):
        load(**top)


def test_ids_and_headlines_are_unique(entry, load):
    with pytest.raises(claims.LedgerError, match="two claims have the id 'a-claim'"):
        load(others=[entry])
    entry["headline"] = True
    with pytest.raises(claims.LedgerError, match="two claims are the headline of chapter '99'"):
        load(others=[{**entry, "id": "b-claim"}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT[: TEXT.index("claims:") + 60], r"claims.yml"),  # half-written
        (TEXT.replace("margin: ", "margin: 1\n    margin: ", 1), "the key 'margin' comes twice"),
        (TEXT.replace("select: {", "select: {cell: x, ", 1), "the key 'cell' comes twice"),
        ("sources: [", "claims.yml cannot be read"),
    ],
)
def test_a_damaged_ledger_is_named_also_on_the_command_line(
    tmp_path, monkeypatch, capsys, text, message
):
    path = tmp_path / "claims.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(claims.LedgerError, match=message):
        claims.load(path)
    defaults = (path, *claims.load.__defaults__[1:])
    monkeypatch.setattr(claims.load, "__defaults__", defaults)
    assert main(["list"]) == 1
    said = capsys.readouterr().err
    assert re.search(message, said) and said.startswith("claims.yml")


def test_a_damaged_record_names_its_file_and_the_claim(entry, tmp_path):
    ledger, results = tmp_path / "ledger.yml", tmp_path / "results"
    ledger.write_text(yaml.safe_dump({"sources": SOURCES, "claims": [entry]}))
    results.mkdir()
    (results / "fake.json").write_text('{"study": "fake"')
    with pytest.raises(claims.LedgerError, match=r"claim 'a-claim', field 'study': .*fake\.json: "):
        claims.load(ledger, results=results)


@pytest.mark.parametrize(
    ("value", "sign", "shown"),
    [
        (0.0, "", "0.00"),
        (0.0123, "+", "+0.012"),
        (-3.14159, "+", "−3.14"),
        (3.0, "", "3"),
        (1234.5, "", "1,234"),
        (-3.9e11, "+", "−3.90 · 10¹¹"),
        (-0.00001, "", "0.00"),
    ],
)
def test_numbers_are_shown_with_three_digits_or_so(value, sign, shown):
    assert quantities.number(value, sign) == shown
