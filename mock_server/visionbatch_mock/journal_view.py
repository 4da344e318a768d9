"""A line of the journal as people want it: with the route that was meant, and as a command to try again."""

import shlex
from typing import Any
from urllib.parse import quote

from flask import current_app

from visionbatch_mock.journal import JournalEntry
from visionbatch_mock.near_miss import nearest


def explained(entry: JournalEntry, base_url: str) -> dict[str, Any]:
    """The entry with `curl` and `nearest`, which is null for a request that found its route."""
    near = None if entry.matched else nearest(current_app.url_map, entry.method, entry.path)
    return {**entry.as_json(), "nearest": near.as_json() if near else None, "curl": as_curl(entry, base_url)}


def as_curl(entry: JournalEntry, base_url: str) -> str:
    """The request as a command for a shell. What is secret is a variable there, and the body a file."""
    parts = ["curl", "-i", "-X", shlex.quote(entry.method)]
    if entry.authorization:
        # The journal does not keep the scheme; either is taken everywhere.
        parts += ["-H", '"Authorization: Token $VISION_KEY"']
    if entry.content_type:
        parts += ["-H", shlex.quote(f"Content-Type: {entry.content_type}")]
    if entry.content_range:
        parts += ["-H", shlex.quote(f"Content-Range: {entry.content_range}")]
    if entry.received:
        parts += ["--data-binary", "@body"]
    return " ".join([*parts, f'"{base_url}{quote(entry.path)}{_query(entry)}"'])


def _query(entry: JournalEntry) -> str:
    """The arguments; a value that was not kept becomes the variable of its name."""
    shown = [argument.partition("=") for argument in entry.arguments]
    pairs = [f"{quote(key)}={quote(value) if value else _variable(key)}" for key, _, value in shown]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _variable(key: str) -> str:
    return "$" + "".join(char if char.isascii() and char.isalnum() else "_" for char in key).upper()
