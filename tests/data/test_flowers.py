"""The online path on a small local stand-in: a folder of pictures, and torchvision faked."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data import flowers


def picture(color, shape=(40, 60)):
    pixels = np.zeros((*shape, 3), dtype=np.uint8)
    pixels[...] = color
    return pixels


@pytest.fixture
def garden(tmp_path):
    for name, color in (("rose", (200, 10, 30)), ("iris", (30, 20, 190))):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(picture(color)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_folder_gives_pictures_and_names(garden):
    images, names = flowers.folder(garden, side=32)
    assert names == ["iris", "rose"] and images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.pixels.shape == (6, 3, 32, 32)
    red = images.pixels[images.labels == 1][:, 0].mean().item()
    assert red == pytest.approx((200 / 255 - 0.485) / 0.229, abs=1e-4)


def test_prepare_takes_the_middle_square():
    wide = picture((0, 0, 0), (10, 30))
    wide[:, 10:20] = 255
    middle = flowers.prepare(wide, side=10)
    white = (1 - torch.tensor(flowers.MEAN)) / torch.tensor(flowers.SPREAD)
    torch.testing.assert_close(middle, white.view(3, 1, 1).expand(3, 10, 10))


def test_load_and_weights_ask_torchvision(monkeypatch, tmp_path):
    asked = {}

    def flowers102(root, split, download):
        asked.update(root=root, split=split, download=download)
        return [(Image.fromarray(picture((9, 9, 9))), 101)] * 2

    weights = SimpleNamespace(get_state_dict=lambda progress: {"conv1.weight": torch.zeros(1)})
    fake = SimpleNamespace(
        datasets=SimpleNamespace(Flowers102=flowers102),
        models=SimpleNamespace(ResNet18_Weights=SimpleNamespace(IMAGENET1K_V1=weights)),
    )
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    images = flowers.load("val", tmp_path, side=16)
    assert asked == {"root": str(tmp_path), "split": "val", "download": True}
    assert images.pixels.shape == (2, 3, 16, 16) and images.labels.tolist() == [101, 101]
    assert list(flowers.resnet18_weights()) == ["conv1.weight"]


def test_mistakes_are_said(monkeypatch, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(FileNotFoundError, match="a folder for each class"):
            flowers.folder(path)
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        flowers.prepare(np.zeros((4, 4), dtype=np.uint8))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match="pip install torchvision"):
        flowers.resnet18_weights()
