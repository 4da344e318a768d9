"""Text of strangers, made fit for a line of a log or a terminal."""

import hashlib
from typing import TypeGuard

DIGITS = 18
"""Ours: longer numbers do not come up, and Python refuses to read those of thousands of digits."""

SHOWN_CHARS = 2_000
"""Ours: what is shown of one foreign text; a path may have 64 KiB."""


def short(secret: str) -> str:
    """Eight hexadecimal digits that tell one secret from another, and nothing else."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is text that can be written; JSON may hold halves of characters, which cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_number(text: str) -> int | None:
    """The whole number from 0 that a text writes; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def printable(text: str, limit: int = SHOWN_CHARS) -> str:
    """The text in one line, with whatever does not print written as its escape.

    A newline would begin a line that the mock never wrote, an escape sequence would recolour or erase
    those that it did, and a direction override would reorder what is read.
    """
    shown = text if len(text) <= limit else f"{text[:limit]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in shown)
