"""Broken lines of an export, kept as JSON Lines for whoever mends them or asks the vendor."""

from __future__ import annotations

import json
from pathlib import Path

from visionbatch.config import KIB

FILE_NAME = "quarantine.jsonl"

TEXT_BYTES = 64 * KIB
"""Bytes of a broken line that are kept; file and line number lead to the rest."""


class Quarantine:
    """A file of broken lines, there and empty when there is none.

    :param path: a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x", encoding="utf-8")
        self.count = 0

    def add(self, source: str, line: int, rule: str, reason: str, content: bytes) -> None:
        """Keep one line; bytes that are not UTF-8 stand in its text as a backslash, an x and two digits."""
        self.count += 1
        kept = content[:TEXT_BYTES]
        entry = {
            "file": source,
            "line": line,
            "rule": rule,
            "reason": reason,
            "text": kept.decode("utf-8", "backslashreplace"),
            "cut": len(kept) < len(content) or rule == "line-too-long",
        }
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """End the file."""
        self._file.close()
