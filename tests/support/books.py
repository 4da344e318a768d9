"""Judging by what the mock committed and was asked, never by what the client says of itself."""

from __future__ import annotations

import base64
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import google_crc32c

from support.orders import sha256
from visionbatch_mock.journal import JournalEntry
from visionbatch_mock.ledger import LedgerEntry
from visionbatch_mock.tenant import Tenant

CHUNKS, PROBES = "storage.sessions.chunk", "storage.sessions.probe"
CREATE, GET, DELETE = "deepomatic.batches.create", "deepomatic.batches.get", "deepomatic.batches.delete"


class Books:
    """The ledger and the journal of one customer, and what a test asks of them."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def effects(self, effect: str) -> list[LedgerEntry]:
        return self.tenant.ledger.entries(effect)

    def requests(self, operation: str) -> list[JournalEntry]:
        return self.tenant.journal.entries(operation)

    @property
    def on_sessions(self) -> list[JournalEntry]:
        return [entry for entry in self.tenant.journal.entries() if str(entry.operation).startswith("storage.sessions")]

    def arrived_once(self, archive: bytes) -> str:
        """The archive was committed once, byte for byte, and none of its bytes was stored twice; gives the batch."""
        (committed,) = self.effects("archive.committed")
        crc = google_crc32c.value(archive).to_bytes(4, "big")
        assert committed["size"] == len(archive)
        assert committed["crc32c"] == base64.b64encode(crc).decode()
        assert committed["sha256"] == sha256(archive)
        self.stored_no_byte_twice()
        batch_id = str(committed["batch_id"])
        assert self.stored_runs()[batch_id][-1] == [(0, len(archive))]
        return batch_id

    def processed_once(self, archive: bytes, outcome: str = "success") -> str:
        """It also was processed once, and no other batch ever was."""
        batch_id = self.arrived_once(archive)
        self.tenant.clock.advance(3600)
        (processed,) = self.effects("batch.processed")
        assert (processed["batch_id"], processed["outcome"]) == (batch_id, outcome)
        return batch_id

    def nothing_processed(self) -> None:
        self.tenant.clock.advance(3600)
        assert not self.effects("batch.processing")
        assert not self.effects("batch.processed")

    def stored_no_byte_twice(self) -> None:
        self.stored_runs()

    def stored_runs(self) -> dict[str, list[list[tuple[int, int]]]]:
        """Bytes stored by batch and session, adjacent runs joined; none may overlap or leave a gap."""
        found: dict[str, list[list[tuple[int, int]]]] = defaultdict(list)
        for entry in self.tenant.ledger.entries():
            if entry.effect == "session.opened":
                found[entry["batch_id"]].append([])
            elif entry.effect == "bytes.persisted":
                runs = found[entry["batch_id"]][-1]
                start, stop = entry["start"], entry["stop"]
                assert start == (runs[-1][1] if runs else 0), f"stored {start}-{stop} after {runs}"
                runs[:] = [(0, stop)]
        return found

    @property
    def sent_bytes(self) -> int:
        """Bytes of all chunks that reached the mock, stored or not."""
        return sum(entry.received for entry in self.requests(CHUNKS))

    def sent_no_key_on_the_data_plane(self) -> None:
        assert not [entry for entry in self.on_sessions if entry.authorization]


class BytesSource:
    """An archive in memory, which may be made to change or to vanish by whoever holds it."""

    def __init__(self, content: bytes, name: str = "memory") -> None:
        self.content = content
        self.name = name
        self.size = self.summary_start = len(content)
        self.fingerprint = sha256(content)

    def blocks(self, offset: int, stop: int, block_bytes: int):
        while offset < stop:
            block = self.content[offset : min(stop, offset + block_bytes)]
            yield block
            offset += len(block)

    def span(self, offset: int, stop: int) -> None:
        pass

    def verify(self) -> None:
        pass


class At:
    """A progress callback that does something once, when a position is reached."""

    def __init__(self, position: int, action: Callable[[], object]) -> None:
        self._position = position
        self._action: Callable[[], object] | None = action

    def __call__(self, position: int, total: int) -> None:
        if self._action is not None and position >= self._position:
            action, self._action = self._action, None
            action()

    @property
    def happened(self) -> bool:
        return self._action is None


@contextmanager
def sparse(size: int) -> Iterator[Path]:
    """A file of nothing but a hole, in memory where there is such a place: a disk would cache every page of it."""
    memory = Path("/dev/shm")
    with tempfile.NamedTemporaryFile(suffix=".zip", dir=memory if memory.is_dir() else None) as file:
        file.truncate(size)
        yield Path(file.name)
