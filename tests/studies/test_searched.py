"""Settings are read from what a search has recorded."""

import pytest

from course_lib import studies
from course_lib.studies.ch01 import copy_memory
from course_lib.studies.engine import record
from course_lib.studies.engine.core import Study
from course_lib.studies.engine.searched import best_setting


def run(config, seed):
    return {"score": {(1, 0): 0.5, (1, 1): 0.7, (2, 0): 0.9, (2, 1): 0.2}[config["rate"], seed]}


def study(rates=(1, 2), seeds=(0, 1)):
    cells = [{"way": way, "rate": rate} for way in ("a", "b") for rate in rates]
    return Study("tried", "01", "Tried", cells, seeds, run, smoke=cells[0])


@pytest.fixture
def recorded(monkeypatch):
    cells = [
        {"config": config, "seed": seed, "metrics": run(config, seed)}
        for config in study().cells
        for seed in (0, 1)
    ]
    found = record.Record("tried", "01", "Tried", True, 8, [], None, cells)
    monkeypatch.setattr(record, "load", lambda name: found)


def score(metrics):
    return metrics["score"]


def test_the_best_mean_over_seeds_wins(recorded):
    assert best_setting(study(), score, way="a") == {"rate": 1}


def test_of_equals_the_first_wins(recorded):
    assert best_setting(study(), lambda metrics: 0.0, way="b") == {"rate": 1}


@pytest.mark.parametrize(
    ("tried", "cell", "said"),
    [
        (study(rates=(1, 2, 3)), {"way": "a"}, "4 of 6"),
        (study(seeds=(0, 1, 2)), {"way": "a"}, "4 of 6"),
        (study(), {"way": "c"}, "0 of 0"),
    ],
)
def test_a_search_that_is_not_complete_says_so(recorded, tried, cell, said):
    with pytest.raises(ValueError, match=rf"tried has {said} runs of .*; run it"):
        best_setting(tried, score, **cell)


def test_the_recorded_rates_of_chapter_1_are_those_of_its_search():
    for config in studies.load("copy_memory").configs:
        rate = best_setting(copy_memory.SEARCH, copy_memory.mean_accuracy, **config)["lr"]
        assert {rate} == set(studies.load("copy_memory").values("lr", **config))
