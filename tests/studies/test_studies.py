"""Studies: the runner survives what happens to long runs, and every record keeps its promises."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from course_lib import studies
from course_lib.studies import __main__ as command_line
from course_lib.studies.engine import artifacts, core, environment, forms, record, runner
from tests.studies import toy_study
from tests.studies.toy_study import run_inline, study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inline(monkeypatch):
    run_inline(monkeypatch)


def run(toy, results, **options):
    lines = []
    options = {"device": "cpu", "jobs": 1, **options}
    failed = runner.run(toy, results=results, report=lines.append, **options)
    return failed, "\n".join(lines)


def marks(log):
    return sorted(log.read_text().split("\n")[:-1])


def change(path, edit):
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


# --- running ----------------------------------------------------------------------------------


def test_every_cell_is_recorded_once_in_order_whatever_the_order_it_ran_in(tmp_path):
    log = tmp_path / "log"
    toy = study(*({"width": width, "log": str(log)} for width in (3, 1)))
    failed, lines = run(toy, tmp_path, jobs=2)
    assert failed == [] and "[4/4]" in lines
    there = studies.load("toy", results=tmp_path)
    rows = [(cell["config"]["width"], cell["seed"]) for cell in there.cells]
    assert rows == [(3, 0), (3, 1), (1, 0), (1, 1)]
    assert there.complete and there.promised == 4 and there.seconds >= 0
    assert there.environments[0]["versions"]["torch"] == torch.__version__
    setting = {"threads": 1, "device": "cpu"}
    assert all(cell["metrics"]["setting"] == setting for cell in there.cells)
    torch.manual_seed(1)  # numbers depend on the seed only
    assert there.values("by_length.0", width=3, seed=1) == [float(torch.rand(()))]
    before = (tmp_path / "toy.json").read_bytes()
    assert run(toy, tmp_path)[0] == []
    assert marks(log) == ["1 0", "1 1", "3 0", "3 1"]
    assert (tmp_path / "toy.json").read_bytes() == before


def test_failed_cells_are_named_and_the_others_go_on(tmp_path):
    faults = [{"width": n, "fault": fault} for n, fault in enumerate(["raise", "die", "nan"])]
    failed, lines = run(study(*faults, {"width": 9}, seeds=(5,)), tmp_path)
    assert sorted(outcome.job.config["fault"] for outcome in failed) == ["die", "nan", "raise"]
    assert 'FAILED toy {"width": 0, "fault": "raise"} seed=5' in lines
    assert "ArithmeticError: the oven is cold" in lines and "toy_study.py" in lines
    assert "killed by signal 9" in lines and "these are not: loss" in lines
    there = studies.load("toy", results=tmp_path)
    assert not there.complete and [c["config"] for c in there.cells] == [{"width": 9}]


def test_change_of_one_configuration_runs_that_one_only(inline, tmp_path):
    log = tmp_path / "log"
    first, second, changed = ({"width": width, "log": str(log)} for width in (1, 2, 3))
    run(study(first, second), tmp_path)
    log.unlink()
    run(study(first, changed), tmp_path)
    assert marks(log) == ["3 0", "3 1"]
    there = studies.load("toy", results=tmp_path)
    assert [config["width"] for config in there.configs] == [1, 3]


def test_fewer_seeds_make_a_partial_record_and_more_complete_it(inline, tmp_path):
    run(study(), tmp_path, seeds=1)
    there = studies.load("toy", results=tmp_path)
    assert not there.complete and there.seeds(width=1) == [0]
    run(study(), tmp_path)
    run(study(), tmp_path, seeds=1)  # nothing is thrown away
    assert studies.load("toy", results=tmp_path).complete
    with pytest.raises(ValueError, match="promises 1 to 2"):
        run(study(), tmp_path, seeds=3)


SCRIPT = """
import json, sys
from pathlib import Path
from tests.studies.toy_study import study
from course_lib.studies.engine import runner
if __name__ == "__main__":
    cells, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    runner.run(study(*cells), results=folder, device="cpu")
