"""Images with their classes, and batches of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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


class ImageSampler:
    """Random batches of images, a new shuffle for each pass; a pure function of seed and step.

    Args:
        images: what to draw from.
        batch_size: images a batch; never more than there are.
        seed: number of the shuffles.

    Raises:
        ValueError: no images, or a batch size below 1.
    """

    def __init__(self, images: Images, batch_size: int, seed: int) -> None:
        if not len(images) or batch_size < 1:
            raise ValueError(f"{len(images)} images, batch_size={batch_size}; expected 1 of each")
        self.images, self.seed = images, seed
        self.batch_size = min(batch_size, len(images))

    def __len__(self) -> int:
        """Batches in one pass; what does not fill a batch is left for another pass."""
        return len(self.images) // self.batch_size

    def batch(self, step: int) -> Images:
        """The batch of training step 0, 1, 2, …"""
        epoch, place = divmod(step, len(self))
        order = self._order(epoch)
        return self.images.take(order[place * self.batch_size : (place + 1) * self.batch_size])

    def _order(self, epoch: int) -> Tensor:
        mixed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0])
        return torch.randperm(len(self.images), generator=torch.Generator().manual_seed(mixed))
