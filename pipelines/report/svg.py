"""A matplotlib figure as an SVG element that belongs to the page it is set in."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import Any

from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG

from pipelines.report.text import visible

# Stand-in colours, never seen: each is replaced by a CSS variable of the page.
INK, QUIET, GRID, FIRST, SECOND, THIRD = "#010101", "#010102", "#010103", "#010104", "#010105", "#010106"
VARIABLES = {INK: "--ink", QUIET: "--quiet", GRID: "--line", FIRST: "--c1", SECOND: "--c2", THIRD: "--c3"}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # no version, no time, no address
FONT_FAMILY = re.compile(r"font-family: [^;]*;? ?")


def render(figure: Any, name: str, title: str) -> Markup:
    """Draw a figure as an `<svg>` element without namespaces, ids of its own, and the page's colours and type.

    Args:
        figure: a matplotlib `Figure` of 72 dpi, drawn under the settings it was made with.
        name: unique on the page; stands before every id.
        title: what a screen reader says.
    """
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata=NO_METADATA)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 (our own drawing, a moment old)
    root.remove(root[0])  # a style sheet for every element: it would reach the whole page
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _own(_local(key), value, name) for key, value in element.attrib.items()}
        element.text, element.tail = (element.text if element.tag == "text" else None), None
        if element.tag == "g":
            element.attrib.pop("id", None)
    _address(root, title)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))  # noqa: S704 (escaped by ET)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _own(key: str, value: str, name: str) -> str:
    """An attribute's value with ids made the drawing's own and stand-ins made variables."""
    if key == "id":
        return f"{name}-{value}"
    value = re.sub(r"^#(?=[A-Za-z])" if key == "href" else r"url\(#", lambda match: f"{match[0]}{name}-", value)
    if key in ("style", "fill", "stroke"):
        value = FONT_FAMILY.sub("", value)
        for colour, variable in VARIABLES.items():
            value = value.replace(colour, f"var({variable})")
    return value


def _address(root: ET.Element, title: str) -> None:
    """Give the drawing its role, its spoken title and a width that may shrink but not grow."""
    width = float(root.attrib["width"].removesuffix("pt"))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": visible(title), "style": f"max-width:{width:g}px"}
