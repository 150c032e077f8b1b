"""Weights come back as they were, and only from a file that holds them."""

import pytest
import safetensors.torch
import torch
from torch import nn

from course_lib.training.checkpoint import load_weights, save_weights
from tests.training.models import same, tagger


def test_weights_come_back_and_tied_ones_are_stored_once(tmp_path):
    path = tmp_path / "weights.safetensors"
    model, other = tagger(0), tagger(1)
    save_weights(model, path)
    stored = safetensors.torch.load_file(path)
    assert "embedding.weight" in stored and "output.weight" not in stored
    load_weights(other, path)
    assert same(model, other)


def test_what_does_not_fit_is_listed_and_nothing_is_copied(tmp_path):
    path = tmp_path / "weights.safetensors"
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stored = {
        "0.weight": torch.zeros(2, 5),
        "scale": torch.ones(2),
        "1.weight": torch.ones(2, 2),
        "1.bias": torch.tensor([1.0, torch.nan]),
    }
    safetensors.torch.save_file(stored, path)
    with pytest.raises(ValueError) as caught:
        load_weights(model, path)
    message = str(caught.value)
    assert f"{path} does not fit this Sequential; missing: 0.bias; extra: scale" in message
    assert "other shape: 0.weight (2, 5) (the model has (2, 3)); not finite: 1.bias" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("harm", ["cut", "pickle", "empty"])
def test_a_damaged_file_is_named_and_a_pickle_is_never_read(tmp_path, harm):
    path = tmp_path / "weights.safetensors"
    save_weights(tagger(), path)
    if harm == "pickle":
        torch.save(tagger().state_dict(), path)
    else:
        path.write_bytes(path.read_bytes()[:-40] if harm == "cut" else b"")
    with pytest.raises(ValueError, match="weights.safetensors is no whole safetensors file"):
        load_weights(tagger(), path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_weights(tagger(), tmp_path / "absent.safetensors")


def test_two_names_of_one_tensor_must_agree(tmp_path):
    path = tmp_path / "weights.safetensors"
    tensors = {name: tensor.clone() for name, tensor in tagger().state_dict().items()}
    safetensors.torch.save_file(tensors, path)
    load_weights(tagger(1), path)
    tensors["output.weight"] += 1
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(ValueError, match=r"unequal.*: embedding.weight and output.weight"):
        load_weights(tagger(1), path)
