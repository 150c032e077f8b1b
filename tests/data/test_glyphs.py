"""The source domain of chapter 08 is the same for everybody; the target is split by writer."""

import pytest
import torch

from course_lib.data import digits, glyphs
from course_lib.data.images import Images, ImageSampler


def test_glyphs_follow_from_the_seed_and_are_like_the_handwritten_digits():
    images, again, other = (glyphs.render("abλ≠7", 6, seed) for seed in (1, 1, 2))
    assert torch.equal(images.pixels, again.pixels) and torch.equal(images.labels, again.labels)
    assert not torch.equal(images.pixels, other.pixels)
    assert images.pixels.shape == (30, 1, 8, 8) and images.pixels.dtype == torch.float32
    assert torch.bincount(images.labels).tolist() == [6] * 5
    assert images.labels.tolist() != sorted(images.labels.tolist())  # shuffled
    sixteenths = images.pixels * 16  # counts of 16 fine pixels
    assert torch.equal(sixteenths, sixteenths.round())
    assert images.pixels.min() == 0 and images.pixels.max() == 1


def test_every_class_of_the_studies_is_in_several_fonts_and_has_ink():
    everything = glyphs.LETTERS + glyphs.DIGITS + glyphs.SYMBOLS
    assert len(set(everything)) == len(everything)  # so no letter is a digit
    for character in everything:
        drawn = glyphs.bitmaps(character)
        assert drawn.shape[0] >= 4 and drawn.shape[1:] == (32, 32)
        assert (drawn.amax(dim=(1, 2)) > 0.5).all(), character


def test_labels_name_the_characters_and_strength_zero_leaves_the_fonts():
    plain = glyphs.render("lo", 40, 0, strength=0)
    thin, wide = (plain.pixels[plain.labels == label] for label in (0, 1))
    assert thin.mean(dim=(1, 2, 3)).max() < wide.mean(dim=(1, 2, 3)).min()
    bent = glyphs.render("o", 40, 0)
    few, many = (len(torch.unique(pixels, dim=0)) for pixels in (wide, bent.pixels))
    assert few <= len(glyphs.bitmaps("o")) < many


def test_count_down_counts_ink():
    fine = torch.zeros(1, 32, 32)
    fine[0, :4, :2] = 1  # half of the first block
    assert glyphs.count_down(fine)[0, 0, 0, 0] == glyphs.count_down(fine).sum() == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: glyphs.render("aa", 1, 0), "none twice"),
        (lambda: glyphs.bitmaps("한"), "4 are needed"),
        (lambda: digits.few(65, 0), "expected at most 64"),
        (lambda: ImageSampler(glyphs.render("a", 1, 0), 0, 0), "expected 1 each"),
    ],
)
def test_what_cannot_be_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_parts_hold_all_digits_once_and_are_cut_between_writers():
    parts = [digits.load(part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [646, 269, 882] and digits.RUNS[-1] == 1797
    pixels = torch.cat([part.pixels for part in parts]).flatten(1)
    assert len(torch.unique(pixels, dim=0)) == 1797  # so no image is on two sides
    assert {646, 646 + 269} <= set(digits.RUNS)
    labels = torch.cat([part.labels for part in parts])
    begins = [run for run in digits.RUNS[:-1] if labels[run : run + 10].tolist() == [*range(10)]]
    assert len(begins) >= 12  # the first ten labels of a run show where it begins
    counts = torch.bincount(parts[2].labels)  # nearly balanced
    assert counts.min() >= 80 and counts.max() <= 92


def test_few_is_balanced_nested_and_from_the_pool():
    small, large = digits.few(3, seed=4), digits.few(10, seed=4)
    assert torch.bincount(small.labels).tolist() == [3] * 10
    drawn, more, pool = (
        {tuple(image) for image in part.pixels.flatten(1).tolist()}
        for part in (small, large, digits.load("train"))
    )
    assert drawn < more <= pool
    assert not torch.equal(small.pixels, digits.few(3, seed=5).pixels)


def test_sampler_shows_every_image_once_a_pass_and_knows_its_steps():
    images = Images(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    sampler = ImageSampler(images, 5, seed=0)
    first, second = (
        torch.cat([sampler.batch(step).labels, sampler.batch(step + 1).labels]) for step in (0, 2)
    )
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(10))
    assert not torch.equal(first, second)
    assert torch.equal(sampler.batch(3).labels, ImageSampler(images, 5, seed=0).batch(3).labels)
    assert torch.equal(sampler.batch(1).pixels.flatten().long(), sampler.batch(1).labels)
    assert ImageSampler(images, 64, 0).batch(0).labels.shape == (10,)
