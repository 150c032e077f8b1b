"""Printed characters as a source domain: glyphs of the fonts that Matplotlib ships, deformed.

Nothing is downloaded. A glyph is drawn at 32 × 32, turned, sheared, stretched, moved, bent and
made bolder or thinner, then counted down to 8 × 8 as the handwritten digits were: each pixel is
the share of ink in a block of 4 × 4. All of it follows from a seed. Bitmaps stay in memory only.
"""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.ft2font import FT2Font
from torch import Tensor

from course_lib.data.images import SIDE, Images

FINE = 32  # pixels of the drawing, before it is counted down to SIDE
# Letters that look alike at this size (C and c, O and o, P and p, …) are one class.
LATIN = "abcdefghijklmnopqrstuvwxyz" + "ABDEFGHJLMNQRTY"
GREEK = "αβγδεζηθλμξπστφψω" + "ΓΔΘΛΞΠΣΦΨΩ"
LETTERS = LATIN + GREEK
DIGITS = "0123456789"
SYMBOLS = "←↑→↓↔⇐⇒⇔∀∂∃∇∈∋∏∓∗√∝∞∠∧∨∩∪∫∴∼≅≈≠≡≤≥⊂⊃⊆⊇⊕⊗⊥⌈⌉⌊⌋◊"

# Plain text fonts; the others that Matplotlib ships are for formulas.
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmss10", "cmtt10", "cmb10"),
)
_LATIN_ONLY = ("cmr10", "cmss10", "cmtt10", "cmb10")
_CHUNK = 2048  # images deformed at once
_MOST_STRETCH = 1.5


def render(characters: str, per_class: int, seed: int, *, strength: float = 1.0) -> Images:
    """`per_class` deformed glyphs of each character, fonts drawn at random; shuffled.

    Args:
        characters: the classes; label i means `characters[i]`.
        per_class: images of each class.
        seed: decides fonts, deformations and order.
        strength: 0 leaves the glyphs as the fonts draw them, 1 deforms them as in the studies.
    """
    if len(set(characters)) < len(characters):
        raise ValueError(f"characters are {characters!r}; expected none twice")
    generator = torch.Generator().manual_seed(seed)
    drawings, labels = [], []
    for label, character in enumerate(characters):
        fonts = bitmaps(character)  # (fonts, FINE, FINE)
        drawings.append(fonts[torch.randint(len(fonts), (per_class,), generator=generator)])
        labels.append(torch.full((per_class,), label))
    order = torch.randperm(per_class * len(characters), generator=generator)
    fine, shuffled = torch.cat(drawings)[order], torch.cat(labels)[order]
    pieces = [deform(piece, strength, generator) for piece in fine.split(_CHUNK)]
    return Images(count_down(torch.cat(pieces)), shuffled)


def deform(fine: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Turn, shear, stretch, move, bend and thicken or thin drawings: (N, 32, 32) → the same.

    Pixels of the result are 0 or 1.
    """
    count = len(fine)

    def between(low: float, high: float) -> Tensor:
        middle, half = (low + high) / 2, (high - low) / 2 * strength
        return middle + half * (2 * torch.rand(count, generator=generator) - 1)

    angle, shear = between(-0.25, 0.25), between(-0.35, 0.35)
    wide, high = 1 / between(0.7, 1.3) ** strength, 1 / between(0.95, 1.15) ** strength
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([wide * cos, wide * (shear * cos - sin), between(-0.12, 0.12)], dim=1),
        torch.stack([high * sin, high * (shear * sin + cos), between(-0.06, 0.06)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), [count, 1, FINE, FINE], align_corners=False)
    push = torch.randn(count, 2, 4, 4, generator=generator) * 0.07 * strength
    bend = F.interpolate(push, size=FINE, mode="bicubic", align_corners=False)  # (N, 2, 32, 32)
    grid = grid + bend.permute(0, 2, 3, 1)  # (N, 32, 32, 2)
    moved = F.grid_sample(fine.unsqueeze(1), grid, align_corners=False)  # (N, 1, 32, 32)
    # A blurred stroke cut at a low level is bolder, at a high level thinner.
    blurred = F.avg_pool2d(moved, 3, stride=1, padding=1)
    level = between(0.2, 0.6).view(-1, 1, 1, 1)
    return (blurred > level).float().squeeze(1)


def count_down(fine: Tensor) -> Tensor:
    """The share of ink in blocks of 4 × 4: (N, 32, 32) → (N, 1, 8, 8)."""
    return F.avg_pool2d(fine.unsqueeze(1), FINE // SIDE)


@cache
def bitmaps(character: str) -> Tensor:
    """The character in every font that has it, cut out and as large as fits: (fonts, 32, 32)."""
    fonts = (font for font in FONTS if ord(character) < 127 or font not in _LATIN_ONLY)
    drawn = [image for font in fonts if (image := _draw(font, character)) is not None]
    if len(drawn) < 4:
        raise ValueError(
            f"{len(drawn)} of the fonts that Matplotlib ships have {character!r}; 4 are needed"
        )
    return torch.stack(drawn)


def _draw(name: str, character: str) -> Tensor | None:
    font = _font(name)
    if not font.get_char_index(ord(character)):
        return None
    font.set_text(character)
    font.draw_glyphs_to_bitmap(antialiased=True)
    image = np.asarray(font.get_image(), dtype=np.float32) / 255
    ink = np.argwhere(image > 0.2)
    if not len(ink):
        return None
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    cut = torch.from_numpy(image[top:bottom, left:right].copy())[None, None]
    high, wide = cut.shape[-2:]
    scale = (FINE - 2) / max(high, wide)
    # Handwritten digits were stretched to full height; a wide letter is, up to a limit.
    size = [min(FINE - 2, round(_MOST_STRETCH * scale * high)), max(1, round(scale * wide))]
    fitted = F.interpolate(cut, size=size, mode="bilinear", antialias=True)[0, 0]
    top, left = ((FINE - length) // 2 for length in size)
    return F.pad(fitted, (left, FINE - size[1] - left, top, FINE - size[0] - top))


@cache
def _font(name: str) -> FT2Font:
    font = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"))
    font.set_size(64, 72)
    return font
