"""The check of metadata.json and parameters.json, in time and memory bounded by their size."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from visionbatch.deepomatic.rulebook import finding
from visionbatch.model.finding import Finding
from visionbatch.model.text import printable

MAX_DEPTH = 32
"""Metadata are text, numbers and booleans, so anything nested is a mistake already; recursive readers
die near a thousand."""

MAX_DIGITS = 400
"""Characters of a number that is still converted: a double has at most 309 digits before its point."""

_INT64 = 2**63
_TOKENS = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)
_IS_TYPE: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
}


def document_findings(path: str, raw: bytes, required: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with a document.

    Nothing in it makes this raise, or take longer than its size explains.

    :param required: names it must hold, with ``text``, ``number`` or ``boolean``, as on Deepomatic's
        page on configuring metadata.
    """
    if raw.startswith(BOM_UTF8):
        # An error although many readers skip it: the archive carries these bytes as they are, a reader
        # may refuse them by RFC 8259, and saving the file anew costs nothing.
        yield finding("document-bom", path, "the file begins with a byte order mark")
        raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        utf16 = raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
        where = "it looks like UTF-16" if utf16 else f"byte {error.start} is not UTF-8"
        yield finding("document-not-utf8", path, where)
        return
    if _is_too_deep(text):
        yield finding("document-too-deep", path, f"values are nested more than {MAX_DEPTH} deep")
        return
    yield from _value_findings(path, text, required)


def missing_document(path: str, required: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong when the document is not there at all."""
    if required:
        names = ", ".join(sorted(required))
        yield finding("required-missing", path, f"there is no such file, and it must hold {names}")


def _value_findings(path: str, text: str, required: Mapping[str, str]) -> Iterator[Finding]:
    reader = _Reader()
    try:
        value = reader.read(text)
    except json.JSONDecodeError as error:
        yield finding("document-not-json", path, f"{error.msg} in line {error.lineno}")
        return
    yield from (finding(rule, path, message) for rule, message in reader.complaints.items())
    if not isinstance(value, dict):
        yield finding("document-not-object", path, "the document is not an object in braces")
        return
    yield from _required_findings(path, value, required)


def _required_findings(path: str, value: Mapping[str, Any], required: Mapping[str, str]) -> Iterator[Finding]:
    for name, kind in sorted(required.items()):
        if name not in value:
            yield finding("required-missing", path, f"{name!r} is missing")
        elif not _IS_TYPE[kind](value[name]):
            yield finding("required-type", path, f"{name!r} is not a {kind}")


def _is_too_deep(text: str) -> bool:
    depth = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


class _Reader:
    """Reads JSON and notes what Python's reader lets pass: the first of each kind."""

    def __init__(self) -> None:
        self.complaints: dict[str, str] = {}

    def read(self, text: str) -> Any:
        value = json.loads(
            text,
            parse_int=self._int,
            parse_float=self._float,
            parse_constant=self._constant,
            object_pairs_hook=self._object,
        )
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            self._note("document-lone-surrogate", "a text holds one half of a surrogate pair")
        return value

    def _note(self, rule: str, message: str) -> None:
        self.complaints.setdefault(rule, message)

    def _int(self, digits: str) -> int:
        # Counted before it is converted: Python itself refuses more than 4300 digits, with an error.
        if len(digits) <= 20 and -_INT64 <= (number := int(digits)) < _INT64:
            return number
        self._note("document-huge-number", f"{digits[:20]}... has {len(digits)} characters")
        return 0

    def _float(self, digits: str) -> float:
        if len(digits) > MAX_DIGITS:
            self._note("document-huge-number", f"{digits[:20]}... has {len(digits)} characters")
            return 0.0
        number = float(digits)
        if math.isinf(number):
            self._note("document-not-finite", f"{digits} is too large for a number")
        return number

    def _constant(self, word: str) -> float:
        self._note("document-not-finite", f"{word} is not a JSON number")
        return 0.0

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name, member in pairs:
            if name in value:
                shown = printable(name, 60)
                self._note("document-duplicate-key", f"'{shown}' appears more than once")
            value[name] = member
        return value
