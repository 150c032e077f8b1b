"""Our EfficientNet-Lite0 against the reference package, both with the published weights."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.data import archives
from course_lib.transfer import efficientnet
from tools.bench.pairs import Result, compare

PICTURES, SIDE = 8, 96
TARGET = 1.0


def forward(pairs: int) -> Result:
    """Logits of eight pictures of 96 pixels, without gradient."""
    import efficientnet_lite_pytorch

    ours = efficientnet.load()
    path = archives.fetch("imagenet") / efficientnet.WEIGHTS
    theirs = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0", image_size=SIDE)
    theirs.load_state_dict(torch.load(path, weights_only=True))
    theirs.eval()
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(PICTURES, 3, SIDE, SIDE, generator=generator)

    @torch.inference_mode()
    def read_ours() -> Tensor:
        return ours(pictures)

    @torch.inference_mode()
    def read_theirs() -> Tensor:
        return theirs(pictures)

    torch.testing.assert_close(read_ours(), read_theirs(), atol=1e-4, rtol=1e-4)
    name = "EfficientNet-Lite0 forward / reference"
    return compare(name, read_ours, read_theirs, pairs, 1, TARGET)
