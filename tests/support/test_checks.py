"""Checks that models share."""

from types import SimpleNamespace

import pytest
import torch

from course_lib.support.checks import check_ids, check_pairs, check_sizes, source_lengths


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[0, 5]], None),
        ([[0, 6]], "tokens contains id 6; the model knows ids 0 to 5"),
        ([[3, -1]], "tokens contains id -1; the model knows"),
        ([0, 5], "torch.long ids, got shape"),
        ([[]], "torch.long ids, got shape"),
        ([[0.5]], "torch.long ids, got shape"),
    ],
)
def test_ids(ids, message):
    if message is None:
        check_ids(torch.tensor(ids), 6, "tokens")
    else:
        with pytest.raises(ValueError, match=message):
            check_ids(torch.tensor(ids), 6, "tokens")


def test_a_compiled_model_does_not_stop_to_look_at_the_ids(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    check_ids(torch.tensor([[9]]), 6, "tokens")
    with pytest.raises(ValueError, match="torch.long"):
        check_ids(torch.tensor([9]), 6, "tokens")


def test_pairs_and_lengths():
    check_pairs(torch.ones(3, 5), torch.ones(3, 2))
    with pytest.raises(ValueError, match="3 sentences, target_in has 2"):
        check_pairs(torch.ones(3, 5), torch.ones(2, 5))
    assert source_lengths(torch.tensor([[5, 6, 0], [7, 0, 0], [1, 2, 3]])).tolist() == [2, 1, 3]
    assert source_lengths(torch.tensor([[0, 9]]), pad=9).tolist() == [1]
    with pytest.raises(ValueError, match="row 1 is an empty sentence"):
        source_lengths(torch.tensor([[5, 6], [0, 0], [0, 0]]))
    with pytest.raises(ValueError, match="row 1 has a token after padding.*id 0 only"):
        source_lengths(torch.tensor([[5, 6], [0, 6], [0, 6]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"width": 0}, "width must be a positive whole number, got 0"),
        ({"width": 2.0}, "width must be a positive whole number, got 2.0"),
        ({"heads": 3}, "heads=3 must divide width=4"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": -0.1}, "dropout must be"),
        ({"norm": "mid"}, "norm must be one of pre, post, got 'mid'"),
    ],
)
def test_sizes(changes, message):
    config = SimpleNamespace(**({"width": 4, "heads": 4, "dropout": 0.0, "norm": "post"} | changes))

    def check():
        check_sizes(config, ("width", "heads"), norm=("pre", "post"))

    if message is None:
        check()
        check_sizes(SimpleNamespace(width=1), ("width",), ())
    else:
        with pytest.raises(ValueError, match=message):
            check()
