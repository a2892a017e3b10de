"""A Matplotlib figure as a small SVG that lives inside a page: its text color, its
font, its own ids.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path

_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_URL = re.compile(r"url\(#([^)]+)\)")
_GRAY = re.compile(r"#([0-9a-f]{2})\1\1\b")
_FILL = re.compile(r"fill: [^;]+|$")
_DARK_GRAY = 0x59
_COMMANDS = {
    Path.MOVETO: "M",
    Path.LINETO: "L",
    Path.CURVE3: "Q",
    Path.CURVE4: "C",
    Path.CLOSEPOLY: "Z",
}
_GEOMETRY = {
    "d",
    "x",
    "y",
    "width",
    "height",
    "points",
    "transform",
    "style",
    "cx",
    "cy",
    "r",
    "x1",
    "x2",
    "y1",
    "y2",
}


def figure_svg(fig: Figure, prefix: str, *, width: float | None = None) -> str:
    """`fig` as an inline SVG whose ids start with `prefix`; `width` (inches) lays out a
    narrower copy.

    Black becomes the text color of the page and white its background, so one picture
    serves the light and the dark page. Coordinates are rounded to a tenth of a point,
    of markers to a hundredth.
    """
    size, dpi, canvas = fig.get_size_inches().copy(), fig.dpi, fig.canvas
    backgrounds = [
        patch
        for patch in (fig.patch, *(ax.patch for ax in fig.axes))
        if patch.get_visible()
    ]
    buffer = io.StringIO()
    try:
        fig.set_size_inches(min(width or size[0], size[0]), size[1])
        for patch in backgrounds:
            patch.set_visible(False)
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ibcore"}):
            _Canvas(fig).print_svg(buffer)
    finally:
        for patch in backgrounds:
            patch.set_visible(True)
        fig.set_canvas(canvas)
        fig.dpi = dpi
        fig.set_size_inches(*size)
    return slim(buffer.getvalue(), prefix)


class _Renderer(RendererSVG):
    """Shares with all others what it parsed: a figure with log axes is drawn in a third
    of the time.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._text2path = text_to_path


class _Canvas(FigureCanvasSVG):
    """Draws by `_Renderer`, also where Matplotlib lays a figure out before it draws it."""

    def print_svg(self, filename: io.TextIOBase | io.BytesIO, **_options: Any) -> None:
        stream = (
            filename
            if isinstance(filename, io.TextIOBase)
            else codecs.getwriter("utf-8")(filename)
        )
        dpi, self.figure.dpi = self.figure.dpi, 72
        width, height = self.figure.get_size_inches()
        svg = _Renderer(
            72 * width, 72 * height, stream, image_dpi=dpi, metadata={"Date": None}
        )
        renderer = MixedModeRenderer(self.figure, width, height, dpi, svg)
        self.figure.draw(renderer)  # type: ignore[arg-type]  # it passes on to a renderer
        renderer.finalize()


def slim(svg: str, prefix: str) -> str:
    """The SVG that Matplotlib wrote without what a page does not need."""
    root = ET.fromstring(svg)  # noqa: S314  written by Matplotlib a moment ago
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {
            name.rpartition("}")[2]: value for name, value in element.attrib.items()
        }
    _prune(root)
    _rename_ids(root, prefix)
    for group in list(root.iter("g")):
        for text in group.findall("text"):
            _join_glyphs(text, group)
    for element, digits in _with_digits(root, 1):
        element.attrib = {
            name: _attribute(name, value, digits)
            for name, value in element.attrib.items()
            if not value.startswith("rotate(-0 ")
        }
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "class": "ibx-svg",
        "fill": "currentColor",
        "style": "stroke-linejoin:round;stroke-linecap:butt",
    }
    return _written(root)


def _prune(root: ET.Element) -> None:
    """Drop metadata, style sheets (they would style the whole page) and invisible
    patches.
    """
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style") or (
                child.tag == "path" and child.get("style") == "fill: none"
            ):
                parent.remove(child)


def _rename_ids(root: ET.Element, prefix: str) -> None:
    """Keep only the ids that are referred to, under names that no other picture has."""
    used = [
        target
        for element in root.iter()
        for item in element.attrib.items()
        for target in _targets(*item)
    ]
    names = {
        target: f"{prefix}-{number}"
        for number, target in enumerate(dict.fromkeys(used))
    }
    for element in root.iter():
        identifier = element.attrib.pop("id", "")
        if identifier in names:
            element.set("id", names[identifier])
        for name, value in list(element.attrib.items()):
            for target in _targets(name, value):
                element.set(name, value.replace(f"#{target}", f"#{names[target]}"))


def _targets(name: str, value: str) -> list[str]:
    """The ids that an attribute refers to."""
    return (
        [value[1:]] if name == "href" and value.startswith("#") else _URL.findall(value)
    )


