"""Images with their classes, and batches of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_lib.data.batching import Shuffled

SIDE = 8  # pixels along one side


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their classes.

    Attributes:
        pixels: (N, C, H, W) float32; our own are (N, 1, 8, 8), from 0 (paper) to 1 (ink).
        labels: (N,) long.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "Images":
        """The images at these places, in this order."""
        return Images(self.pixels[indices], self.labels[indices])


class ImageSampler(Shuffled):
    """Random batches of images, a new shuffle for each pass; a pure function of seed and step.

    The order comes from torch's generator, unlike that of other samplers: records rest on it.
    """

    def batch(self, step: int) -> Images:
        """The batch of training step 0, 1, 2, …"""
        epoch, place = divmod(step, len(self))
        mixed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0])
        order = torch.randperm(len(self.examples), generator=torch.Generator().manual_seed(mixed))
        return self.examples.take(order[place * self.batch_size : (place + 1) * self.batch_size])
