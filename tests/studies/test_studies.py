"""Studies: the runner survives what happens to long runs, and every record keeps its promises."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from course_lib import studies
from course_lib.studies import __main__ as command_line
from course_lib.studies.engine import artifacts, core, runner, store, workers
from tests.studies.toy_study import study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inline(monkeypatch):
    """Cells run in this process: quick, where the test is not about processes."""

    def work(tasks, run, *, jobs, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return (workers.perform(task, run) for task in tasks)

    monkeypatch.setattr(runner, "work", work)


def run(toy, results, **options):
    lines = []
    options = {"device": "cpu", "jobs": 1, **options}
    failed = runner.run(toy, results=results, report=lines.append, **options)
    return failed, "\n".join(lines)


def marks(log):
    return sorted(log.read_text().split("\n")[:-1])


# --- running ----------------------------------------------------------------------------------


def test_every_cell_is_recorded_once_in_order_and_not_run_again(tmp_path):
    log = tmp_path / "log"
    toy = study(*({"width": width, "log": str(log)} for width in (3, 1)))
    failed, lines = run(toy, tmp_path, jobs=2)
    assert failed == [] and "[4/4]" in lines
    record = studies.load("toy", results=tmp_path)
    assert [(c["config"]["width"], c["seed"]) for c in record.cells] == [
        (3, 0),
        (3, 1),
        (1, 0),
        (1, 1),
    ]
    assert record.complete and record.promised == 4
    assert record.seconds >= 0 and record.device == "cpu"
    assert record.versions["torch"] == torch.__version__
    assert all(cell["metrics"]["setting"]["threads"] == 1 for cell in record.cells)
    before = (tmp_path / "toy.json").read_bytes()
    assert run(toy, tmp_path)[0] == []
    assert marks(log) == ["1 0", "1 1", "3 0", "3 1"]
    assert (tmp_path / "toy.json").read_bytes() == before


def test_numbers_do_not_depend_on_jobs_or_order(tmp_path):
    random_numbers = []
    for number, (jobs, widths) in enumerate([(1, (1, 2)), (2, (2, 1))]):
        folder = tmp_path / str(number)
        run(study(*({"width": width} for width in widths)), folder, jobs=jobs)
        record = studies.load("toy", results=folder)
        random_numbers.append([record.values("by_length.0", width=width) for width in (1, 2)])
    assert random_numbers[0] == random_numbers[1]


def test_failed_cells_are_named_and_the_others_go_on(tmp_path):
    faults = [{"width": n, "fault": fault} for n, fault in enumerate(["raise", "die", "nan"])]
    toy = study(*faults, {"width": 9}, seeds=(5,))
    failed, lines = run(toy, tmp_path)
    assert sorted(outcome.task.config["fault"] for outcome in failed) == ["die", "nan", "raise"]
    assert 'FAILED toy {"width": 0, "fault": "raise"} seed=5' in lines
    assert "ArithmeticError: the oven is cold" in lines and "toy_study.py" in lines
    assert "killed by signal 9" in lines
    assert "these are not: loss" in lines
    record = studies.load("toy", results=tmp_path)
    assert not record.complete and [c["config"] for c in record.cells] == [{"width": 9}]


def test_change_of_one_configuration_runs_that_one_only(inline, tmp_path):
    log = tmp_path / "log"
    first, second, changed = ({"width": width, "log": str(log)} for width in (1, 2, 3))
    run(study(first, second), tmp_path)
    log.unlink()
    run(study(first, changed), tmp_path)
    assert marks(log) == ["3 0", "3 1"]
    record = studies.load("toy", results=tmp_path)
    assert [config["width"] for config in record.configs] == [1, 3]


def test_fewer_seeds_make_a_partial_record_and_more_complete_it(inline, tmp_path):
    run(study(), tmp_path, seeds=1)
    record = studies.load("toy", results=tmp_path)
    assert not record.complete and record.seeds(width=1) == [0]
    run(study(), tmp_path)
    assert studies.load("toy", results=tmp_path).complete
    run(study(), tmp_path, seeds=1)
    assert studies.load("toy", results=tmp_path).complete  # nothing was thrown away
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


def start(cells, folder):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(cells), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition, process, seconds=300):
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_killed_study_keeps_finished_cells_and_goes_on(tmp_path):
    log, gate = tmp_path / "log", tmp_path / "gate"
    quick = {"width": 1, "log": str(log)}
    stuck = {"width": 2, "log": str(log), "wait_for": str(gate)}
    process = start([quick, stuck], tmp_path)
    path = tmp_path / "toy.json"

    def only_stuck_cells_left():
        return path.exists() and len(json.loads(path.read_text())["cells"]) == 2 and stuck_began()

    def stuck_began():
        return log.read_text().count("2 ") == 2

    until(only_stuck_cells_left, process)
    with pytest.raises(RuntimeError, match="being run by another process"):
        run(study(quick, stuck), tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()  # returns only when the workers, who hold the pipes too, are gone
    assert json.loads(path.read_text())["complete"] is False
    gate.touch()
    time.sleep(0.2)
    assert len(studies.load("toy", results=tmp_path).cells) == 2  # no orphan wrote on
    log.unlink()
    assert run(study(quick, stuck), tmp_path)[0] == []
    assert marks(log) == ["2 0", "2 1"]
    assert studies.load("toy", results=tmp_path).complete


def test_full_disk_leaves_the_former_record(inline, tmp_path, monkeypatch):
    run(study(), tmp_path)
    before = (tmp_path / "toy.json").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the former file stays"):
        run(study({"width": 1}, {"width": 7}), tmp_path)
    assert (tmp_path / "toy.json").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["toy.json"]


def test_damaged_record_is_not_overwritten(tmp_path):
    (tmp_path / "toy.json").write_text('{"study": "toy", "cells": [')
    with pytest.raises(ValueError, match="is no record of a study"):
        run(study(), tmp_path)


def test_artifacts_are_kept_by_real_cells_only(inline, tmp_path):
    kept = tmp_path / "kept"
    toy = study({"width": 2, "save": "toy-weights"}, smoke={"width": 3, "save": "toy-smoke"})
    run(toy, tmp_path, checkpoints=kept)
    assert sorted(file.name for file in kept.iterdir()) == [
        "toy-weights.json",
        "toy-weights.safetensors",
    ]
    model = nn.Linear(2, 2)
    card = artifacts.load("toy-weights", model, folder=kept)
    assert card["name"] == "toy-weights" and card["parameters"] == 6
    with pytest.raises(KeyError, match="there are: toy-weights"):
        artifacts.load("other", model, folder=kept)
    (kept / "toy-weights.safetensors").write_bytes(b"tampered")
    with pytest.raises(ValueError, match="not the file its card describes"):
        artifacts.load("toy-weights", model, folder=kept)


# --- checking ---------------------------------------------------------------------------------


def test_check_finds_a_changed_number_within_tolerance(inline, tmp_path):
    toy = study(smoke={"width": 5}, tolerance=0.01)
    run(toy, tmp_path)
    assert runner.check(toy, results=tmp_path) == []
    path = tmp_path / "toy.json"
    data = json.loads(path.read_text())
    for recorded, wrong in ((5.04, 0), (5.2, 1)):
        data["smoke"]["metrics"]["accuracy"] = recorded
        path.write_text(json.dumps(data))
        found = runner.check(toy, results=tmp_path)
        assert len(found) == wrong
    assert "accuracy was 5.2, is 5 (tolerance 0.01)" in found[0]


def test_check_of_a_timing_study_looks_at_its_form_only(inline, tmp_path):
    toy = study(timing=True)
    run(toy, tmp_path, jobs=2)
    path = tmp_path / "toy.json"
    data = json.loads(path.read_text())
    data["smoke"]["metrics"]["accuracy"] = 99
    path.write_text(json.dumps(data))
    assert runner.check(toy, results=tmp_path) == []
    del data["cells"][0]["metrics"]
    path.write_text(json.dumps(data))
    assert runner.check(toy, results=tmp_path) != []


def test_check_without_a_record_says_how_to_make_one(tmp_path):
    [wrong] = runner.check(study(), results=tmp_path)
    assert "studies run toy" in wrong


def test_differences_name_what_came_and_went():
    found = runner.differences({"a": 1.0, "b": {"c": 2}}, {"a": "x", "b": {"d": 2}}, 0.1)
    assert found == ["a was 1.0, is 'x'", "metric b.c is gone", "metric b.d is new"]


# --- reading ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    toy = study(
        {"width": 1, "order": [1, 2]}, {"width": 2, "order": [1, 2]}, {"width": 2, "order": []}
    )
    run(toy, folder)
    return studies.load("toy", results=folder)


def test_values_and_interval(record):
    assert record.values("accuracy", width=1) == [1.0, 1.1]
    assert record.values("accuracy", width=2, order=()) == [2.0, 2.1]
    assert record.values("by_length.1", width=1) == [0, 1]
    assert record.values("accuracy", width=1, seed=1) == [1.1]
    assert len(record.values("by_length", width=1)[0]) == 2
    interval = record.interval("accuracy", width=1)
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
def test_wrong_selections_say_what_there_is(record, metric, select, error, said):
    with pytest.raises(error, match=said):
        record.values(metric, **select)


def curve(costs, seeds=(0, 1)):
    cells = [
        {
            "config": {"model": "a", "steps": steps},
            "seed": seed,
            "metrics": {"cost": cost, "score": 10.0 * place + seed},
            "seconds": 1.0,
            "environment": 0,
        }
        for place, (steps, cost) in enumerate(costs.items())
        for seed in (seeds if place else (0, 1))
    ]
    top = {"study": "toy", "title": "A toy", "complete": True, "promised": 4, "environments": []}
    return core.Record({**top, "cells": cells, "smoke": None})


def test_a_metric_at_a_cost_is_read_off_the_curve():
    record = curve({100: 1.0, 400: 4.0, 200: 2.0})  # out of order
    at = {"along": "steps", "cost": "cost", "model": "a"}
    assert record.values_at("score", budget=1.0, **at) == ((0, 1), (0.0, 1.0))
    assert record.values_at("score", budget=4.0, **at) == ((0, 1), (10.0, 11.0))
    assert record.values_at("score", budget=2**0.5, **at)[1] == pytest.approx((10.0, 11.0))
    for outside in (0.9, 4.1):
        with pytest.raises(ValueError, match="cost runs from 1 to 4; .* lies outside"):
            record.values_at("score", budget=outside, **at)
    with pytest.raises(LookupError, match="leaves 0 configurations that differ in 'width'"):
        record.values_at("score", along="width", cost="cost", budget=1.0)
    with pytest.raises(LookupError, match="along 'steps' the seeds differ"):
        curve({100: 1.0, 200: 2.0}, seeds=(0,)).values_at("score", budget=1.5, **at)


def test_unknown_names_say_what_there_is(tmp_path):
    (tmp_path / "toy.json").write_text("{}")
    with pytest.raises(KeyError, match="recorded: toy"):
        studies.load("absent", results=tmp_path)
    with pytest.raises(KeyError, match="no study 'absent'"):
        studies.get("absent")


@pytest.mark.parametrize(
    "change",
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
def test_wrong_studies_are_refused(change):
    with pytest.raises(ValueError, match="study"):
        study(**change)


def test_import_is_cheap():
    code = "import sys, course_lib.studies; print('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


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
    monkeypatch.setattr(core, "RESULTS", tmp_path)
    for function in (core.load, runner.run, runner.check):
        monkeypatch.setitem(function.__kwdefaults__, "results", tmp_path)
    return tmp_path


def test_command_line_runs_lists_and_checks(shelf, capsys):
    assert command_line.main(["run", "fine", "--seeds", "1", "--device", "cpu"]) == 0
    assert command_line.main(["list"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:3] for row in rows[-2:]] == [
        ["broken", "00", "0/4"],
        ["fine", "00", "2/4"],
    ]
    assert command_line.main(["list", "--names"]) == 0
    assert capsys.readouterr().out == "broken\nfine\n"
    assert command_line.main(["check", "fine"]) == 0
    assert command_line.main(["check"]) == 1
    assert "studies run broken" in capsys.readouterr().out


def test_command_line_fails_when_a_cell_fails(shelf, capsys):
    assert command_line.main(["run", "broken", "--device", "cpu"]) == 1
    assert "2 cells failed" in capsys.readouterr().err
    assert command_line.main(["run", "fine", "--device", "abacus"]) == 1
    assert "device 'abacus'; this machine has: cpu" in capsys.readouterr().err


def test_command_line_refuses_unknown_studies(capsys):
    assert command_line.main(["run", "absent"]) == 2
    assert "no study 'absent'" in capsys.readouterr().err


# --- what is committed ------------------------------------------------------------------------


@pytest.mark.parametrize("name", studies.names())
def test_study_is_sound(name):
    there = studies.get(name)
    assert there.title and there.chapter.isdigit() and len(there.chapter) == 2
    assert len(there.seeds) >= 3
    assert there.run.__module__.startswith("course_lib.studies.")


@pytest.mark.parametrize("path", sorted(core.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_record_keeps_what_its_study_promises(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem in studies.names(), "a record without a study"
    assert store.problems(data, studies.get(path.stem)) == []


@pytest.mark.parametrize("path", sorted(core.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_record_names_nobodys_machine(path):
    text = path.read_text(encoding="utf-8")
    fields = {"device", "versions", "system", "processor", "cores", "threads"}
    assert all(set(place) == fields for place in json.loads(text)["environments"])
    assert not re.search(r"/(home|root|Users|tmp|work)/", text)


def test_a_record_that_breaks_its_promise_is_noticed(inline, tmp_path):
    toy = study()
    run(toy, tmp_path)
    data = json.loads((tmp_path / "toy.json").read_text())
    assert store.problems(data, toy) == []
    lost = {**data, "cells": data["cells"][:-1]}
    assert "1 of 4 are missing" in store.problems(lost, toy)[0]
    assert store.problems({**lost, "complete": False}, toy) == []
    assert store.problems({**data, "cells": data["cells"][::-1]}, toy) != []
    assert store.problems({**data, "smoke": None}, toy) != []
    assert store.problems(data, study(seeds=(0, 2))) != []
