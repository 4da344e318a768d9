"""Files of batches and where their bytes lie: on disk, often in the middle of an archive."""

import base64
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from visionbatch_mock.config import SessionKind
from visionbatch_mock.roboflow.words import ContentType
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.sessions import Promise

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

BUCKET = "roboflow-staging"
"""Any name does: clients see signed URLs only."""

BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """A run of bytes in a file on disk; `checksum` is their CRC-32C."""

    path: Path
    offset: int
    size: int
    checksum: int

    def blocks(self) -> Iterator[bytes]:
        """The bytes, read as they are asked for."""
        left = self.size
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left and (block := file.read(min(BLOCK_BYTES, left))):
                left -= len(block)
                yield block


@dataclass(slots=True)
class StagedFile:
    """One entry of a batch's content; `name` is what the service calls it, whatever that is."""

    name: str
    kind: ContentType
    content: Content
    shard_id: str | None = None
    nested: ContentType | None = None
    stored: StoredObject | None = field(default=None, repr=False)
    """Set with the first download, which needs an object with checksums of its own."""


class Warehouse:
    """Puts bytes on disk, on the engine that serves all uploads and downloads of the mock."""

    def __init__(self, tenant: "Tenant") -> None:
        self._tenant = tenant
        self._lock = threading.Lock()
        self._kept = 0

    @property
    def scratch(self) -> Path:
        """Where temporary files may lie."""
        return self._tenant.directory

    def keep(self, blocks: Iterable[bytes]) -> StoredObject:
        """Write an object and finish it."""
        session = self._tenant.new_session(Target(BUCKET, self._new_name()), _Silent(), SessionKind.JSON)
        for block in blocks:
            session.append(session.persisted, memoryview(block))
        session.complete(self._tenant.objects.put, Promise())
        if session.stored is None:
            raise RuntimeError("a completed session has an object")
        return session.stored

    def file(
        self, name: str, kind: ContentType, blocks: Iterable[bytes], nested: ContentType | None = None
    ) -> StagedFile:
        """The same as an entry of a batch."""
        return file_of(name, kind, self.keep(blocks), nested)

    def _new_name(self) -> str:
        with self._lock:
            self._kept += 1
            return str(self._kept)

    def object_of(self, file: StagedFile) -> StoredObject:
        """The object behind an entry, cut out of its archive if need be."""
        if file.stored is None:
            file.stored = self.keep(file.content.blocks())
        return file.stored


def file_of(name: str, kind: ContentType, stored: StoredObject, nested: ContentType | None = None) -> StagedFile:
    """An entry whose bytes are a whole object."""
    checksum = int.from_bytes(base64.b64decode(stored.digests.crc32c))
    return StagedFile(name, kind, Content(stored.path, 0, stored.size, checksum), None, nested, stored)


class _Silent:
    """Nobody needs to hear of these objects; what they mean is written into the ledger elsewhere."""

    def persisted(self, start: int, stop: int) -> None:
        """Nothing."""

    def completed(self, stored: StoredObject) -> None:
        """Nothing."""

    def cancelled(self) -> None:
        """Nothing."""
