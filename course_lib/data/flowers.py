"""Flowers-102 and published ResNet weights, for readers who are online.

Nothing in the course needs them. They come through the optional package `torchvision` (the extra
`online`). `folder` takes any pictures of your own: a folder for each class.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data.hub import optional
from course_lib.data.images import Images

# What the published weights were trained with; a new task must be normalized in the same way.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_ENDINGS = (".jpg", ".jpeg", ".png")


def folder(path: str | Path, side: int = 224) -> tuple[Images, list[str]]:
    """Pictures from `path`/CLASS/PICTURE, ready for a published body, and the class names."""
    from PIL import Image  # comes with Matplotlib

    files = sorted(f for f in Path(path).glob("*/*") if f.suffix.lower() in _ENDINGS)
    if not files:
        raise FileNotFoundError(
            f"no .jpg or .png under {path}/CLASS/; expected a folder for each class"
        )
    names = sorted({file.parent.name for file in files})
    pictures = torch.stack([prepare(np.asarray(Image.open(f).convert("RGB")), side) for f in files])
    return Images(pictures, torch.tensor([names.index(file.parent.name) for file in files])), names


def load(split: str, root: str | Path, side: int = 224) -> Images:
    """A split of Flowers-102 (Nilsback and Zisserman 2008), downloaded to `root` if need be.

    Args:
        split: "train", "val" or "test".
    """
    flowers = optional("torchvision").datasets.Flowers102(str(root), split=split, download=True)
    pairs = [flowers[place] for place in range(len(flowers))]
    pictures = [prepare(np.asarray(picture.convert("RGB")), side) for picture, _ in pairs]
    return Images(torch.stack(pictures), torch.tensor([label for _, label in pairs]))


def resnet18_weights() -> dict[str, Tensor]:
    """Published weights of ResNet-18 from ImageNet, for `transfer.networks.torchvision_body`."""
    weights = optional("torchvision").models.ResNet18_Weights.IMAGENET1K_V1
    return weights.get_state_dict(progress=False)


def prepare(picture: np.ndarray, side: int = 224) -> Tensor:
    """One picture (H, W, 3) of bytes → (3, side, side): the middle square, normalized."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"picture is {picture.shape} {picture.dtype}; expected (H, W, 3) uint8")
    short = min(picture.shape[:2])
    top, left = ((length - short) // 2 for length in picture.shape[:2])
    square = torch.from_numpy(picture[top : top + short, left : left + short].copy())
    pixels = square.permute(2, 0, 1).float().unsqueeze(0) / 255  # (1, 3, short, short)
    small = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)[0]
    return (small - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(SPREAD).view(3, 1, 1)
