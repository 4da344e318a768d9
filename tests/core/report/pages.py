"""A page as a strict reader sees it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

ALLOWED_TAGS = frozenset(
    (
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "footer",
            "details",
            "summary",
        ),
        *("h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "div", "span", "strong", "bdi", "time"),
        *("figure", "figcaption", "img", "table", "thead", "tbody", "tr", "th", "td"),
        *("svg", "g", "rect", "line", "polyline", "circle", "text"),
    )
)
ADDRESSED = {"src", "href", "action", "data", "poster", "srcset", "background", "formaction", "xlink:href"}


@dataclass(frozen=True)
class Page:
    """A parsed page.

    :param source: its text.
    :param root: its tree, as a browser would build it.
    """

    source: str
    root: Element

    def elements(self, tag: str) -> list[Element]:
        return [one for one in self.root.iter() if one.tag == tag]

    def text(self) -> str:
        """What is read, without the style sheet."""
        return plain(" ".join(_texts(self.root)))

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the body rows of a section's first table."""
        (section,) = [one for one in self.elements("section") if _first_text(one, "h2") == heading]
        body = next(one for one in section.iter() if one.tag == "tbody")
        return [[plain(" ".join(_texts(cell))) for cell in row] for row in body if row.tag == "tr"]


def plain(text: str) -> str:
    """Text with a single space for every stretch of spaces, the narrow ones in numbers among them."""
    return " ".join(text.split())


def read(path: Path) -> Page:
    """Parse a page; whatever a browser would have to repair is an error."""
    source = path.read_text(encoding="utf-8")
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return Page(source, _without_namespaces(parser.parse(source)))


def _without_namespaces(root: Any) -> Element:
    for one in root.iter():
        if isinstance(one.tag, str):
            one.tag = one.tag.rpartition("}")[2]
    return root  # type: ignore[no-any-return]


def _texts(element: Element) -> Iterator[str]:
    if element.tag != "style":
        yield element.text or ""
        for child in element:
            yield from _texts(child)
            yield child.tail or ""


def _first_text(element: Element, tag: str) -> str:
    return next(" ".join(_texts(one)) for one in element.iter() if one.tag == tag)


def require_self_contained(page: Page) -> None:
    """Nothing is loaded, run, framed or sent, and the browser is told to see to it."""
    (policy,) = [one.attrib["content"] for one in page.elements("meta") if "Security" in one.get("http-equiv", "")]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (style,) = page.elements("style")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert {one.tag for one in page.root.iter() if isinstance(one.tag, str)} <= ALLOWED_TAGS
    for element in page.root.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert name != "style"
            assert name not in ADDRESSED or value.startswith("data:image/jpeg;base64,")
    assert not re.search(r"url\(|@import|javascript:", style.text or "")
