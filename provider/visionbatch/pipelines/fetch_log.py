"""What a fetch has put in place so far, line by line, so that a kill costs no file that is there."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TextIO, TypeVar

from visionbatch.io.closing import Closable

NAME = ".fetched.jsonl"


class Noted(Protocol):
    """A file that is in place, as a dataclass."""

    @property
    def key(self) -> Hashable:
        """Which file of the service's listing it is."""


F = TypeVar("F", bound=Noted)


class FetchLog(Closable, Generic[F]):
    """A file beside the results; may be shared by threads.

    :param fingerprint: of what is being fetched; what was noted of anything else does not count.
    :param read: reads what `dataclasses.asdict` and JSON have made of a file.
    """

    def __init__(self, path: Path, fingerprint: str, read: Callable[[Mapping[str, Any]], F]) -> None:
        self._path = path
        self._file_of = read
        self._lock = threading.Lock()
        self.noted: dict[Any, F] = {}
        good = self._read(fingerprint)
        if good:
            os.truncate(path, good)
        self._file: TextIO = path.open("a" if good else "w", encoding="utf-8")
        if not good:
            self._line({"fingerprint": fingerprint})

    def add(self, file: F) -> None:
        """Note a file that is in place; it outlives a kill from here on."""
        with self._lock:
            self._line(dataclasses.asdict(file))  # type: ignore[call-overload]  # a protocol cannot ask for a dataclass

    def close(self) -> None:
        """End it, and leave it for a later try."""
        self._file.close()

    def done(self) -> None:
        """Remove it: the manifest has it all."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _line(self, value: object) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def _read(self, fingerprint: str) -> int:
        """Take in what is there.

        :returns: bytes up to where a kill, or a full disk, has torn a line; 0 when it is of something else.
        """
        good = 0
        try:
            for line in self._path.read_bytes().splitlines(keepends=True):
                value = json.loads(line)
                if not line.endswith(b"\n") or (good == 0 and value != {"fingerprint": fingerprint}):
                    break
                if good:
                    file = self._file_of(value)
                    self.noted[file.key] = file
                good += len(line)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return good
