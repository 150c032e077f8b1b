"""OpenMoji's pictures in eleven classes, drawn from its color font at any size.

The pictures are by the OpenMoji project, CC BY-SA 4.0; the font has no groups, so the classes are
our own list. Whales and seals stand with the sea animals. Some pictures of a class are alike (the
face of a mouse, a whole mouse), and near twins may stand on two sides of the split.

The split is by picture and comes first: no picture is in two parts, whatever is drawn later.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.data import archives
from course_lib.data.images import Images

FONT = "glyf_colr0.ttf"
CREDIT = "Pictures: OpenMoji, CC BY-SA 4.0."
SPLIT_SEED = 17
MOST_LABELS = 10  # pictures for training that every class has

CLASSES = {
    "mammals": "🐀🐁🐂🐃🐄🐅🐆🐇🐈🐎🐏🐐🐑🐒🐕🐖🐗🐘🐨🐩🐪🐫🐭🐮🐯🐰🐱🐴🐵🐶🐷🐹🐺🐻🐼🐿"
    "🦁🦇🦊🦌🦍🦏🦒🦓🦔🦘🦙🦛🦝🦡🦣🦥🦦🦧🦨🦫🦬🦮🫎🫏",
    "birds": "🐓🐔🐣🐤🐥🐦🐧🕊🦃🦅🦆🦉🦚🦜🦢🦤🦩🪿",
    "sea animals": "🐙🐚🐟🐠🐡🐬🐳🐋🦀🦈🦐🦑🦞🦪🦭🪸🪼🫍",
    "flowers and plants": "🌱🌲🌳🌴🌵🌷🌸🌹🌺🌻🌼🌾🌿🍀🍁🍂🍃☘💐🥀🪴🪷🪻🎋🎍🎄🪾",
    "fruit and vegetables": "🍅🍆🍇🍈🍉🍊🍋🍌🍍🍎🍏🍐🍑🍒🍓🌶🌽🌰"
    "🥑🥒🥔🥕🥝🥥🥦🥬🥭🥜🧄🧅🫐🫑🫒🫘🫚🫛🫜🍠🍄",
    "dishes": "🌭🌮🌯🍔🍕🍖🍗🍘🍙🍚🍛🍜🍝🍞🍟🍡🍢🍣🍤🍥🍦🍧🍨🍩🍪🍮🍰🍱🍲🍳🎂🍿🥐🥓🥖🥗🥘🥙🥚🥞🥟"
    "🥠🥡🥣🥧🥨🥩🥪🥫🥮🥯🧀🧁🧆🧇🧈🫓🫔🫕",
    "drinks": "🍵🍶🍷🍸🍹🍺🍻🍼🍾☕🥂🥃🥛🥤🧃🧉🧋🫖🫗",
    "land vehicles": "🚂🚃🚄🚅🚆🚇🚈🚊🚋🚌🚍🚎🚐🚑🚒🚓🚔🚕🚖🚗🚘🚙🚚🚛🚜🚝🚞🚟🚲🛴🛵🏍🏎🛺🛻🛹🦼🦽🛷",
    "buildings": "🏠🏡🏢🏣🏤🏥🏦🏨🏩🏪🏫🏬🏭🏯🏰🏛🏘🏚🏟🏗🕌🕍🛕⛪🕋🗼🛖⛩💒🏙",
    "clothing": "👑👒👓👔👕👖👗👘👙👚👞👟👠👡👢🕶🎩🎓🎽🥋🥻🥼🥽🥾🥿🦺🧢🧣🧤🧥🧦🩰🩱🩲🩳🩴🪖⛑",
    "tools": "🔧🔨🔩🪛🪚🪓🛠⚒⛏🪝🪜🧰🔪✂🗜📏📐🔦🧲🧹🪠🪣🪡🪒🪏🪥🖌🪤",
}
NAMES = tuple(CLASSES)
PARTS = ("train", "validation", "test")


def split(part: str) -> dict[str, str]:
    """The pictures of one part, class by class: of each class two fifths for training, but
    `MOST_LABELS` at least, a quarter for validation, the others for the test.

    Raises:
        ValueError: there is no such part.
    """
    if part not in PARTS:
        raise ValueError(f"part is {part!r}, expected one of {', '.join(PARTS)}")
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    found = {}
    for name, pictures in CLASSES.items():
        order = torch.randperm(len(pictures), generator=generator).tolist()
        first = max(MOST_LABELS, round(0.4 * len(pictures)))
        second = first + round(0.4 * (len(pictures) - first))
        ends = {"train": (0, first), "validation": (first, second), "test": (second, None)}
        start, end = ends[part]
        found[name] = "".join(pictures[place] for place in order[start:end])
    return found


def load(part: str, side: int = 96) -> Images:
    """One part in color, (N, 3, side, side) from 0 to 1 on white, class by class.

    The train part is the pool from which few labeled pictures are drawn. The test part is for the
    final score only.
    """
    return _load(part, side)


@cache
def _load(part: str, side: int) -> Images:
    chosen = split(part)
    pixels = torch.stack([draw(picture, side) for some in chosen.values() for picture in some])
    counts = torch.tensor([len(some) for some in chosen.values()])
    return Images(pixels, torch.arange(len(chosen)).repeat_interleave(counts))


def few_places(per_class: int, seed: int) -> Tensor:
    """Places in the train part: `per_class` pictures of each class, drawn with `seed`.

    A larger draw of the same seed holds the smaller one.

    Raises:
        ValueError: fewer than one picture, or more than `MOST_LABELS`.
    """
    if not 1 <= per_class <= MOST_LABELS:
        raise ValueError(f"per_class is {per_class}; expected 1 to {MOST_LABELS}")
    counts = [len(some) for some in split("train").values()]
    generator = torch.Generator().manual_seed(seed)
    drawn, first = [], 0
    for count in counts:
        drawn.append(first + torch.randperm(count, generator=generator)[:per_class])
        first += count
    return torch.cat(drawn)


def draw(picture: str, side: int) -> Tensor:
    """One picture in the middle of white: (3, side, side), from 0 to 1."""
    from PIL import Image, ImageDraw, ImageOps  # Pillow comes with Matplotlib

    canvas = Image.new("RGB", (3 * side, 3 * side), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((side, side), picture, font=_font(side), embedded_color=True)
    box = ImageOps.invert(canvas).getbbox()
    assert box is not None  # a picture leaves some ink
    left, top, right, bottom = box
    first, above = (left + right - side) // 2, (top + bottom - side) // 2
    cut = canvas.crop((first, above, first + side, above + side))
    return torch.from_numpy(np.array(cut)).permute(2, 0, 1) / 255


@cache
def _font(side: int) -> Any:
    from PIL import ImageFont

    path = archives.fetch("pictures") / FONT
    return ImageFont.truetype(str(path), round(0.78 * side))  # the widest just fits
