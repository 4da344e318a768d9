"""One customer of the mocked services: everything behind one API token."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from visionbatch_mock.clock import TenantClock
from visionbatch_mock.config import Behaviour, MockConfig, SessionKind
from visionbatch_mock.courier import Room
from visionbatch_mock.deepomatic.batches import BatchBook
from visionbatch_mock.deepomatic.work_orders import WorkOrderStore
from visionbatch_mock.exports.book import ExportBook
from visionbatch_mock.faults import FaultBook
from visionbatch_mock.gate import Gate
from visionbatch_mock.ids import IdSource
from visionbatch_mock.journal import Journal
from visionbatch_mock.ledger import Effect, Ledger
from visionbatch_mock.names import Names
from visionbatch_mock.roboflow.room import Roboflow
from visionbatch_mock.snapshots import Snapshots
from visionbatch_mock.storage.description import Description
from visionbatch_mock.storage.objects import ObjectStore, StoredObject, Target
from visionbatch_mock.storage.parts import PartedUploads
from visionbatch_mock.storage.preconditions import Preconditions
from visionbatch_mock.storage.sessions import Promise, SessionWatcher, UploadSession
from visionbatch_mock.storage.small_files import SmallFiles
from visionbatch_mock.storage.spool import Spool
from visionbatch_mock.storage.watching import ObjectWatcher, note_created, note_deleted
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.iam import Iam

INVALID_PREFIX = "invalid"
"""Keys that begin like this are wrong, so that a test needs no set-up for a wrong key."""


class Tenant:
    """Stores, clock, faults, journal and ledger of one token.

    A test drives it with `configure`, `clock`, `faults.plan`, `batches` and `revoke`, and judges by
    `ledger.entries`, `journal.entries` and `FaultPlan.completed`.
    """

    def __init__(
        self,
        token: str,
        config: MockConfig,
        ids: IdSource,
        directory: Path,
        register: Callable[["Tenant", UploadSession], None],
        names: Names,
        watch: Callable[[Room], None],
    ) -> None:
        self.token = token
        self._config = config
        self._ids = ids
        self.directory = directory
        self._register = register
        self.names = names
        self._watch = watch
        self.gate = Gate()
        self.snapshots = Snapshots(self)
        self.reset()

    def reset(self) -> None:
        """Start over as a customer without history; sessions of before are unknown from now on."""
        self.behaviour: Behaviour = self._config.behaviour()
        self.revoked = False
        self.snapshots.clear()
        self.clock = TenantClock(self._config.speed)
        self.ledger = Ledger(self._now, self.settle)
        self.journal = Journal()
        self.faults = FaultBook(self._ids, self._now)
        self.objects = ObjectStore(self._now)
        self.small_files = SmallFiles()
        self.parted = PartedUploads(self._ids)
        self.work_orders = WorkOrderStore(self._ids, self._now)
        self.batches = BatchBook(self, self._ids.uuid)
        self.exports = ExportBook(self, self._ids)
        self.iam = Iam(self, self._ids)
        self.vias = ViasBook(self, self._ids, self._watch)
        self.roboflow = Roboflow(self, self._ids, self._config.seed, self._watch)

    @property
    def shut_out(self) -> bool:
        """Whether the key opens nothing: it was withdrawn, or is one of those that are always wrong."""
        return self.revoked or self.token.startswith(INVALID_PREFIX)

    def configure(self, **settings: Any) -> None:
        """Change behaviour from now on; raises `SettingError` for what cannot be set."""
        self.behaviour = self.behaviour.changed(settings)

    def revoke(self) -> None:
        """Make the token invalid from now on."""
        self.revoked = True

    def settle(self) -> None:
        """Commit what the clock has made due."""
        self.batches.settle()
        self.settle_exports()
        self.vias.settle()
        self.roboflow.settle()

    def expect_events(self) -> None:
        """Have webhooks that become due leave from now on, whether or not anybody asks the mock something."""
        for room in (self.vias, self.roboflow):
            self._watch(room)

    def settle_exports(self) -> None:
        """Let the vendor write the exports that have become due."""
        self.exports.settle()

    def open_session(
        self,
        target: Target,
        watcher: SessionWatcher,
        kind: SessionKind,
        *,
        total: int | None = None,
        **facts: Any,
    ) -> UploadSession:
        """A new upload session that its URL reaches; `facts` go to the ledger."""
        session = self.new_session(target, watcher, kind, total)
        self._register(self, session)
        self.ledger.commit(Effect.SESSION_OPENED, bucket=target.bucket, object=target.name, **facts)
        return session

    def new_session(
        self,
        target: Target,
        watcher: SessionWatcher,
        kind: SessionKind,
        total: int | None = None,
    ) -> UploadSession:
        """A session that no URL reaches, which is how a whole object in one request is received."""
        return UploadSession(
            self._ids.token(),
            kind,
            target,
            Spool(self.new_path()),
            watcher,
            now=self._now,
            life_s=self.behaviour.session_life_s,
            total=total,
        )

    def new_path(self) -> Path:
        """A file for bytes to come."""
        return self.directory / self._ids.token()

    def own_bucket(self, name: str) -> None:
        """Make the bucket, if need be, and claim it for this tenant; raises `NameTaken`."""
        self.names.claim_bucket(self, name)
        self.objects.bucket(name, make=True)

    def store(
        self, bucket: str, name: str, blocks: Iterable[bytes], description: Description | None = None
    ) -> StoredObject:
        """Make an object without a request, on the engine that serves uploads; the ledger has it too."""
        target = Target(bucket, name, description or Description())
        session = self.new_session(target, ObjectWatcher(self.ledger, bucket, name), SessionKind.JSON)
        for block in blocks:
            session.append(session.persisted, memoryview(block))
        session.complete(self.objects.put, Promise())
        if session.stored is None:
            raise RuntimeError("a completed session has an object")
        return session.stored

    def copy(self, source: StoredObject, target: Target) -> StoredObject:
        """A second object of the same bytes; raises `PreconditionFailed`."""
        made = self.objects.put_again(source, target)
        note_created(self.ledger, made)
        return made

    def delete(self, bucket: str, name: str, conditions: Preconditions) -> bool:
        """Remove an object; False when there is none. Raises `PreconditionFailed` or `NoSuchBucket`."""
        removed = self.objects.delete(bucket, name, conditions)
        if removed is not None:
            note_deleted(self.ledger, removed)
        return removed is not None

    def _now(self) -> float:
        return self.clock.now()
