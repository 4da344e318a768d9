"""Looking for secrets in everything that is written: files, tables, pages, and what processes print."""

from __future__ import annotations

import base64
import html
import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

SHORTEST = 10
"""Characters of base64 that are no accident, wherever they are found."""


def canary(name: str) -> str:
    """A secret that is easy to find and holds what encodings change."""
    return f"{name}-%/+=&'\"<{secrets.token_hex(12)}"


def header_canary(name: str) -> str:
    """The same for what has to be a key in a header."""
    return f"{name}-%/+={secrets.token_hex(12)}"


def written(secret: str) -> dict[str, bytes]:
    """A secret in each way in which a program writes text down, by the name of the way.

    In base64 it stands at one of three alignments, and only what does not depend on its neighbours is looked for.
    """
    once, plus = quote(secret, safe=""), quote_plus(secret)
    texts = {
        "raw": secret,
        "url": once,
        "url, slashes kept": quote(secret),
        "url, as a form": plus,
        "url, twice": quote(once, safe=""),
        "url, small digits": quote_plus(secret).replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"),
        "json": json.dumps(secret)[1:-1],
        "json, slashes escaped": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "html": html.escape(secret),
        "html, numbers": html.escape(secret).replace("&#x27;", "&#39;"),
        "html, quotes kept": html.escape(secret, quote=False),
        "python": repr(secret)[1:-1],
        "python, in bytes": repr(secret.encode())[2:-1],
    }
    ways = {name: text.encode() for name, text in texts.items()}
    for offset in range(3):
        for alphabet, encode in (("", base64.b64encode), (" for urls", base64.urlsafe_b64encode)):
            encoded = encode(b"\0" * offset + secret.encode())
            core = encoded[(0, 2, 3)[offset] : (offset + len(secret.encode())) * 8 // 6]
            if len(core) >= SHORTEST:
                ways[f"base64{alphabet}, {offset} ahead"] = core
    return ways


def places_of(wanted: Iterable[str], texts: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where one of the secrets stands, as ``place: number of the secret, way``; never the secret itself."""
    forms: dict[bytes, str] = {}
    for number, secret in enumerate(wanted):
        for way, form in written(secret).items():
            forms.setdefault(form, f"secret {number}, {way}")
    return sorted({f"{place}: {told}" for place, text in texts for form, told in forms.items() if form in text})


def files_below(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, name and content; the name is searched too."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield str(path), str(path).encode() + b"\n" + path.read_bytes()


def rows_of(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as text that keeps bytes and JSON as they are."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for number, row in enumerate(connection.execute(f'select * from "{table}"')):
                values = (value if isinstance(value, bytes) else str(value).encode() for value in row)
                yield f"table {table}, row {number}", b"\n".join(values)
    finally:
        connection.close()
