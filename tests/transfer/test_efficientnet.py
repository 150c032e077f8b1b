"""EfficientNet-Lite0 gives the reference's logits, and takes no file that is not whole."""

import pytest
import torch

from course_lib.transfer import efficientnet
from course_lib.transfer.efficientnet import EfficientNetBody
from tests.fetched import fetched


@pytest.fixture(scope="module")
def path():
    return fetched("imagenet") / efficientnet.WEIGHTS


@pytest.fixture(scope="module")
def model(path):
    return efficientnet.load(path)


@pytest.mark.parametrize("side", [224, 96, 75])  # 75: odd at every stage, zeros on both sides
def test_logits_are_those_of_the_reference(model, path, side):
    reference = pytest.importorskip("efficientnet_lite_pytorch", reason="a package for tests only")
    theirs = reference.EfficientNet.from_name("efficientnet-lite0", image_size=side).eval()
    theirs.load_state_dict(torch.load(path, weights_only=True))
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
    with torch.no_grad():
        torch.testing.assert_close(model(images), theirs(images), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "before", "after"),
    [(6, 3, 2, 0, 1), (7, 3, 2, 1, 1), (6, 5, 2, 1, 2), (5, 5, 1, 2, 2), (4, 1, 2, 0, 0)],
)
def test_same_padding_puts_the_odd_row_last(side, kernel, stride, before, after):
    layer = efficientnet.SamePadded(1, 1, kernel, stride, bias=False)
    image = torch.randn(1, 1, side, side)
    padded = torch.nn.functional.pad(image, (before, after, before, after))
    expected = torch.nn.functional.conv2d(padded, layer.weight, stride=stride)
    torch.testing.assert_close(layer(image), expected)
    assert expected.shape[-1] == -(-side // stride)


def test_sizes(model):
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    maps = model.body.maps(torch.zeros(1, 3, 96, 96))
    shapes = {name: tuple(tensor.shape[1:3]) for name, tensor in maps.items()}
    assert list(shapes.values()) == [
        *((32, 48), (16, 48), (24, 24), (40, 12), (80, 6), (112, 6), (192, 3), (320, 3)),
        (1280, 3),
    ]
    assert list(shapes) == ["stem", *(f"stage{n}" for n in range(1, 8)), "last"]


def test_the_order_in_memory_is_the_fast_one_and_changes_no_number():
    body = EfficientNetBody(depth=3).eval()
    x = images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for (name, part), found in zip(
            body.named_children(), body.maps(images).values(), strict=True
        ):
            x = part(x)  # channel by channel in memory, as the images came
            assert found.is_contiguous(memory_format=torch.channels_last), name
            torch.testing.assert_close(found, x, atol=1e-5, rtol=1e-4)


def test_the_first_stages_are_a_body_of_their_own(model):
    cut = EfficientNetBody(depth=6).eval()
    state = model.body.state_dict()
    cut.load_state_dict({name: state[name] for name in cut.state_dict()})
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.body.maps(images)["stage6"].mean(dim=(2, 3))
        assert torch.equal(cut(images), expected) and expected.shape[1] == cut.width == 192


def test_black_and_white_are_what_the_weights_were_trained_with():
    ends = efficientnet.normalize(torch.tensor([0.0, 127 / 255, 1.0]))
    torch.testing.assert_close(ends, torch.tensor([-127 / 128, 0.0, 1.0]))


def damaged(path, folder, how):
    """A copy of the weights with a fault."""
    where, whole = folder / "weights.pth", path.read_bytes()
    if how in ("truncated", "empty", "no weights"):
        kept = {"truncated": whole[: len(whole) // 2], "empty": b"", "no weights": b"PK" * 500}
        where.write_bytes(kept[how])
        return where
    tensors = torch.load(path, weights_only=True)
    if how == "one missing":
        tensors.popitem()
    if how == "one too many":
        tensors["more"] = torch.zeros(1)
    if how == "other order":
        tensors.move_to_end("_conv_stem.weight")
    if how == "not a number":
        tensors["_fc.bias"][3] = float("nan")
    torch.save([1, 2] if how == "a list" else tensors, where)
    return where


@pytest.mark.parametrize(
    "how",
    [
        *("truncated", "empty", "no weights", "a list"),
        *("one missing", "one too many", "other order", "not a number"),
    ],
)
def test_a_damaged_file_is_refused(path, tmp_path, how):
    where = damaged(path, tmp_path, how)
    with pytest.raises(ValueError, match=r"weights\.pth"):
        efficientnet.load(where)
