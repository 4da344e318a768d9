"""Which inputs the records of an export name, for finding their images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any


class Inputs:
    """The ids of the inputs in files of records, taken in one file after the other.

    :ivar ids: each once, in the order of their first mention.
    :ivar unreadable_lines: lines that are no record; what is wrong with them is told by the tables.
    """

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.unreadable_lines = 0

    def take(self, lines: Iterable[bytes]) -> None:
        """Take a file in; lines end with a line feed and nothing else."""
        for number, line in enumerate(lines):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
            if not text.strip():
                continue
            try:
                self.ids.update(dict.fromkeys(_ids(json.loads(text))))
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
                self.unreadable_lines += 1


def _ids(record: Any) -> Iterator[str]:
    for item in record.get("work_items") or ():
        for one in item.get("input") or ():
            yield str(one["id"])