def _join_glyphs(text: ET.Element, group: ET.Element) -> None:
    """Let the glyphs of a formula flow: Matplotlib places each by the metrics of its
    own font.

    Glyphs that only its fonts have become outlines.
    """
    glyphs = sorted(_glyphs(text), key=lambda glyph: glyph[0])
    for child in list(text):
        text.remove(child)
    end, baseline, last = float("nan"), 0.0, ET.Element("tspan")
    for x, y, style, letter in glyphs:
        if _family(style) != "DejaVu Sans":
            ET.SubElement(
                group,
                "path",
                {"d": _outline(letter, style, x, y), "style": _FILL.findall(style)[0]},
            )
            continue
        adjacent = abs(x - end) < 0.6
        if adjacent and y == baseline and style == last.get("style"):
            last.text = f"{last.text}{letter}"
        else:
            place = (
                {"dy": _short(str(y - baseline), 1)}
                if adjacent
                else {"x": str(x), "y": str(y)}
            )
            last = ET.SubElement(text, "tspan", {**place, "style": style})
            last.text = letter
        end, baseline = x + _advance(letter, style), y


def _glyphs(text: ET.Element) -> Iterator[tuple[float, float, str, str]]:
    """Position, style and letter of each glyph of a formula."""
    for span in text:
        for x, letter in zip(span.get("x", "0").split(), span.text or "", strict=False):
            yield (
                float(x),
                float(span.get("y", "0").split()[0]),
                span.get("style", ""),
                letter,
            )


def _family(style: str) -> str:
    family = re.search(r"'([^']+)'", style)
    return family[1] if family else "DejaVu Sans"


def _font(style: str) -> FontProperties:
    """The font that Matplotlib laid a glyph out in."""
    size = re.search(r"font-size: ([\d.]+)px", style)
    slant: Literal["oblique", "normal"] = (
        "oblique" if "oblique" in style or "italic" in style else "normal"
    )
    weight = "bold" if "weight: 700" in style else "normal"
    return FontProperties(
        family=_family(style),
        size=float(size[1]) if size else 10.0,
        style=slant,
        weight=weight,
    )


@cache
def _advance(letter: str, style: str) -> float:
    """The width of a glyph in points."""
    properties = _font(style)
    font = get_font(findfont(properties))
    font.set_size(100, 72)
    return (
        font.load_char(ord(letter)).linearHoriAdvance
        / 65536
        / 100
        * properties.get_size_in_points()
    )


def _outline(letter: str, style: str, x: float, y: float) -> str:
    """A glyph as the path data of its outline, its origin at (x, y)."""
    properties = _font(style)
    path = TextPath(
        (0, 0), letter, size=properties.get_size_in_points(), prop=properties
    )
    pieces = [
        _COMMANDS[code]
        + " ".join(f"{x + px:.2f} {y - py:.2f}" for px, py in points.reshape(-1, 2))
        for points, code in path.iter_segments()
    ]
    return "".join("Z" if piece[0] == "Z" else piece for piece in pieces)


def _with_digits(element: ET.Element, digits: int) -> Iterator[tuple[ET.Element, int]]:
    digits = 2 if element.tag == "defs" else digits
    yield element, digits
    for child in element:
        yield from _with_digits(child, digits)


def _attribute(name: str, value: str, digits: int) -> str:
    if name not in _GEOMETRY:
        return value
    if name == "style":
        return _style(value)
    value = _NUMBER.sub(
        lambda match: _short(match[0], 4 if "matrix" in value else digits),
        " ".join(value.split()),
    )
    return re.sub(r" ?([MLQCzZ]) ?", r"\1", value) if name == "d" else value


def _style(value: str) -> str:
    """Colors as the page's own, no font families, short numbers."""
    rules = [rule.strip().split(": ", 1) for rule in value.split(";") if rule.strip()]
    kept = []
    for name, setting in rules:
        if name == "font-family":
            continue
        short = (
            setting
            if "url(" in setting
            else _NUMBER.sub(lambda match: _short(match[0], 2), setting)
        )
        kept.append(f"{name}:{_GRAY.sub(_page_color, short)}")
    return ";".join(kept)


def _page_color(match: re.Match[str]) -> str:
    level = int(match[1], 16)
    if level <= _DARK_GRAY:
        return "currentColor"
    return "var(--ibx-page,#fff)" if level == 0xFF else match[0]


def _short(number: str, digits: int) -> str:
    text = f"{float(number):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _written(element: ET.Element) -> str:
    """Markup without white space between elements and without groups that say nothing."""
    text = element.text if element.tag in ("text", "tspan") and not len(element) else ""
    inner = _escaped(text) + "".join(_written(child) for child in element)
    if element.tag in ("g", "defs", "text") and not inner:
        return ""
    if element.tag == "g" and not element.attrib:
        return inner
    attributes = "".join(
        f" {name}='{_escaped(value)}'"
        for name, value in element.attrib.items()
        if value
    )
    return (
        f"<{element.tag}{attributes}>{inner}</{element.tag}>"
        if inner
        else f"<{element.tag}{attributes}/>"
    )


def _escaped(text: str | None) -> str:
    return (
        (text or "")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("'", "&#39;")
    )
