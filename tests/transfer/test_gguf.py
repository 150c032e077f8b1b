"""Our reader of GGUF files against the `gguf` package, which writes them."""

import gguf as reference
import numpy as np
import pytest
import torch

from course_lib.transfer import gguf

KINDS = [
    reference.GGMLQuantizationType.F32,
    reference.GGMLQuantizationType.Q4_1,
    reference.GGMLQuantizationType.Q8_0,
]
WORDS = ["the", "Ġcat", "고양이"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    writer = reference.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 30)
    writer.add_float32("llama.rope.freq_base", 100_000.0)
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    writer.add_token_list(WORDS)
    writer.add_token_types([3, 1, 1])
    numbers = np.random.default_rng(0).standard_normal((6, 64), dtype=np.float32)
    for kind in KINDS:
        packed = reference.quantize(numbers, kind)
        writer.add_tensor(kind.name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, numbers


def test_values_and_weights_are_those_of_the_package(written):
    path, _ = written
    ours, theirs = gguf.read(path), reference.GGUFReader(path)
    fields = {name: field.contents() for name, field in theirs.fields.items()}
    assert ours.values == {name: v for name, v in fields.items() if not name.startswith("GGUF.")}
    assert ours.values["tokenizer.ggml.tokens"] == WORDS
    assert [tensor.name for tensor in theirs.tensors] == list(ours.tensors)
    for tensor in theirs.tensors:
        expected = reference.dequantize(tensor.data, tensor.tensor_type)
        assert torch.equal(ours.tensors[tensor.name], torch.from_numpy(expected.copy()))


def test_fewer_bits_are_coarser(written):
    path, numbers = written
    tensors = gguf.read(path).tensors
    error = {k.name: (tensors[k.name] - torch.from_numpy(numbers)).abs().max() for k in KINDS}
    assert error["F32"] == 0 < error["Q8_0"] < 0.02 < error["Q4_1"] < 0.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"PK\x03\x04" + data[4:], "is no GGUF file"),
        (lambda data: data[:40], "damaged or cut short"),
        (lambda data: data[:-20], "Q8_0 ends too early"),
        (lambda data: data.replace(b"Q8_0", b"Q\xff_0"), "damaged or cut short"),
    ],
)
def test_a_damaged_file_is_refused(written, tmp_path, change, message):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(change(written[0].read_bytes()))
    with pytest.raises(ValueError, match=message):
        gguf.read(damaged)


def test_an_unknown_kind_of_weights_is_named(tmp_path):
    path = tmp_path / "half.gguf"
    writer = reference.GGUFWriter(path, "llama")
    writer.add_tensor("half", np.zeros((2, 2), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="weights of type 1,"):
        gguf.read(path)
