"""What the staging service does with batches: begins them, takes files into them, ingests, and lets them expire."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from visionbatch_mock.ids import IdSource
from visionbatch_mock.ledger import Effect
from visionbatch_mock.roboflow.batches import Part, Shard, StagedBatch, lost
from visionbatch_mock.roboflow.deliveries import Deliveries
from visionbatch_mock.roboflow.files import StagedFile, Warehouse, file_of
from visionbatch_mock.roboflow.grants import Grant, Grants
from visionbatch_mock.roboflow.notices import of_ingest
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.tars import Found, Rejected, Subscription, examine
from visionbatch_mock.roboflow.words import BATCH_ID, BatchType, ContentType, Rejection, ShardState
from visionbatch_mock.storage.objects import StoredObject

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


class Staging:
    """The batches of one tenant. Called under the lock of `Roboflow`, whose `settle` drives it."""

    def __init__(self, tenant: "Tenant", ids: IdSource, deliveries: Deliveries) -> None:
        self._tenant = tenant
        self._ids = ids
        self._deliveries = deliveries
        self.warehouse = Warehouse(tenant)
        self.grants = Grants(tenant, ids)
        self._batches: dict[str, StagedBatch] = {}
        self._busy: dict[str, tuple[StagedBatch, Shard]] = {}

    def begin(self, batch_id: str, type_: BatchType, kind: ContentType, display_name: str | None) -> StagedBatch:
        """The batch to upload to, made with the first upload.

        Raises `Refused`: 400 for an id that is none, or where one kind of upload follows another.
        """
        found = self._batches.get(batch_id)
        if found is None:
            if not BATCH_ID.fullmatch(batch_id):
                raise Refused(400, f"batch id {batch_id!r} does not match {BATCH_ID.pattern}")
            return self.make(batch_id, type_, kind, display_name)
        if (found.type, found.kind) != (type_, kind):
            raise Refused(400, f"batch {batch_id} is a {found.type} of {found.kind}; kinds of upload cannot be mixed")
        return found

    def make(
        self,
        batch_id: str,
        type_: BatchType,
        kind: ContentType,
        display_name: str | None = None,
        *,
        at: float | None = None,
    ) -> StagedBatch:
        """A new batch, of now or of `at`; one of the same id is replaced."""
        born = self._tenant.clock.now() if at is None else at
        expires = born + self._tenant.behaviour.roboflow_batch_life_s
        batch = StagedBatch(batch_id, display_name or batch_id, type_, kind, born, expires)
        self._batches[batch_id] = batch
        facts = {"type": type_.value, "kind": kind.value}
        self._tenant.ledger.commit(Effect.STAGED_BATCH_MADE, at=born, batch_id=batch_id, **facts)
        return batch

    def get(self, batch_id: str) -> StagedBatch | None:
        """The batch of that id that has not expired."""
        return self._batches.get(batch_id)

    def all(self) -> list[StagedBatch]:
        """Every batch, newest first."""
        return list(reversed(self._batches.values()))

    def add(self, batch: StagedBatch, name: str, stored: StoredObject) -> None:
        """A single file of a simple batch; the last of a name wins."""
        again = name in batch.single
        batch.single[name] = file_of(name, batch.kind, stored)
        effect = Effect.VIDEO_STORED if batch.kind is ContentType.VIDEOS else Effect.IMAGE_STORED
        facts: dict[str, Any] = {"size": stored.size, "sha256": stored.digests.sha256, "again": again}
        self._tenant.ledger.commit(effect, batch_id=batch.id, name=name, **facts)

    def sign_video(self, batch: StagedBatch, name: str) -> Grant:
        """A URL that takes one video, which is usable as soon as it is there."""
        return self.grants.write(partial(self.add, batch, name))

    def sign_shard(self, batch: StagedBatch) -> Grant:
        """A URL that takes one archive; a shard is known from its archive's last byte on."""
        shard_id = self._ids.uuid()
        return self.grants.write(partial(self._archive, batch, shard_id))

    def refer(
        self, batch: StagedBatch, subscription: Subscription, finds: Sequence[Callable[[], Found]], *, listed: bool
    ) -> list[str]:
        """Ingest what each of `finds` will find, as a shard each; returns the shards' ids."""
        return [self._arrive(batch, self._ids.uuid(), find, subscription, listed=listed).id for find in finds]

    def write(self, batch: StagedBatch, part: Part, files: Iterable[StagedFile]) -> None:
        """Put files into a part of a multipart batch."""
        batch.parts.setdefault(part.name, part).files.extend(files)

    def _archive(self, batch: StagedBatch, shard_id: str, stored: StoredObject) -> None:
        rules, again = self._tenant.behaviour, shard_id in batch.shards
        self._arrive(batch, shard_id, partial(examine, stored.path, rules), None, listed=True)
        facts: dict[str, Any] = {"size": stored.size, "sha256": stored.digests.sha256, "again": again}
        self._tenant.ledger.commit(Effect.SHARD_STORED, batch_id=batch.id, shard_id=shard_id, **facts)

    def _arrive(
        self,
        batch: StagedBatch,
        shard_id: str,
        find: Callable[[], Found],
        subscription: Subscription | None,
        *,
        listed: bool,
    ) -> Shard:
        before = batch.shards.get(shard_id)
        number = len(batch.shards) + 1 if before is None else before.number
        now = self._tenant.clock.now()
        shard = Shard(shard_id, number, now, find, subscription, listed, event=now)
        batch.shards[shard_id] = shard
        self._busy[shard_id] = (batch, shard)
        return shard

    @property
    def busy(self) -> bool:
        """Whether anything is being ingested."""
        return bool(self._busy)

    def settle(self) -> None:
        """Commit what the clock has made due."""
        now, takes = self._tenant.clock.now(), self._tenant.behaviour.roboflow_indexing_s
        for batch, shard in list(self._busy.values()):
            if now >= shard.arrived + takes:
                self._ingest(batch, shard, shard.arrived + takes)
            elif now >= shard.arrived + takes / 2 and shard.state is ShardState.REGISTERED:
                shard.state, shard.event = ShardState.PROCESSING, shard.arrived + takes / 2
        for batch in [each for each in self._batches.values() if each.expires <= now]:
            self._expire(batch)

    def ingest(self, batch: StagedBatch) -> None:
        """End the ingest of a batch's shards now, whatever the clock says."""
        for shard in batch.unfinished:
            self._ingest(batch, shard, self._tenant.clock.now())

    def _expire(self, batch: StagedBatch) -> None:
        del self._batches[batch.id]
        for shard in batch.unfinished:
            self._busy.pop(shard.id, None)
        self._tenant.ledger.commit(Effect.STAGED_BATCH_EXPIRED, at=batch.expires, batch_id=batch.id)

    def _ingest(self, batch: StagedBatch, shard: Shard, at: float) -> None:
        self._busy.pop(shard.id, None)
        shard.found = self._found(shard)
        shard.subscription = shard.found.subscription or shard.subscription
        failed = shard.found.failure is not None or not shard.found.files
        shard.state, shard.event = (ShardState.FAILED if failed else ShardState.INGESTED), at
        for file in shard.found.files:
            file.shard_id = shard.id if shard.listed else None
            if not shard.listed:
                batch.single[file.name] = file
        self._tell(batch, shard, at)

    def _found(self, shard: Shard) -> Found:
        found = shard.find()
        if shard.listed and shard.number in self._tenant.behaviour.roboflow_lost_shards:
            return lost(found, Rejected(Rejection.LOST, "", "the shard could not be ingested"))
        if not found.files and found.failure is None:
            found.failure = Rejected(Rejection.EMPTY, "", "no file of the shard was accepted")
        return found

    def _tell(self, batch: StagedBatch, shard: Shard, at: float) -> None:
        self._tenant.ledger.commit(
            Effect.SHARD_INGESTED,
            at=at,
            batch_id=batch.id,
            shard_id=shard.id,
            status=shard.state.value,
            ok=len(shard.found.files),
            rejected=len(shard.found.rejected),
        )
        if shard.subscription is not None and shard.subscription.url is not None:
            shown = shard.id if shard.listed else None
            for notice in of_ingest(shard.subscription, batch.id, shown, shard.found):
                self._deliveries.send(shard.subscription.url, notice, at)
