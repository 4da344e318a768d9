"""Text of strangers, made fit for a line of a log or a terminal."""

import hashlib

SHOWN_CHARS = 2_000
"""Ours: what is shown of one foreign text; a path may have 64 KiB."""


def short(secret: str) -> str:
    """Eight hexadecimal digits that tell one secret from another, and nothing else."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


def printable(text: str, limit: int = SHOWN_CHARS) -> str:
    """The text in one line, with whatever does not print written as its escape.

    A newline would begin a line that the mock never wrote, an escape sequence would recolour or erase
    those that it did, and a direction override would reorder what is read.
    """
    shown = text if len(text) <= limit else f"{text[:limit]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in shown)
