"""Looking for secrets in everything that Airflow writes: its database, its logs, and the results."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[bytes]:
    """A secret as it may be written: raw, quoted for a URL, escaped for JSON, or in base64 at any alignment."""
    raw = secret.encode()
    texts = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
    texts.add(secret.replace("/", "\\/"))
    found = {text.encode() for text in texts}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # Only the part that does not depend on what stands before and behind.
        core = encoded[(0, 2, 3)[offset] : (offset + len(raw)) * 8 // 6]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def places_of(secrets: Iterable[str], texts: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where one of the secrets stands, as ``place: number of the secret``; never the secret itself."""
    wanted = [(number, form) for number, secret in enumerate(secrets) for form in forms(secret)]
    return sorted({f"{place}: secret {number}" for place, text in texts for number, form in wanted if form in text})


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
