"""What a fetch has put in place so far, line by line, so that a kill costs no file that is there."""

from __future__ import annotations

import dataclasses
import json
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
        same = self._read(fingerprint)
        self._file: TextIO = path.open("a" if same else "w", encoding="utf-8")
        if not same:
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

    def _read(self, fingerprint: str) -> bool:
        """Take in what is there; false when it is of something else, or its last line was torn by a kill."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
            if json.loads(lines[0]) != {"fingerprint": fingerprint}:
                return False
            for line in filter(None, lines[1:]):
                file = self._file_of(json.loads(line))
                self.noted[file.key] = file
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return lines[-1] == ""