"""


def test_killed_study_keeps_finished_cells_and_goes_on(tmp_path, monkeypatch):
    log, gate, path = tmp_path / "log", tmp_path / "gate", tmp_path / "toy.json"
    cells = [{"width": 1, "log": str(log)}, {"width": 2, "log": str(log), "wait_for": str(gate)}]
    command = [sys.executable, "-c", SCRIPT, json.dumps(cells), str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    in_temp = set(os.listdir(tempfile.gettempdir()))
    process = subprocess.Popen(command, cwd=ROOT, **pipes)
    limit = time.monotonic() + 300
    while not (
        path.exists()
        and len(json.loads(path.read_text())["cells"]) == 2
        and log.read_text().count("2 ") == 2
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)
    with pytest.raises(RuntimeError, match="being run by another process"):
        run(study(*cells), tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()  # returns only when the workers, who hold the pipes too, are gone
    assert json.loads(path.read_text())["complete"] is False
    gate.touch()
    time.sleep(0.2)
    assert len(studies.load("toy", results=tmp_path).cells) == 2  # no orphan wrote on
    log.unlink()
    run_inline(monkeypatch)
    assert run(study(*cells), tmp_path)[0] == []
    assert marks(log) == ["2 0", "2 1"]
    assert studies.load("toy", results=tmp_path).complete
    assert {file.name for file in tmp_path.iterdir()} == {"log", "gate", "toy.json"}  # no lock
    assert not [f for f in set(os.listdir(tempfile.gettempdir())) - in_temp if "study" in f]


def test_full_disk_leaves_the_former_record_and_no_lock(inline, tmp_path, monkeypatch):
    run(study(), tmp_path)
    before = (tmp_path / "toy.json").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the former file stays"):
        run(study({"width": 1}, {"width": 7}), tmp_path)
    assert (tmp_path / "toy.json").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["toy.json"]


# --- weights ----------------------------------------------------------------------------------


def test_weights_are_kept_by_real_cells_only(inline, tmp_path):
    kept = tmp_path / "kept"
    toy = study({"width": 2, "save": "toy-weights"}, smoke={"width": 3, "save": "toy-smoke"})
    run(toy, tmp_path, checkpoints=kept)
    names = sorted(file.name for file in kept.iterdir())
    assert names == ["toy-weights.json", "toy-weights.safetensors"]
    model, ours = nn.Linear(2, 2), toy_study.kept(toy.cells[0])
    card = ours.load(model, folder=kept)
    assert card["name"] == "toy-weights" and card["parameters"] == 6
    with pytest.raises(KeyError, match="no weights 'other'; there are: toy-weights"):
        toy_study.kept({"save": "other"}).load(model, folder=kept)
    for text in ('{"name": "toy-w', "[]", '{"name": "toy-weights", "parameters": 6}'):
        (kept / "toy-weights.json").write_text(text)
        with pytest.raises(ValueError, match="toy-weights.json: .*Restore the card"):
            ours.load(model, folder=kept)
    (kept / "toy-weights.json").write_text(json.dumps(card))
    (kept / "toy-weights.safetensors").write_bytes(b"tampered")
    with pytest.raises(ValueError, match="not the file its card describes"):
        ours.load(model, folder=kept)
    (kept / "toy-weights.json").unlink()
    with pytest.raises(KeyError, match="the card toy-weights.json is missing; there are: none yet"):
        ours.load(model, folder=kept)


def test_weights_in_16_bits_leave_the_model_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ARTIFACTS", str(tmp_path))
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    kept = artifacts.KeptWeights("toy", {"a": (1,)}, what="", data="", limits="", licence="")
    for config, seed in (({"a": [2]}, 0), ({"a": [1]}, 1)):
        kept.keep(config, seed, model, {})
        assert not list(tmp_path.iterdir())
    kept.keep({"a": [1]}, 0, model, {"right": 1.0})
    assert torch.equal(model.weight, before) and model.weight.dtype == torch.float32
    again = nn.Linear(2, 3)
    card = kept.load(again, folder=tmp_path)
    assert torch.equal(again.weight, before.half().float())
    assert card["storage"] == "16-bit floats" and card["scores"] == {"right": 1.0}


def test_long_cells_have_a_file_to_go_on_from_in_the_runner_only(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_ARTIFACTS", raising=False)
    with artifacts.resume_file("x", {"steps": 1}, 0) as file:
        assert file is None
    monkeypatch.setenv("COURSE_ARTIFACTS", "kept")
    monkeypatch.setenv("ATTENTION_MEASURED_CACHE", str(tmp_path))
    files = set()
    for steps in (1, 2):
        for seed in (0, 1):
            with artifacts.resume_file("x", {"steps": steps}, seed) as file:
                file.write_bytes(b"")
                files.add(file)
            assert not file.exists()  # the cell is done
    assert len(files) == 4 and all(tmp_path in file.parents for file in files)
    with pytest.raises(KeyboardInterrupt), artifacts.resume_file("x", {}, 0) as file:
        file.write_bytes(b"")
        raise KeyboardInterrupt
    assert file.exists()  # it was stopped


# --- checking ---------------------------------------------------------------------------------


def test_check_finds_a_changed_number_within_tolerance(inline, tmp_path):
    toy = study(smoke={"width": 5}, tolerance=0.01)
    [wrong] = runner.check(toy, results=tmp_path)
    assert "studies run toy" in wrong
    run(toy, tmp_path)
    assert runner.check(toy, results=tmp_path) == []
    for recorded, wrong in ((5.04, 0), (5.2, 1)):
        change(
            tmp_path / "toy.json",
            lambda data, n=recorded: data["smoke"]["metrics"].update(accuracy=n),
        )
        found = runner.check(toy, results=tmp_path)
        assert len(found) == wrong
    assert "accuracy was 5.2, is 5 (tolerance 0.01)" in found[0]
    assert runner.check(replace(toy, timing=True), results=tmp_path) == []  # its form only


def test_differences_name_what_came_and_went():
    found = runner.differences({"a": 1.0, "b": {"c": 2}}, {"a": "x", "b": {"d": 2}}, 0.1)
    assert found == ["a was 1.0, is 'x'", "metric b.c is gone", "metric b.d is new"]
    spent = [{"cost": {"seconds": seconds, "steps": 3}} for seconds in (3.5, 2.6)]
    assert runner.differences(*spent, 0.1) == []  # time is another one on another day


def test_a_record_that_breaks_its_promise_is_noticed(inline, tmp_path):
    toy, path = study(), tmp_path / "toy.json"
    run(toy, tmp_path)
    whole = studies.load("toy", results=tmp_path)
    assert record.problems(whole, toy) == []
    lost = replace(whole, cells=whole.cells[:-1])
    assert "1 of 4 are missing" in record.problems(lost, toy)[0]
    assert record.problems(replace(lost, complete=False), toy) == []
    for broken in (
        replace(whole, cells=whole.cells[::-1]),
        replace(whole, cells=whole.cells + whole.cells[:1]),
        replace(whole, smoke=None),
        replace(whole, title="Another"),
        replace(whole, study="other"),
    ):
        assert record.problems(broken, toy) != []
    assert record.problems(whole, study(seeds=(0, 2))) != []
    assert path.exists()


WRONG_RECORDS = {
    "cut off": (lambda text: text[:40], "Unterminated|delimiter|Expecting"),
    "not a number": (lambda text: text.replace(": 1.1", ": NaN"), "it holds NaN"),
    "not UTF-8": (lambda text: text.replace("A toy", "\udcff"), "codec can't decode"),
    "a field less": (lambda text: text.replace('"smoke"', '"smoked"'), "field -: .*'smoked'"),
    "no metrics": (
        lambda text: re.sub(r'"metrics": \{.*\}, "sec', '"metrics": {}, "sec', text),
        "field cells.0.metrics",
    ),
    "no such place": (
        lambda text: text.replace('"environment": 0', '"environment": 7'),
        "field cells.0.environment",
    ),
}


@pytest.mark.parametrize("how", WRONG_RECORDS)
def test_a_wrong_record_is_named_with_its_field_and_not_overwritten(inline, tmp_path, how):
    toy, path = study(), tmp_path / "toy.json"
    run(toy, tmp_path)
    edit, said = WRONG_RECORDS[how]
    path.write_text(edit(path.read_text()), errors="surrogateescape")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"toy\.json: .*({said}).*Restore the file"):
        studies.load("toy", results=tmp_path)
    [wrong] = runner.check(toy, results=tmp_path)
    assert "toy.json: " in wrong
    with pytest.raises(ValueError, match="toy.json"):
        run(toy, tmp_path)
    assert path.read_bytes() == before


# --- reading ----------------------------------------------------------------------------------


@pytest.fixture
def there(inline, tmp_path):
    cells = (
        {"width": 1, "order": [1, 2]},
        {"width": 2, "order": [1, 2]},
        {"width": 2, "order": []},
    )
    run(study(*cells), tmp_path)
    return studies.load("toy", results=tmp_path)


def test_values_and_interval(there):
    assert there.values("accuracy", width=1) == [1.0, 1.1]
    assert there.values("accuracy", width=2, order=()) == [2.0, 2.1]
    assert there.values("by_length.1", width=1) == [0, 1]
    assert there.values("accuracy", width=1, seed=1) == [1.1]
    assert len(there.values("by_length", width=1)[0]) == 2
    interval = there.interval("accuracy", width=1)
    assert interval.mean == pytest.approx(1.05)
    assert interval.low < 1.0 and interval.high > 1.1  # two seeds: a wide interval


@pytest.mark.parametrize(
    ("metric", "select", "error", "said"),
    [
        ("accurcay", {"width": 1}, KeyError, "it has: accuracy, by_length.0, by_length.1"),
        ("by_length.2", {"width": 1}, KeyError, "no metric 'by_length.2'"),
        ("accuracy", {"depth": 1}, KeyError, "no configuration key depth; it has: order, seed"),
        ("accuracy", {"width": 3}, LookupError, r"recorded: {'width': \[1, 2\]}"),
        ("accuracy", {"width": 2}, LookupError, "matches 2 configurations; they differ in order"),
        ("accuracy", {}, LookupError, "differ in order, width"),
    ],
)
def test_wrong_selections_say_what_there_is(there, metric, select, error, said):
    with pytest.raises(error, match=said):
        there.values(metric, **select)


def curve(costs, seeds=(0, 1)):
    cells = [
        {
            "config": {"model": "a", "steps": steps},
            "seed": seed,
            "metrics": {"cost": cost, "score": 10.0 * place + seed},
        }
        for place, (steps, cost) in enumerate(costs.items())
        for seed in (seeds if place else (0, 1))
    ]
    return record.Record("toy", "00", "A toy", True, 4, [], None, cells)


def test_a_metric_at_a_cost_is_read_off_the_curve():
    there = curve({100: 1.0, 400: 4.0, 200: 2.0})  # out of order
    at = {"along": "steps", "cost": "cost", "model": "a"}
    assert there.values_at("score", budget=1.0, **at) == ((0, 1), (0.0, 1.0))
    assert there.values_at("score", budget=4.0, **at) == ((0, 1), (10.0, 11.0))
    assert there.values_at("score", budget=2**0.5, **at)[1] == pytest.approx((10.0, 11.0))
    for outside in (0.9, 4.1):
        with pytest.raises(ValueError, match="cost runs from 1 to 4; .* lies outside"):
            there.values_at("score", budget=outside, **at)
    with pytest.raises(LookupError, match="leaves 0 configurations that differ in 'width'"):
        there.values_at("score", along="width", cost="cost", budget=1.0)
    with pytest.raises(LookupError, match="along 'steps' the seeds differ"):
        curve({100: 1.0, 200: 2.0}, seeds=(0,)).values_at("score", budget=1.5, **at)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Not a module"},
        {"seeds": ()},
        {"seeds": (1, 1)},
        {"cells": []},
        {"cells": [{"a": (1,)}, {"a": [1]}]},
        {"cells": [{"a": float("nan")}]},
        {"cells": [{"seed": 1}]},
        {"smoke": {"a": object()}},
    ],
)
def test_wrong_studies_are_refused(wrong):
    with pytest.raises(ValueError, match="study"):
        study(**wrong)


def test_import_is_cheap():
    code = "import sys, course_lib.studies; print('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"False\n"


# --- the command line -------------------------------------------------------------------------


@pytest.fixture
def shelf(inline, tmp_path, monkeypatch):
    """A shelf with two toy studies, one of which has a failing cell."""
    toys = {
        "fine": study(name="fine"),
        "broken": study({"width": 1, "fault": "raise"}, {"width": 2}, name="broken"),
    }
    monkeypatch.setattr(core, "names", lambda: sorted(toys))
    monkeypatch.setattr(core, "get", lambda name: toys[name])
    for function in (record.load, runner.run, runner.check):
        monkeypatch.setitem(function.__kwdefaults__, "results", tmp_path)
    return tmp_path


def test_command_line_runs_lists_and_checks(shelf, capsys):
    assert command_line.main(["run", "fine", "--seeds", "1", "--device", "cpu"]) == 0
    assert command_line.main(["list"]) == 0
    rows = [row.split()[:3] for row in capsys.readouterr().out.splitlines()[-2:]]
    assert rows == [["broken", "00", "0/4"], ["fine", "00", "2/4"]]
    assert command_line.main(["list", "--names"]) == 0
    assert capsys.readouterr().out == "broken\nfine\n"
    assert command_line.main(["check", "fine"]) == 0
    assert command_line.main(["check"]) == 1
    assert "studies run broken" in capsys.readouterr().out
    (shelf / "fine.json").write_text('{"study"')
    assert command_line.main(["list"]) == command_line.main(["check", "fine"]) == 1
    said = capsys.readouterr()
    assert "fine.json: " in said.err and "fine.json: " in said.out and "0/4" in said.out


def test_command_line_fails_when_a_cell_fails(shelf, capsys):
    assert command_line.main(["run", "broken", "--device", "cpu"]) == 1
    assert "2 cells failed" in capsys.readouterr().err
    assert command_line.main(["run", "fine", "--device", "abacus"]) == 1
    assert "device 'abacus'; this machine has: cpu" in capsys.readouterr().err


def test_unknown_names_say_what_there_is(tmp_path, capsys):
    (tmp_path / "toy.json").write_text("{}")
    with pytest.raises(KeyError, match="recorded: toy"):
        studies.load("absent", results=tmp_path)
    assert command_line.main(["run", "absent"]) == 2
    assert "no study 'absent'; there are: attention_lab" in capsys.readouterr().err


# --- what is committed ------------------------------------------------------------------------


ONE_SEED = {
    "smollm_asked",  # where nothing is drawn, one is all there is
    "gpt_bits",  # likewise
    "page_translators",  # about the weights that it keeps; `contest` has further seeds
}


@pytest.mark.parametrize("name", studies.names())
def test_study_and_its_record_keep_their_promises(name):
    there = studies.get(name)
    # A search has one seed and reports nothing.
    least = 1 if name in ONE_SEED or name.endswith("_search") else 3
    assert there.title and re.fullmatch(r"\d\d", there.chapter) and len(there.seeds) >= least
    assert there.run.__module__ == core.modules()[name]
    found = studies.load(name)
    assert record.problems(found, there) == []
    fields = {"device", "versions", "system", "processor", "cores", "threads"}
    assert all(set(place) == fields for place in found.environments)
    text = (core.RESULTS / f"{name}.json").read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|Users|tmp|work)/", text)  # names nobody's machine


def test_a_record_is_read_without_the_grammar_that_takes_a_second():
    program = (
        "import sys; from course_lib import studies; studies.load('contest'); "
        "sys.exit(bool({'lark', 'rfc3987_syntax'} & {*sys.modules}))"
    )
    # Without tools/offline, which keeps that grammar out of all that tests start.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


def test_no_record_without_a_study():
    assert {path.stem for path in core.RESULTS.glob("*.json")} == set(studies.names())


KEPT = sorted(artifacts.CHECKPOINTS.glob("*.safetensors"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_weights_are_those_of_their_card(path):
    card = forms.read(path.with_suffix(".json"), artifacts.CARD, "")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"]
    assert card["name"] == path.stem and path.stat().st_size < 16e6


@pytest.mark.parametrize("there", [[], ["cuda"], ["mps"]])
def test_the_device_is_one_that_is_there(monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    assert environment.resolve_device("auto") == ("cuda" if "cuda" in there else "cpu")
    for name in ("cpu", *there):
        assert environment.resolve_device(name) == name
    with pytest.raises(
        ValueError, match="'abacus'; this machine has: " + ", ".join(["cpu", *there])
    ):
        environment.resolve_device("abacus")
