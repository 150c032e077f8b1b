"""Weights for the pages: all of them, unchanged, and none that do not belong together."""

import base64
import json
import re
import zlib

import numpy as np
import pytest
from safetensors.numpy import load_file

from course_lib.gpt.quantized import quantized
from course_lib.studies.ch07 import page_translators
from course_lib.studies.ch10 import gpt_models
from tools import live
from tools.build import pages_key


def parts(script: str) -> tuple[str, dict, bytes]:
    """What a script calls `AM.weights` with."""
    name, header, text = re.fullmatch(r'AM\.weights\("(\w+)", (.*), "(.*)"\);\n', script).groups()
    return name, json.loads(header), base64.b64decode(text)


def test_the_names_are_those_of_the_study():
    names = {
        language: {model: kept.name for model, kept in models.items()}
        for language, models in page_translators.KEPT.items()
    }
    assert names == live.LAB


@pytest.mark.parametrize("language", live.LAB)
def test_every_weight_arrives_as_it_was_kept(language):
    name, header, data = parts(live.lab_script(language))
    assert name == f"lab_{language}"
    assert (header["bytes"], header["check"]) == (len(data), zlib.adler32(data))
    kept = {
        f"{model}.{key}": tensor
        for model, file in live.LAB[language].items()
        for key, tensor in load_file(live.CHECKPOINTS / f"{file}.safetensors").items()
    }
    assert header["tensors"].keys() == kept.keys()
    for key, place in header["tensors"].items():
        found = np.frombuffer(data, "<f2", kept[key].size, place["at"]).reshape(place["shape"])
        assert np.array_equal(found, kept[key])
    assert len(header["source"]) == kept["fixed.encoder.embedding.weight"].shape[0]
    assert len(header["target"]) == kept["fixed.decoder.output.weight"].shape[0]
    assert header["models"]["transformer"]["heads"] == 4
    assert {model["steps"] for model in header["models"].values()} == {page_translators.STEPS}


def test_the_gpt_arrives_with_its_matrices_in_8_bits_and_its_subwords():
    name, header, data = parts(live.gpt_script())
    model, tokens, _ = gpt_models.load_kept()
    wanted = quantized(model).body.state_dict()
    assert name == live.GPT and header["tensors"].keys() == wanted.keys()
    for key, place in header["tensors"].items():
        at, (rows, *columns) = place["at"], place["shape"]
        if place["type"] == "f16":
            found = np.frombuffer(data, "<f2", rows, at).astype("f4")
        else:
            scales = np.frombuffer(data, "<f4", rows, at)[:, None]
            whole = np.frombuffer(data, "i1", rows * columns[0], at + 4 * rows)
            found = scales * whole.reshape(rows, -1)
        assert np.array_equal(found, wanted[key].numpy()), key
    assert header["sizes"] == {"width": 192, "heads": 6, "layers": 6, "context": 128}
    assert header["alphabet"] == list(tokens.alphabet)
    assert [tuple(pair.split()) for pair in header["merges"]] == list(tokens.merges)
    assert len(data) < 4e6


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="first is float32"):
        live.weights_script("made", {"first": np.zeros(3, "f4")})
    with pytest.raises(TypeError, match="first is uint8"):
        live.weights_script("made", {"first": (np.zeros((3, 2), "u1"), np.ones(3, "f4"))})


def test_what_does_not_belong_together_is_refused(tmp_path, monkeypatch):
    for path in live.sources():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(live, "CHECKPOINTS", tmp_path)
    vocabulary = tmp_path / "fixed_lab_korean.target.json"
    swapped = json.loads(vocabulary.read_text("utf8"))
    swapped["tokens"][10:12] = reversed(swapped["tokens"][10:12])
    vocabulary.write_text(json.dumps(swapped), "utf8")
    with pytest.raises(ValueError, match="into korean have different vocabularies"):
        live.lab_script("korean")
    weights = tmp_path / "transformer_lab.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + b"xx")
    with pytest.raises(ValueError, match=r"transformer_lab\.safetensors is not the file"):
        live.lab_script("french")


def test_another_checkpoint_builds_the_pages_anew(monkeypatch):
    names = {path.name for path in live.sources()}
    assert {"transformer_lab.safetensors", "fixed_lab_korean.target.json"} <= names
    before, fewer = pages_key(), live.sources()[1:]
    monkeypatch.setattr(live, "sources", lambda: fewer)
    assert pages_key() != before
