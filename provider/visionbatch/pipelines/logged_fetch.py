"""Fetching results into a folder, so that neither a kill nor an error costs a file that is there.

Each file is noted when it is in place, and the manifest tells them all: those of earlier runs too, as long as a fetch
has not come to its end.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

from visionbatch.errors import UnreadableRecord
from visionbatch.io.folders import Folder
from visionbatch.io.held import held
from visionbatch.pipelines.arrivals import Arrivals
from visionbatch.pipelines.fetch_log import NAME as LOG
from visionbatch.pipelines.fetch_log import FetchLog
from visionbatch.pipelines.fetched import MANIFEST
from visionbatch.pipelines.places import Places
from visionbatch.transfer.remote import Progress

log = logging.getLogger(__name__)


class Landed(Protocol):
    """A file, and what has become of it here, as a dataclass."""

    @property
    def key(self) -> Hashable:
        """Which file of the service's listing it is."""

    @property
    def path(self) -> str:
        """In the folder; empty for one that is not kept."""

    @property
    def size(self) -> int:
        """Bytes that were fetched."""


F = TypeVar("F", bound=Landed)
F_co = TypeVar("F_co", bound=Landed, covariant=True)


class FetchTold(Protocol[F_co]):
    """The manifest of a fetch, as a dataclass with ``files``, ``fetched_bytes`` and ``location``."""

    @property
    def files(self) -> tuple[F_co, ...]:
        """What is there."""

    def whole(self) -> bytes:
        """All of it as JSON."""

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read what `whole` wrote."""


M = TypeVar("M", bound=FetchTold[Any])


class LoggedFetch(ABC, Generic[F, M]):
    """One fetch into a folder.

    :param manifest: with what is known before anything is fetched; its outcome is "unfinished".
    :param fingerprint: of what is fetched; what a broken fetch has noted of anything else does not count.
    :param read: reads what `dataclasses.asdict` and JSON have made of a file.
    :param reserved: paths that no file gets.
    """

    def __init__(
        self,
        folder: Folder,
        manifest: M,
        fingerprint: str,
        read: Callable[[Mapping[str, Any]], F],
        *reserved: str,
        progress: Progress | None = None,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._fingerprint = fingerprint
        self._read = read
        self._arrivals = Arrivals(progress)
        self._guard = threading.Lock()
        self._places = Places(MANIFEST, LOG, *reserved)
        self._noted: dict[Any, F] = {}
        self._files: dict[Any, F] = {}
        self._fetched_bytes = 0

    @abstractmethod
    def _fetch_all(self, noted: FetchLog[F]) -> None:
        """Fetch what is not there yet, and tell each file to `_arrived` or, when it stood there already, `_add`."""

    @abstractmethod
    def _ended(self) -> M:
        """The manifest of a fetch that has come to its end, but for what `_write` fills in."""

    @abstractmethod
    def _goes_on_from(self, before: M) -> bool:
        """Whether an earlier manifest in the folder is of the same source."""

    def run(self) -> M:
        """Fetch what is not there yet, and write the manifest.

        :raises DownloadError: when a file cannot be fetched; what has arrived stays, for a later try.
        :raises AlreadyRunning: when another process fetches into the folder.
        """
        root = self._folder.target(MANIFEST).parent
        root.mkdir(parents=True, exist_ok=True)
        with held(root, "fetches into"), FetchLog(root / LOG, self._fingerprint, self._read) as noted:
            self._noted = {**self._from_manifest(), **noted.noted}
            for file in filter(lambda file: file.path, self._noted.values()):
                self._places.take(file.path)
            try:
                self._fetch_all(noted)
            except BaseException:
                # What was not looked at yet stays noted, and is looked at by the next run.
                taken = {file.path for file in self._files.values()}
                left = {key: file for key, file in self._noted.items() if not file.path or file.path not in taken}
                self._files = {**left, **self._files}
                self._write(self._manifest)
                raise
            manifest = self._write(self._ended())
            noted.done()
        return manifest

    def _from_manifest(self) -> dict[Any, F]:
        """What an earlier run has put here out of the same source."""
        text = self._folder.read(MANIFEST)
        try:
            before = None if text is None else type(self._manifest).parse(text)
        except UnreadableRecord as error:
            log.warning("%s: %s", self._folder.location, error)
            return {}
        if before is None or not self._goes_on_from(before):
            return {}
        return {file.key: file for file in self._landed(before)}

    def _landed(self, before: M) -> Iterable[F]:
        """The files that an earlier manifest tells of."""
        return before.files

    def _arrived(self, file: F, noted: FetchLog[F], fetched_bytes: int, counted: Hashable = None) -> None:
        """A file is in place now.

        :param counted: as what its bytes were told to ``_arrivals``; its key without.
        """
        noted.add(file)
        with self._guard:
            self._fetched_bytes += fetched_bytes
        self._add(file, counted)

    def _add(self, file: F, counted: Hashable = None) -> None:
        with self._guard:
            self._files[file.key] = file
        self._arrivals.advance(file.key if counted is None else counted, file.size)

    def _write(self, manifest: M) -> M:
        with self._guard:
            files = tuple(sorted(self._files.values(), key=lambda file: (file.path, str(file.key))))
        told = dataclasses.replace(  # type: ignore[type-var]  # a protocol cannot ask for a dataclass
            manifest,
            files=files,
            fetched_bytes=self._fetched_bytes,
            location=f"{self._folder.location.rstrip('/')}/{MANIFEST}",
        )
        self._folder.write(MANIFEST, told.whole())
        return told
