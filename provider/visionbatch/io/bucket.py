"""What the reading side of every bucket has: a name, a client of a library, made when needed, and parts of objects."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import Any

from visionbatch.config import DownloadSettings
from visionbatch.io.closing import Closable
from visionbatch.io.ranged import Ranges
from visionbatch.io.wire import WireLimits


class StoreBucket(Closable):
    """One bucket; use as a context manager. Nothing is asked before it is needed.

    Objects of it may be fetched from many threads.

    :param scheme: of addresses for people.
    :param settings: bounds on the exchanges in which bytes are fetched.
    """

    def __init__(self, name: str, scheme: str, settings: DownloadSettings | None) -> None:
        self.name = name
        self._scheme = scheme
        self._ranges = Ranges(WireLimits.of(settings or DownloadSettings()))
        self._client: Any = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._ranges.close()
        if self._client is not None:
            self._client.close()
            self._client = None

    def place(self, name: str = "") -> str:
        """The address of an object or prefix, for people."""
        return f"{self._scheme}://{self.name}/{name}"

    def _opened(self) -> Any:
        """The library's client, one for all threads."""
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    @abstractmethod
    def _open(self) -> Any:
        """Make the library's client; one that may not be used is not given."""
