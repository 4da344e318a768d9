"""Streams of the Data Ingestion Service, as far as their readers need them: partitions, records, cursors.

A stream is made when the first event goes into it. What VIAS takes as a partition key is not documented; here it is the
task, so that the events of one task keep their order.
"""

import base64
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

CURSOR_S = 300.0
"""A cursor is good for so long, by Huawei's API reference of DIS."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a partition; `at` is epoch seconds."""

    sequence: int
    key: str
    at: float
    data: bytes = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """The record as an answer has it."""
        return {
            "partition_key": self.key,
            "sequence_number": str(self.sequence),
            "data": base64.b64encode(self.data).decode(),
            "timestamp": int(self.at * 1000),
            "timestamp_type": "CreateTime",
        }


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a partition: the sequence number to read from, and when the cursor was given out."""

    stream: str
    partition: int
    position: int
    given: float

    def written(self) -> str:
        """The text that clients pass on."""
        return base64.urlsafe_b64encode(
            json.dumps([self.stream, self.partition, self.position, self.given]).encode()
        ).decode()

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Read such a text; raises `ValueError` for any other."""
        stream, partition, position, given = json.loads(base64.urlsafe_b64decode(text.encode()))
        return cls(str(stream), int(partition), int(position), float(given))


class Streams:
    """The streams of one tenant."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._records: dict[str, list[list[Record]]] = {}
        self._kept_from: dict[tuple[str, int], int] = {}

    def put(self, stream: str, key: str, data: bytes, at: float, partitions: int) -> tuple[int, int]:
        """Append a record, and give partition and sequence number; the first one decides how many there are."""
        with self.lock:
            found = self._records.setdefault(stream, [[] for _ in range(partitions)])
            partition = crc32(key.encode()) % len(found)
            record = Record(len(found[partition]), key, at, data)
            found[partition].append(record)
            return partition, record.sequence

    def partitions(self, stream: str) -> list[list[Record]] | None:
        """Records by partition; None for a stream that nobody has written into."""
        with self.lock:
            found = self._records.get(stream)
            return None if found is None else [list(records) for records in found]

    def kept_from(self, stream: str, partition: int) -> int:
        """The oldest sequence number that is still kept."""
        with self.lock:
            return self._kept_from.get((stream, partition), 0)

    def forget(self, stream: str, partition: int, before: int) -> None:
        """Keep nothing older than that, as when its time is over."""
        with self.lock:
            self._kept_from[stream, partition] = before
