"""Events that arrive one by one, each written once and for good before it is acknowledged.

Each becomes a JSON Lines file of one line, in a folder of what it is about, named by its id. Several receivers on
several machines may take deliveries of the same event, and an object store cannot append: a name that only one of them
can take needs no lock between them. Whatever reads JSON Lines reads such a folder as one table.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from visionbatch.errors import Unreachable


class Landing(Protocol):
    """A folder of folders for events."""

    def land(self, folder: str, name: str, content: bytes) -> bool:
        """Write a file unless it is there, and say whether it was written; after a crash it is whole or not there.

        :param folder: a single path component.
        :raises Unreachable: when it could not be written.
        """


class LocalLanding:
    """On the local disk; flushed to it before a file gets its name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def land(self, folder: str, name: str, content: bytes) -> bool:
        """See `Landing.land`."""
        home = self._path / folder
        partial = home / f".{name}.{secrets.token_hex(4)}.partial"
        try:
            home.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                # A link fails where a rename would replace.
                os.link(partial, home / name)
            finally:
                with suppress(FileNotFoundError):
                    partial.unlink()
        except FileExistsError:
            return False
        except OSError as error:
            raise Unreachable(f"{home / name} cannot be written ({error.strerror})") from error
        return True


class ObjectLanding:
    """Behind any fsspec filesystem.

    Two receivers that meet the same event within the same moment may both write, and both the same.

    :param path: in that filesystem, without protocol.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = path.rstrip("/")

    def land(self, folder: str, name: str, content: bytes) -> bool:
        """See `Landing.land`."""
        home = f"{self._path}/{folder}"
        try:
            self._filesystem.invalidate_cache(home)
            if self._filesystem.exists(f"{home}/{name}"):
                return False
            self._filesystem.makedirs(home, exist_ok=True)
            self._filesystem.pipe_file(f"{home}/{name}", content)
        except Exception as error:
            # Each backend of fsspec has errors of its own.
            raise Unreachable(f"{home}/{name} cannot be written ({type(error).__name__})") from error
        return True
