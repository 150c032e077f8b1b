"""Headline claims again with other seeds: the right cells, a folder of their own, a verdict."""

import json
from types import SimpleNamespace

import pytest
import yaml

from course_lib import studies
from course_lib.claims import robustness
from course_lib.claims.__main__ import main
from course_lib.claims.ledger import UNDECIDED, VERDICTS, load
from course_lib.studies.engine import runner
from tests.studies.toy_study import run_inline, study


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A toy study with its record and a ledger of one headline claim: width 2 beats width 1."""

    run_inline(monkeypatch)
    log = tmp_path / "log"
    cells = [{"width": width, "log": str(log), "save": "toy"} for width in (1, 2, 3)]
    made = study(*cells, seeds=(0, 1, 2))
    monkeypatch.setattr(studies, "get", lambda name: made)
    results = tmp_path / "results"
    results.mkdir()
    runner.run(made, results=results, device="cpu", checkpoints=tmp_path, report=lambda line: None)
    log.unlink()
    side = {"label": "x", "metric": "accuracy"}
    claim = {
        "id": "wide-wins",
        "chapter": "00",
        "kind": "tested",
        "claim": "Wide wins.",
        "source": "one",
        "where": "table 1",
        "published": "Yes.",
        "study": "toy",
        "headline": True,
        "a": {**side, "select": {"width": 2}},
        "is": "greater",
        "b": {**side, "select": {"width": 1}},
        "verdict": "reproduced",
    }
    ledger = tmp_path / "ledger.yml"
    sources = {"one": {"citation": "One (2014)", "url": "https://example.org"}}
    other = {name: value for name, value in claim.items() if name != "headline"}
    other |= {"id": "wider-wins", "a": {**side, "select": {"width": 3}}}
    ledger.write_text(yaml.safe_dump({"sources": sources, "claims": [claim, other]}))
    return {"ledger": ledger, "results": results, "again": tmp_path / "again", "log": log}


def rerun(toy, **options):
    lines = []
    places = {name: toy[name] for name in ("ledger", "results", "again")}
    failed = robustness.rerun(**places, device="cpu", report=lines.append, **options)
    assert failed == 0, lines


def compared(toy):
    return robustness.compare(toy["ledger"], results=toy["results"], again=toy["again"])


def test_only_the_cells_of_headlines_run_with_seeds_that_the_study_has_not(toy):
    kept = [toy["results"] / "toy.json", toy["ledger"].parent / "toy.json"]  # and the checkpoint
    before = [path.read_bytes() for path in kept]
    [(name, cells, minutes)] = robustness.plan(toy["ledger"], results=toy["results"])
    assert (name, cells) == ("toy", 6) and minutes >= 0
    rerun(toy, seeds=1)
    assert studies.load("toy", results=toy["again"]).seeds(width=1) == [10]
    rerun(toy)
    ran = sorted(toy["log"].read_text().split("\n")[:-1])
    assert ran == [f"{width} {seed}" for width in (1, 2) for seed in (10, 11, 12)]
    assert [path.read_bytes() for path in kept] == before
    rerun(toy)  # nothing is left to do
    assert len(toy["log"].read_text().split("\n")) == len(ran) + 1


def negate(toy):
    path = toy["again"] / "toy.json"
    data = json.loads(path.read_text())
    for cell in data["cells"]:
        cell["metrics"]["accuracy"] *= -1
    path.write_text(json.dumps(data))


def test_a_verdict_that_turns_is_not_decided(toy):
    [one] = compared(toy)
    assert one.again is None and one.verdict == "reproduced"
    rerun(toy)
    [one] = compared(toy)
    assert one.verdict == one.again.verdict == "reproduced"
    assert one.again.seeds == (10, 11, 12) and one.seeds == (0, 1, 2)
    negate(toy)
    [one] = compared(toy)
    assert one.verdict == UNDECIDED
    assert (one.by_its_seeds, one.again.by_its_seeds) == (VERDICTS[0], VERDICTS[2])


def test_a_former_headline_keeps_what_other_seeds_have_said(toy):
    rerun(toy)
    negate(toy)
    ledger = yaml.safe_load(toy["ledger"].read_text())
    for history, verdict in (("", "reproduced"), ("Once a headline.", UNDECIDED)):
        ledger["claims"][0].pop("headline", None)
        ledger["claims"][0] |= {"history": history} if history else {}
        toy["ledger"].write_text(yaml.safe_dump(ledger))
        claim = load(toy["ledger"], results=toy["results"], again=toy["again"])[0]
        assert claim.verdict == verdict


def test_other_seeds_of_another_experiment_say_nothing(toy):
    """The study has changed since: its cells have one more key."""
    rerun(toy)
    negate(toy)
    path = toy["results"] / "toy.json"
    data = json.loads(path.read_text())
    for cell in data["cells"]:
        cell["config"]["rate"] = 1
    path.write_text(json.dumps(data))
    assert compared(toy)[0].again is None


def test_too_few_other_seeds_give_no_verdict(toy):
    rerun(toy, seeds=2)
    assert compared(toy)[0].again is None


def test_a_run_that_is_not_complete_gives_no_verdict_and_a_damaged_one_is_named(toy):
    rerun(toy)
    path = toy["again"] / "toy.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "complete": False}))
    assert compared(toy)[0].again is None
    path.write_text("{")
    with pytest.raises(ValueError, match="toy.json: "):
        compared(toy)


def test_a_study_that_no_headline_needs_is_an_error(toy):
    with pytest.raises(KeyError, match="no headline claim needs other; needed: toy"):
        robustness.rerun(["other"], ledger=toy["ledger"], results=toy["results"])


def test_the_command_lists_claims_and_the_plan_of_the_real_ledger(capsys):
    assert main(["list"]) == 0 and main(["robustness", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "reproduced" in printed and "together" in printed


def test_the_command_runs_other_seeds_and_shows_what_turned(monkeypatch, capsys):
    real, asked = robustness.compare()[0], []
    other = "reproduced" if real.by_its_seeds != "reproduced" else "direction only"
    turned = SimpleNamespace(
        chapter="00",
        id="toy",
        by_its_seeds=real.by_its_seeds,
        verdict=UNDECIDED,
        again=SimpleNamespace(by_its_seeds=other),
    )
    held = SimpleNamespace(**{**vars(turned), "verdict": other, "again": None})
    monkeypatch.setattr(robustness, "rerun", lambda names, **how: asked.append((names, how)) or 0)
    monkeypatch.setattr(robustness, "compare", lambda: [held, turned])
    assert main(["robustness", "one", "--seeds", "2", "--device", "cpu"]) == 1
    [(names, how)] = asked
    assert names == ["one"] and (how["seeds"], how["device"]) == (2, "cpu")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" -> ")[1] for line in lines] == ["not run", other]
    monkeypatch.setattr(robustness, "compare", lambda: [held])
    assert main(["robustness"]) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyError("no headline claim needs one"), 2, "no headline claim needs one\n"),
        (ValueError("the record is damaged"), 1, "the record is damaged\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_command_says_what_went_wrong(monkeypatch, capsys, error, code, said):
    def fails(*names, **how):
        raise error

    monkeypatch.setattr(robustness, "rerun", fails)
    assert main(["robustness", "one"]) == code
    printed = capsys.readouterr()
    assert printed.err == said and ("goes on" in printed.out) == (code == 130)


def test_other_seeds_are_none_of_the_recorded_ones_nor_that_of_the_tuning():
    for name in robustness.needed(robustness.compare()):
        one = studies.get(name)
        others = robustness.other_seeds(one)
        assert len(others) == len(one.seeds) and not set(others) & {*one.seeds, 100}
