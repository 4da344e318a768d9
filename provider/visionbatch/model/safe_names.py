"""Which names from outside may become paths on this disk, and what a name that may not can be called instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from hashlib import sha256

NAME_BYTES = 255
"""Longest part of a path that Linux's file systems take."""

PATH_BYTES = 4095
"""Longest path that Linux takes in one call."""

_SLASHES = re.compile(r"[/\\]")


class NameRule(StrEnum):
    """What is wrong with a name."""

    ABSOLUTE = "absolute"
    LEADS_UP = "leads-up"
    EMPTY_PART = "empty-part"
    DRIVE_LETTER = "drive-letter"
    BACKSLASH = "backslash"
    CONTROL_CHARACTER = "control-character"
    NOT_TEXT = "not-text"
    TOO_LONG = "too-long"

    @property
    def reason(self) -> str:
        """The same as the end of a sentence that begins with the name."""
        return _REASONS[self]


_REASONS = {
    NameRule.ABSOLUTE: "is absolute",
    NameRule.LEADS_UP: "has a part that leads up",
    NameRule.EMPTY_PART: "is empty, or has an empty part",
    NameRule.DRIVE_LETTER: "begins with a drive letter",
    NameRule.BACKSLASH: "has a backslash",
    NameRule.CONTROL_CHARACTER: "has a control character",
    NameRule.NOT_TEXT: "is not Unicode text",
    NameRule.TOO_LONG: f"has a part of more than {NAME_BYTES} bytes, or is too long for a path",
}


def broken_rule(name: str) -> NameRule | None:
    """The first rule that a name breaks; ``None`` for one that leads below a folder and nowhere else.

    :param name: with ``/`` between its parts.
    """
    return next(_broken(name), None)


def tame_name(name: str, fallback: str) -> str:
    """The nearest name that breaks no rule: parts that lead elsewhere are left out, what no disk takes is replaced.

    A leading full stop goes as well, for hidden names are those of files on their way.

    :param fallback: what it is called when nothing is left of it.
    """
    parts = [_tame(part) for part in _SLASHES.split(name) if part.strip() not in {"", ".", ".."}]
    tamed = "/".join(parts)
    return (tamed if len(tamed.encode()) <= PATH_BYTES // 2 else _shortened(parts[-1], tamed)) or fallback


def _broken(name: str) -> Iterator[NameRule]:
    # What leads elsewhere is named first: it tells an attack from an accident.
    if name.startswith(("/", "\\")):
        yield NameRule.ABSOLUTE
    if any(part == ".." for part in _SLASHES.split(name)):
        yield NameRule.LEADS_UP
    parts = name.split("/")
    if any(part in {"", "."} for part in parts):
        yield NameRule.EMPTY_PART
    if any(len(part) > 1 and part[1] == ":" and part[0].isalpha() for part in parts):
        yield NameRule.DRIVE_LETTER
    if "\\" in name:
        yield NameRule.BACKSLASH
    if any(ord(char) < 32 for char in name):
        yield NameRule.CONTROL_CHARACTER
    try:
        encoded = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        yield NameRule.NOT_TEXT
        return
    if max(encoded) > NAME_BYTES or sum(encoded) + len(encoded) > PATH_BYTES:
        yield NameRule.TOO_LONG


def _tame(part: str) -> str:
    text = part.encode("utf-8", "replace").decode()
    text = "".join("_" if ord(char) < 32 else char for char in text)
    if len(text) > 1 and text[1] == ":" and text[0].isalpha():
        text = f"{text[0]}_{text[2:]}"
    text = f"_{text[1:]}" if text.startswith(".") else text
    # Room is left for what is put around a name while its file is on its way, and for a suffix.
    return text if len(text.encode()) <= NAME_BYTES - 40 else _shortened(text, part)


def _shortened(text: str, whole: str) -> str:
    """The end of a name, which has its extension, behind a hash of all of it."""
    digest = sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{digest}-{text.encode()[-64:].decode('utf-8', 'ignore')}"
