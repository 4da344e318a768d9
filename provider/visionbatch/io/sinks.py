"""Where results are written, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol


class Sink(Protocol):
    """A folder for results."""

    def write(self, name: str, content: bytes) -> str:
        """Write a small file under its final name at once, and give its location."""


class LocalSink:
    """A folder on the local disk, made when the first file is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, content: bytes) -> str:
        """See `Sink.write`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / name
        partial = target.with_name(f".{name}.{os.getpid()}.partial")
        partial.write_bytes(content)
        partial.replace(target)
        return str(target)


class ObjectSink:
    """A prefix behind any fsspec filesystem; object stores show an object only when it is whole.

    :param folder: in that filesystem, without protocol.
    :param location: the same for people, with protocol.
    """

    def __init__(self, filesystem: Any, folder: str, location: str) -> None:
        self._filesystem = filesystem
        self._folder = folder.rstrip("/")
        self._location = location.rstrip("/")

    def write(self, name: str, content: bytes) -> str:
        """See `Sink.write`."""
        self._filesystem.makedirs(self._folder, exist_ok=True)
        self._filesystem.pipe_file(f"{self._folder}/{name}", content)
        return f"{self._location}/{name}"
