"""OpenMoji's pictures: each in one class, each in one part, drawn whole at any size."""

import pytest
import torch

from course_lib.data import pictures
from tests.fetched import fetched

ALL = "".join(pictures.CLASSES.values())


@pytest.fixture(scope="module", autouse=True)
def font():
    fetched("pictures")


def test_no_picture_is_in_two_parts_and_none_is_lost():
    parts = {part: "".join(pictures.split(part).values()) for part in pictures.PARTS}
    assert sorted("".join(parts.values())) == sorted(ALL)
    assert len(set(ALL)) == len(ALL) and len(pictures.CLASSES) == 11
    for part in pictures.PARTS:
        for name, some in pictures.split(part).items():
            assert set(some) <= set(pictures.CLASSES[name])
    assert all(len(some) >= pictures.MOST_LABELS for some in pictures.split("train").values())
    assert all(len(some) >= 3 for some in pictures.split("validation").values())
    assert all(len(some) >= 5 for some in pictures.split("test").values())


def test_each_picture_is_in_the_font_and_none_looks_like_another():
    drawn = torch.stack([pictures.draw(picture, 48) for picture in ALL]).flatten(1)
    assert len(drawn.unique(dim=0)) == len(ALL)  # a missing glyph would be the same box
    assert ((drawn < 0.9).float().mean(1) > 0.02).all()


@pytest.mark.parametrize("side", [32, 96])
def test_a_picture_is_whole_and_large(side):
    for picture in "🐘🌻🔧🚂":
        ink = (pictures.draw(picture, side).amin(0) < 0.8).nonzero()
        low, high = ink.min(0).values, ink.max(0).values
        assert (low > 0).all() and (high < side - 1).all()
        assert (high - low).max() > 0.6 * side
        center = (low + high) / 2
        assert (center - (side - 1) / 2).abs().max() <= 0.05 * side


def test_labels_follow_the_classes():
    images = pictures.load("test", 32)
    counts = torch.bincount(images.labels).tolist()
    assert counts == [len(some) for some in pictures.split("test").values()]
    birds = images.pixels[images.labels == pictures.NAMES.index("birds")]
    assert torch.equal(birds[0], pictures.draw(pictures.split("test")["birds"][0], 32))
    assert images.pixels.shape[1:] == (3, 32, 32)
    assert 0 <= images.pixels.min() and images.pixels.max() == 1


def test_a_draw_has_so_many_of_each_class_and_grows():
    labels = pictures.load("train", 16).labels
    for count in (1, 3, 10):
        places = pictures.few_places(count, 4)
        assert torch.bincount(labels[places]).tolist() == [count] * 11
        assert len(places.unique()) == len(places)
        assert set(places.tolist()) <= set(pictures.few_places(10, 4).tolist())
    assert not torch.equal(pictures.few_places(3, 4), pictures.few_places(3, 5))


def test_what_there_is_not():
    with pytest.raises(ValueError, match="part is 'all'"):
        pictures.load("all")
    for count in (0, 11):
        with pytest.raises(ValueError, match="expected 1 to 10"):
            pictures.few_places(count, 0)
