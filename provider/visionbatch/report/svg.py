"""Drawing by small functions: elements whose every text and attribute is escaped.

Shapes carry class names and no colours, so that the page can show them light, dark and on paper.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

EMPTY = Markup()


@dataclass(frozen=True)
class Drawing:
    """Shapes with the size of the area that they fill, in user units."""

    width: float
    height: float
    body: Markup

    def at(self, x: float, y: float) -> Markup:
        """The same inside a larger drawing."""
        return element("g", self.body, transform=f"translate({number(x)} {number(y)})")

    def figure(self, alternative: str, **attributes: str) -> Markup:
        """An inline image for a page, with what it says in words."""
        shown = {"role": "img", "aria_label": alternative} if alternative else {"aria_hidden": "true"}
        box = f"0 0 {number(self.width)} {number(self.height)}"
        return element("svg", self.body, viewBox=box, focusable="false", **shown, **attributes)


def element(tag: str, *children: str, **attributes: float | str | None) -> Markup:
    """One element; ``class_`` and ``stroke_width`` become ``class`` and ``stroke-width``, ``None`` is left out."""
    written = EMPTY.join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number(given) if _is_number(given) else given)
        for key, given in attributes.items()
        if given is not None
    )
    inside = EMPTY.join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, written, inside)


def number(value: float | str) -> str:
    """A coordinate with two decimals at most, the same on every machine."""
    return f"{round(float(value), 2) + 0.0:.7g}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def rectangle(x: float, y: float, width: float, height: float, class_: str, radius: float | None = None) -> Markup:
    """A rectangle; nothing when it is empty."""
    if width <= 0 or height <= 0:
        return EMPTY
    return element("rect", x=x, y=y, width=width, height=height, rx=radius, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, content: str, class_: str, anchor: str | None = None) -> Markup:
    """One line of text on a baseline."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def polyline(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """A line through points."""
    return element("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), class_=class_)


def fitted(content: str, width: float, size: float) -> str:
    """Text cut with an ellipsis so that it keeps within a width, by what letters of a sans serif take at most."""
    room = width / size
    if sum(map(_advance, content)) <= room:
        return content
    kept, used = "", 1.0
    for char in content:
        used += _advance(char)
        if used > room:
            break
        kept += char
    return f"{kept.rstrip()}…"


def _advance(char: str) -> float:
    """The width of a letter in units of the size, on the safe side."""
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.0
    if char in "mwMW@%—":
        return 1.0
    if char in "iljt.,:;|!'()[] fr-":
        return 0.38
    return 0.68 if char.isupper() else 0.58
