"""A Matplotlib figure as a small SVG string that can sit inside any page.

Matplotlib writes SVG files that stand alone. Inside a page three things must change: identifiers
must not collide with those of the next figure, black ink must become the page's own text color,
and a ``<style>`` element, which would reach the whole page, must go.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

INK = "#000000"
FONTS = (
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,"
    "'Noto Sans KR','Apple SD Gothic Neo','Malgun Gothic',NanumGothic,sans-serif"
)

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_SALT = "attention-measured"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NUMBER = re.compile(r"-?\d+\.\d+")
_SMALLEST_TEXT = 8.8  # CSS pixels; below this a figure scrolls sideways instead of shrinking


def figure_to_svg(figure: Figure, *, tight: bool = False) -> str:
    """Render ``figure`` as SVG text, the same text on every run.

    ``tight`` trims the empty border, as ``bbox_inches="tight"`` does. The figure stays open.
    """
    _clear_white_backgrounds(figure)
    buffer = io.StringIO()
    options = {"bbox_inches": "tight", "pad_inches": 0.05} if tight else {}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": _SALT}), warnings.catch_warnings():
        # The browser draws the text with its own fonts, so a glyph that Matplotlib's font lacks
        # (Korean, for instance) is no reason to warn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=False, **options)
    return buffer.getvalue()


def inline(svg: str, *, prefix: str, alt: str, standalone: bool = False) -> str:
    """Make ``svg`` ready for a page: scoped, theme-aware, responsive and named ``alt``.

    Every identifier that is referred to is renamed to start with ``prefix``; the rest are dropped.
    ``standalone`` keeps the namespace, so that the text may also be saved as a file.

    Raises:
        ValueError: ``svg`` is not well-formed, or refers to an identifier that it does not define.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        message = f"the SVG text is not well-formed XML: {error}"
        raise ValueError(message) from error
    if root.tag not in (f"{_SVG}svg", "svg"):
        raise ValueError(f"expected an <svg> element, found <{root.tag}>")
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    _scope_identifiers(root, prefix)
    for element in root.iter():
        _clean_attributes(element)
    _drop_bare_groups(root)
    _prepare_root(root, alt)
    _drop_namespace(root)
    if standalone:
        root.set("xmlns", _SVG.strip("{}"))
    text = ElementTree.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text)


def _clear_white_backgrounds(figure: Figure) -> None:
    for patch in [figure.patch, *(axes.patch for axes in figure.axes)]:
        if mpl.colors.to_hex(patch.get_facecolor()) == "#ffffff":
            patch.set_facecolor("none")


def _scope_identifiers(root: ElementTree.Element, prefix: str) -> None:
    used: list[str] = []
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name in (f"{_XLINK}href", "href"):
                del element.attrib[name]
                element.set("href", value)
                if value.startswith("#"):
                    used.append(value[1:])
            else:
                used.extend(_REFERENCE.findall(value))
    defined = {element.get("id") for element in root.iter()}
    lost = sorted(set(used) - defined)
    if lost:
        raise ValueError(f"the SVG refers to ids it does not define: {', '.join(lost)}")
    new = {old: f"{prefix}-{number}" for number, old in enumerate(dict.fromkeys(used))}
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in new:
            element.set("id", new[identifier])
        for name, value in element.attrib.items():
            if name == "href" and value.startswith("#"):
                element.set(name, f"#{new[value[1:]]}")
            elif "url(#" in value:
                element.set(name, _REFERENCE.sub(lambda m: f"url(#{new[m[1]]})", value))


def _clean_attributes(element: ElementTree.Element) -> None:
    for name, value in list(element.attrib.items()):
        if name == "href":
            continue
        if name in ("d", "x", "y", "points"):
            element.set(name, " ".join(_NUMBER.sub(_short(2), value).split()))
        elif name == "transform":
            value = re.sub(r"rotate\(-?0( [-\d.]+ [-\d.]+)?\)", "", value)
            value = _NUMBER.sub(_short(4), value).strip()
            if value:
                element.set(name, value)
            else:
                del element.attrib[name]
        elif name in ("style", "fill", "stroke"):
            element.set(name, _theme_colors(value))
    if "style" in element.attrib:
        style = element.get("style", "")
        family = "font-family:monospace" if "Mono" in style or "monospace" in style else ""
        style = re.sub(r"font-family:[^;]*", family, style)
        style = re.sub(r"\s*([:;])\s*", r"\1", re.sub(r";\s*(;|$)", r"\1", style)).strip("; ")
        element.set("style", style) if style else element.attrib.pop("style")


def _short(digits: int):
    def shorten(match: re.Match[str]) -> str:
        number = f"{float(match[0]):.{digits}f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else number

    return shorten


def _theme_colors(value: str) -> str:
    return re.sub(rf"{INK}\b|\bblack\b", "currentColor", value)


def _drop_bare_groups(parent: ElementTree.Element) -> None:
    children: list[ElementTree.Element] = []
    for child in parent:
        _drop_bare_groups(child)
        bare = child.tag == f"{_SVG}g" and not child.attrib and not (child.text or "").strip()
        children.extend(child if bare else [child])
    parent[:] = children


def _prepare_root(root: ElementTree.Element, alt: str) -> None:
    view = root.get("viewBox")
    if not view:
        raise ValueError('the <svg> element needs a viewBox, such as viewBox="0 0 480 300"')
    _, _, width, _ = (float(number) for number in view.split())
    in_points = (root.get("width") or "").endswith("pt")
    pixels = width * 96 / 72 if in_points else width
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # Subscripts are smaller on purpose: only whole texts decide how far a figure may shrink.
    texts = [element for element in root.iter() if element.tag == f"{_SVG}text"]
    sizes = [float(size) for text in texts for size in _font_sizes(text)]
    font_pixels = min(sizes, default=16.0) * pixels / width
    least = min(pixels, pixels * _SMALLEST_TEXT / font_pixels)
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("fill", "currentColor")
    root.set("font-family", FONTS)
    root.set(
        "style",
        f"width:{pixels:.0f}px;max-width:100%;min-width:{least:.0f}px;height:auto;"
        "overflow:visible;stroke-linejoin:round;stroke-linecap:butt",
    )


def _font_sizes(element: ElementTree.Element) -> list[str]:
    found = re.findall(r"font-size:\s*([\d.]+)", element.get("style", ""))
    return found + ([element.get("font-size", "")] if element.get("font-size") else [])


def _drop_namespace(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
