"""What happens to objects, written into the ledger."""

from dataclasses import dataclass

from visionbatch_mock.ledger import Effect, Ledger
from visionbatch_mock.storage.objects import StoredObject


@dataclass(frozen=True, slots=True)
class ObjectWatcher:
    """Writes what happens on a client's own session into the ledger."""

    ledger: Ledger
    bucket: str
    name: str

    def persisted(self, start: int, stop: int) -> None:
        """Bytes arrived."""
        self.ledger.commit(Effect.BYTES_PERSISTED, bucket=self.bucket, object=self.name, start=start, stop=stop)

    def completed(self, stored: StoredObject) -> None:
        """The object exists."""
        note_created(self.ledger, stored)

    def cancelled(self) -> None:
        """The session was cancelled."""
        self.ledger.commit(Effect.SESSION_CANCELLED, bucket=self.bucket, object=self.name)


def note_created(ledger: Ledger, stored: StoredObject) -> None:
    """Write down that an object, or a generation of it, exists."""
    ledger.commit(
        Effect.OBJECT_CREATED,
        bucket=stored.bucket,
        object=stored.name,
        size=stored.size,
        generation=stored.generation,
        crc32c=stored.digests.crc32c,
        sha256=stored.digests.sha256,
    )


def note_deleted(ledger: Ledger, removed: StoredObject) -> None:
    """Write down that an object is gone."""
    ledger.commit(Effect.OBJECT_DELETED, bucket=removed.bucket, object=removed.name, generation=removed.generation)
