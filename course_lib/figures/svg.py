"""A Matplotlib figure as a small SVG string that can sit inside any page.

Matplotlib writes SVG files that stand alone. Inside a page three things must change: identifiers
must not collide with those of the next figure, black ink must become the page's own text color,
and a `<style>` element, which would reach the whole page, must go.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

INK = "#000000"
FONTS = (
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    "'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',NanumGothic,sans-serif"
)
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_SMALLEST_TEXT = 10  # CSS pixels; below this a figure scrolls sideways instead of shrinking


def figure_to_svg(figure: Figure, *, tight: bool = False) -> str:
    """Render `figure` as SVG text, the same text on every run.

    `tight` trims the empty border, as `bbox_inches="tight"` does. The figure stays open.
    """
    for patch in [figure.patch, *(axes.patch for axes in figure.axes)]:
        if mpl.colors.to_hex(patch.get_facecolor()) == "#ffffff":
            patch.set_facecolor("none")
    buffer = io.StringIO()
    options = {"bbox_inches": "tight", "pad_inches": 0.05} if tight else {}
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "attention-measured"}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The browser draws the text with its own fonts, so a glyph that Matplotlib's font lacks
        # (Korean, for instance) is no reason to warn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from (current )?font")
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=False, **options)
    return buffer.getvalue()


def inline(svg: str, *, prefix: str, alt: str, standalone: bool = False) -> str:
    """Make `svg` ready for a page: scoped, theme-aware, responsive and named `alt`.

    Every identifier that is referred to is renamed to start with `prefix`; the rest are dropped.
    `standalone` keeps the namespace, so that the text may also be saved as a file.

    Raises:
        ValueError: `svg` refers to an identifier that it does not define.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    _scope_identifiers(root, prefix)
    for element in root.iter():
        _clean_attributes(element)
    _drop_bare_groups(root)
    _prepare_root(root, alt)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
    if standalone:
        root.set("xmlns", _SVG.strip("{}"))
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


def _scope_identifiers(root: ElementTree.Element, prefix: str) -> None:
    references = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")
    used: list[str] = []
    for element in root.iter():
        if (link := element.attrib.pop(f"{_XLINK}href", None)) is not None:
            element.set("href", link)
        for name, value in element.attrib.items():
            used += references.findall(value) if name == "href" or "url(#" in value else []
    lost = sorted(set(used) - {element.get("id") for element in root.iter()})
    if lost:
        raise ValueError(f"the SVG refers to ids it does not define: {', '.join(lost)}")
    new = {old: f"{prefix}-{number}" for number, old in enumerate(dict.fromkeys(used))}
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            if name == "href" or "url(#" in value:
                element.set(name, references.sub(lambda match: new[match[0]], value))
        if identifier in new:
            element.set("id", new[identifier])


def _clean_attributes(element: ElementTree.Element) -> None:
    """Fewer digits, the page's ink and fonts, nothing empty."""
    for name, value in element.attrib.items():
        if name in ("d", "x", "y", "points"):
            value = " ".join(_rounded(value, 2).split())
        elif name == "transform":
            value = _rounded(re.sub(r"rotate\(-?0( [-\d.]+ [-\d.]+)?\)", "", value), 4).strip()
        elif name in ("style", "fill", "stroke"):
            value = re.sub(rf"{INK}\b|\bblack\b", "currentColor", value)
        if name == "style":
            family = "font-family:monospace" if "Mono" in value or "monospace" in value else ""
            value = re.sub(r"font-family:[^;]*", family, value)
            value = re.sub(r"\s*([:;])\s*", r"\1", re.sub(r";\s*(;|$)", r"\1", value)).strip("; ")
        element.set(name, value)
    for name in ("style", "transform"):
        if element.get(name) == "":
            del element.attrib[name]


def _rounded(text: str, digits: int) -> str:
    def short(match: re.Match[str]) -> str:
        number = f"{float(match[0]):.{digits}f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else number

    return re.sub(r"-?\d+\.\d+", short, text)


def _drop_bare_groups(parent: ElementTree.Element) -> None:
    children: list[ElementTree.Element] = []
    for child in parent:
        _drop_bare_groups(child)
        bare = child.tag == f"{_SVG}g" and not child.attrib and not (child.text or "").strip()
        children.extend(child if bare else [child])
    parent[:] = children


def _prepare_root(root: ElementTree.Element, alt: str) -> None:
    """Name the picture, and let it shrink with the page as far as its text stays legible."""
    width = float(root.attrib["viewBox"].split()[2])
    pixels = width * 96 / 72 if (root.get("width") or "").endswith("pt") else width
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # Subscripts are smaller on purpose: only whole texts decide how far a figure may shrink.
    texts = root.iter(f"{_SVG}text")
    styles = " ".join(f"{one.get('style')};font-size:{one.get('font-size')};" for one in texts)
    sizes = map(float, re.findall(r"font-size:\s*([\d.]+)", styles))
    font_pixels = min(sizes, default=16.0) * pixels / width
    least = min(pixels, pixels * _SMALLEST_TEXT / font_pixels)
    attributes = {
        "role": "img",
        "aria-label": alt,
        "fill": "currentColor",
        "font-family": FONTS,
        "style": f"width:{pixels:.0f}px;max-width:100%;min-width:{least:.0f}px;height:auto;"
        "overflow:visible;stroke-linejoin:round;stroke-linecap:butt",
    }
    for name, value in attributes.items():
        root.set(name, value)
