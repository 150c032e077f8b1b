"""The source domain of chapter 08 is the same for everybody; the target is split by writer."""

import pytest
import torch

from course_lib.data import digits, glyphs
from course_lib.data.images import Images, ImageSampler

SOME = "abλ≠7"


def test_glyphs_follow_from_the_seed():
    one, again, other = (glyphs.render(SOME, 6, seed) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, again.pixels) and torch.equal(one.labels, again.labels)
    assert not torch.equal(one.pixels, other.pixels)


def test_shapes_range_and_balance():
    images = glyphs.render(SOME, 6, 0)
    assert images.pixels.shape == (30, 1, 8, 8) and images.pixels.dtype == torch.float32
    assert images.labels.dtype == torch.long
    assert torch.bincount(images.labels).tolist() == [6] * 5
    assert images.labels.tolist() != sorted(images.labels.tolist())  # shuffled
    sixteenths = images.pixels * 16  # as the handwritten digits: counts of 16 fine pixels
    assert torch.equal(sixteenths, sixteenths.round())
    assert images.pixels.min() == 0 and images.pixels.max() == 1


def test_every_class_of_the_studies_is_in_several_fonts_and_has_ink():
    for characters in (glyphs.LETTERS, glyphs.DIGITS, glyphs.SYMBOLS):
        assert len(set(characters)) == len(characters)
        for character in characters:
            drawn = glyphs.bitmaps(character)
            assert drawn.shape[0] >= 4 and drawn.shape[1:] == (32, 32)
            assert (drawn.amax(dim=(1, 2)) > 0.5).all(), character


def test_letters_are_no_digits():
    assert not set(glyphs.LETTERS) & set(glyphs.DIGITS)


def test_labels_name_the_characters():
    plain = glyphs.render("lo", 4, 0, strength=0)
    ink = plain.pixels.mean(dim=(1, 2, 3))
    assert ink[plain.labels == 0].max() < ink[plain.labels == 1].min()  # an l is thinner than an o


def test_strength_zero_leaves_the_fonts_and_one_deforms():
    plain, bent = (glyphs.render("o", 40, 0, strength=s) for s in (0, 1))
    few = len(torch.unique(plain.pixels, dim=0))
    assert few <= len(glyphs.bitmaps("o")) < len(torch.unique(bent.pixels, dim=0))


def test_count_down_counts_ink():
    fine = torch.zeros(1, 32, 32)
    fine[0, :4, :2] = 1  # half of the first block
    assert glyphs.count_down(fine)[0, 0, 0, 0] == 0.5
    assert glyphs.count_down(fine).sum() == 0.5


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


def test_parts_hold_all_digits_once_and_no_writer_twice():
    sizes = {part: len(digits.load(part)) for part in ("train", "validation", "test")}
    assert sizes == {"train": 646, "validation": 269, "test": 882}
    assert sum(sizes.values()) == digits.RUNS[-1] == 1797
    pixels = torch.cat([digits.load(part).pixels for part in sizes]).flatten(1)
    assert len(torch.unique(pixels, dim=0)) == 1797  # so no image is on two sides
    cuts = (0, sizes["train"], sizes["train"] + sizes["validation"], 1797)
    assert set(cuts) <= set(digits.RUNS)


def test_each_run_of_a_writer_begins_with_the_ten_digits_in_order():
    labels = torch.cat([digits.load(part).labels for part in ("train", "validation", "test")])
    begins = [run for run in digits.RUNS[:-1] if labels[run : run + 10].tolist() == [*range(10)]]
    assert len(begins) >= 12  # the first ten labels of a run show where it begins


def test_test_part_is_nearly_balanced():
    counts = torch.bincount(digits.load("test").labels)
    assert counts.min() >= 80 and counts.max() <= 92


def test_few_is_balanced_nested_and_from_the_pool():
    small, large = digits.few(3, seed=4), digits.few(10, seed=4)
    assert torch.bincount(small.labels).tolist() == [3] * 10
    pool = {tuple(image) for image in digits.load("train").pixels.flatten(1).tolist()}
    drawn = [{tuple(i) for i in part.pixels.flatten(1).tolist()} for part in (small, large)]
    assert drawn[0] < drawn[1] <= pool
    assert not torch.equal(small.pixels, digits.few(3, seed=5).pixels)


def test_sampler_shows_every_image_once_a_pass_and_knows_its_steps():
    images = Images(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    sampler = ImageSampler(images, 5, seed=0)
    first = torch.cat([sampler.batch(0).labels, sampler.batch(1).labels])
    assert sorted(first.tolist()) == list(range(10))
    second = torch.cat([sampler.batch(2).labels, sampler.batch(3).labels])
    assert sorted(second.tolist()) == list(range(10)) and not torch.equal(first, second)
    assert torch.equal(sampler.batch(3).labels, ImageSampler(images, 5, seed=0).batch(3).labels)
    assert torch.equal(sampler.batch(1).pixels.flatten().long(), sampler.batch(1).labels)
    assert ImageSampler(images, 64, 0).batch(0).labels.shape == (10,)
