"""Broken lines of an export, kept as JSON Lines for whoever mends them or asks the vendor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from visionbatch.config import KIB

FILE_NAME = "quarantine.jsonl"

TEXT_BYTES = 64 * KIB
"""Bytes of a broken line that are kept; file and line number lead to the rest."""


@dataclass(frozen=True)
class Refused:
    """A line that is broken, as it stands in the file.

    :param line: its number.
    :param rule: stable name of what is wrong.
    :param text: its beginning; bytes that are not UTF-8 stand there as a backslash, an x and two digits.
    :param cut: whether there was more.
    """

    line: int
    rule: str
    reason: str
    text: str
    cut: bool

    @classmethod
    def of(cls, line: int, rule: str, reason: str, content: bytes) -> Refused:
        """What is kept of a line's content."""
        kept = content[:TEXT_BYTES]
        cut = len(kept) < len(content) or rule == "line-too-long"
        return cls(line, rule, reason, kept.decode("utf-8", "backslashreplace"), cut)


class Quarantine:
    """A file of broken lines, there and empty when there is none.

    :param path: a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x", encoding="utf-8")
        self.count = 0

    def add(self, source: str, refused: Refused) -> None:
        """Keep one line of a file."""
        self.count += 1
        self._file.write(json.dumps({"file": source, **asdict(refused)}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """End the file."""
        self._file.close()
