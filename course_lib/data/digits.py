"""Real handwritten digits: scikit-learn's copy of 1 797 images of 8 × 8, split by writer.

The file keeps the writers in order: fourteen times a run of ordered digits 0 to 9 begins anew,
and the documentation names thirteen writers. So we cut between the runs. No writer is on two
sides, and a test score says how well a model reads a hand that it has never seen. A random split
would ask less.
"""

from functools import cache

import torch
from torch import Tensor

from course_lib.data.images import SIDE, Images

CLASSES = 10
# Where a run of ordered digits begins; each run is one hand (one writer may have two).
RUNS = (0, 130, 256, 386, 516, 646, 776, 915, 1029, 1157, 1287, 1415, 1545, 1667, 1797)
_PARTS = {"train": (0, 5), "validation": (5, 7), "test": (7, 14)}  # runs, first to last + 1


@cache
def load(part: str) -> Images:
    """The images of one part: "train" (646), "validation" (269) or "test" (882).

    "train" is the pool from which few labeled images are drawn. The test part is for the final
    score only; choose everything else on the validation part.
    """
    from sklearn.datasets import load_digits  # a large import, for this one file

    pixels, labels = load_digits(return_X_y=True)
    first, last = (RUNS[run] for run in _PARTS[part])
    images = torch.tensor(pixels[first:last], dtype=torch.float32).view(-1, 1, SIDE, SIDE) / 16
    return Images(images, torch.tensor(labels[first:last], dtype=torch.long))


def few(per_class: int, seed: int) -> Images:
    """`per_class` training images of each digit, drawn with `seed`; class by class.

    A larger draw of the same seed holds the smaller one.
    """
    return load("train").take(few_places(per_class, seed))


def few_places(per_class: int, seed: int) -> Tensor:
    """Where in the train part the images of `few` stand."""
    pool = load("train")
    rarest = int(torch.bincount(pool.labels, minlength=CLASSES).min())
    if per_class > rarest:
        raise ValueError(f"per_class is {per_class}; expected at most {rarest} images of a digit")
    shuffled = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
    by_class = (shuffled[pool.labels[shuffled] == digit] for digit in range(CLASSES))
    return torch.cat([places[:per_class] for places in by_class])
