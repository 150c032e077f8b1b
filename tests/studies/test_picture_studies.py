"""Pictures and digits by frozen and tuned bodies: what is chosen on what, and what stays still."""

from functools import cache

import pytest
import torch

from course_lib import studies
from course_lib.data import pictures
from course_lib.studies.ch08 import frozen, picture_transfer, picture_tuning
from course_lib.support.modes import evaluating
from tests.fetched import fetched


@pytest.fixture(scope="module", autouse=True)
def cached():
    for name in ("imagenet", "pictures"):
        fetched(name)


def test_settings_are_searched_with_equal_effort():
    for on in frozen.LABELS:
        for way in picture_transfer.WAYS:
            tried = picture_transfer.settings(way, on)
            assert len(tried) == 6 or (way, on) == ("neighbor", "digits")
    for name in ("gentle", "cut", "low", "head"):
        assert len(picture_tuning.ALL[name].settings()) == 6
    assert all(len(way.settings()) <= 6 for way in picture_tuning.ALL.values())
    assert picture_transfer.SEARCH_SEED not in (
        *picture_transfer.STUDY.seeds,
        *picture_tuning.STUDY.seeds,
    )


def test_the_best_has_the_highest_accuracy_and_then_the_smallest_loss():
    tried = [
        {"accuracy": 0.5, "loss": 1.0},
        {"accuracy": 0.6, "loss": 2.0},
        {"accuracy": 0.6, "loss": 1.5},
    ]
    assert picture_transfer.choose(tried) == 2


@pytest.mark.parametrize("name", ["picture_transfer", "picture_tuning"])
def test_recorded_settings_are_those_that_the_search_chose(name):
    best = cache(picture_transfer.best)  # reads the record; all seeds ask the same
    for cell in studies.load(name).cells:
        config, used = cell["config"], cell["metrics"]["setting"]
        if name == "picture_tuning":
            assert used == picture_tuning.best(config["way"], config["labels"])
        else:
            for layer, by_labels in used.items():
                for labels, setting in by_labels.items():
                    assert setting == best(config["way"], config["on"], int(labels), layer)


def test_tuning_moves_what_has_a_rate_and_nothing_else():
    published = picture_tuning._published()

    def moved(name, setting):
        model = picture_tuning.learn(picture_tuning.ALL[name], setting, labels=1, seed=0)
        state = model.body.state_dict()
        return {key for key, tensor in state.items() if not torch.equal(tensor, published[key])}

    short = {"body": 1e-3, "head": 1e-2, "steps": 2}
    assert moved("cut head", short | {"body": 0.0}) == set()
    gentle = moved("cut", short)
    assert gentle and not any("running" in key for key in gentle)  # statistics are held
    assert any("running" in key for key in moved("cut moving", short))


def test_rates_fall_from_layer_to_layer(monkeypatch):
    seen = {}

    class Stop(Exception):
        pass

    def tuner(model, groups, rates):
        seen.update(rates)
        raise Stop

    monkeypatch.setattr(picture_tuning.freezing, "tuner", tuner)
    setting = {"body": 1e-3, "head": 3e-3, "steps": 2}
    with pytest.raises(Stop):
        picture_tuning.learn(picture_tuning.ALL["cut layered"], setting, labels=1, seed=0)
    assert seen["head"] == 3e-3 and seen["stage6"] == 1e-3
    assert seen["stem"] == pytest.approx(1e-3 / 2.6**6)


def test_a_fitted_head_starts_as_logistic_regression_on_the_frozen_body():
    way = picture_tuning.ALL["cut fitted"]
    few = picture_tuning.draw(way.side, 3, 0)
    model = picture_tuning.start(way, few, 0)
    with evaluating(model):
        assert (model(few.pixels).argmax(1) == few.labels).float().mean() > 0.9


def test_pictures_of_validation_and_test_are_never_labeled():
    names = {part: set("".join(pictures.split(part).values())) for part in pictures.PARTS}
    assert not names["train"] & (names["validation"] | names["test"])
    few = picture_tuning.draw(48, 10, 3)
    assert len(few) == 110
