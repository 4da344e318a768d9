"""One run of a work-order batch: intent, creation, upload, and what becomes of it; each step recorded before the next.

``submit`` may be called again by any later try, on any machine: it reads the record, asks the service, and goes on from
there. ``conclude`` is called by whoever waited, or waits.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from contextlib import suppress

from visionbatch.deepomatic.api import SERVICE, Batch
from visionbatch.errors import (
    Corrupted,
    DeadlinePassed,
    InputChanged,
    NotFound,
    SessionLost,
    TransportError,
    UploadStalled,
    VisionBatchError,
)
from visionbatch.flow.effects import Pause
from visionbatch.flow.judge import Outcome
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnTimeout, Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.secret import SecretUrl
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.pipelines.conclusion import concluded
from visionbatch.pipelines.decide import Action, Decision, decide
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.inputs import Checked
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted
from visionbatch.transfer.source import Source
from visionbatch.transfer.upload import Checkpoint, Progress

log = logging.getLogger(__name__)

SESSIONS = 3
"""Sessions tried for one batch: a second one is ordinary (the first expired), a fourth would mean a fault of ours."""

SETTLING = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the looks that find out whether a session was lost because it had finished."""


class DeepomaticRun:
    """One run over one record.

    :param site: whose batch it is.
    :param store: where the record is kept.
    :param created: called with the batch's id as soon as there is one, before the first byte is sent.
    """

    def __init__(
        self,
        site: Deepomatic,
        store: RunStore,
        policies: Policies | None = None,
        *,
        progress: Progress | None = None,
        created: Callable[[str], None] | None = None,
    ) -> None:
        self._site = site
        self._store = store
        self._policies = policies or Policies()
        self._progress = progress
        self._created = created
        self._record = RunRecord(SERVICE, "")
        self._replaced = False

    @property
    def batch_id(self) -> str:
        """The batch this run works on now; empty before there is one."""
        return self._record.ref

    def submit(
        self, checked: Checked, *, label: str = "", deadline: float | None = None, cleared: bool = False
    ) -> Submitted:
        """See that the archive is at the service exactly once, whatever earlier tries did.

        :param label: what people see; the run's own mark is appended, so that the batch can be found again.
        :param deadline: Unix seconds by which the batch has to end, for the record.
        :param cleared: whether a person asked for this try.
        :raises InvalidInput: when the check found errors; nothing was sent.
        :raises InputChanged: by ``on_input_change``.
        :raises VisionBatchError: anything the service or the network does; the record says how to go on.
        """
        source = checked.ready()
        fingerprint = checked.report.fingerprint
        place = checked.report.location
        decision = self._decide(fingerprint, place, cleared=cleared)
        log.info("%s: generation %s: %s (%s)", SERVICE, decision.generation, decision.action, decision.reason)
        self._update(
            fingerprint=fingerprint,
            generation=decision.generation,
            place=place,
            total=source.size,
            deadline=deadline,
        )
        label = label or source.name
        if decision.action in (Action.BEGIN, Action.SEEK, Action.REPLACE):
            self._begin(label, source, seek=decision.action is Action.SEEK)
        elif decision.action is Action.RESUME:
            self._announce()
            self._send(source, label, self._site.get(self._record.ref), resumed=True)
        else:
            self._announce()
            self._update(stage=Stage.UPLOADED)
        return Submitted(self._record, self._archive_facts(checked, source), checked.report.warnings)

    def conclude(
        self,
        submitted: Submitted,
        end: Callable[[], Snapshot],
        *,
        sink: Sink | None = None,
        deliver: Callable[[Manifest], None] | None = None,
    ) -> Manifest:
        """Take the batch's end, fetch the error report, judge, and give the manifest of an accepted outcome.

        :param end: gives the batch's last state: by waiting here, or by reading what a triggerer saw.
        :param sink: where error report and manifest go; without one the report is only counted.
        :param deliver: called with the manifest before a refused outcome is raised.
        :raises DeadlinePassed: when ``end`` does; the batch is cancelled first if ``on_timeout`` says so.
        :raises JobError: for an outcome that the policies do not accept.
        """
        self._record = submitted.record
        try:
            snapshot = end()
        except DeadlinePassed:
            if self._policies.on_timeout is OnTimeout.CANCEL:
                self.cancel()
            raise
        manifest, verdict = concluded(self._site, submitted, snapshot, self._policies.on_partial, sink)
        self._update(stage=Stage.ENDED, outcome=verdict.outcome.value)
        level = logging.INFO if verdict.outcome is Outcome.DONE else logging.WARNING
        log.log(level, "%s batch %s: %s", SERVICE, submitted.batch_id, verdict.reason)
        if sink is not None:
            sink.write(f"{submitted.batch_id}.manifest.json", json.dumps(manifest.to_json(), indent=1).encode())
        if deliver is not None:
            deliver(manifest)
        verdict.require(SERVICE, submitted.batch_id)
        return manifest

    def cancel(self) -> None:
        """Delete this run's batch, if there is one."""
        if self._record.ref:
            self._site.delete(self._record.ref)
            log.info("%s batch %s: cancelled", SERVICE, self._record.ref)

    def _decide(self, fingerprint: str, place: str, *, cleared: bool) -> Decision:
        stored = self._store.load()
        remote = self._remote(stored.ref) if stored is not None else None
        decision = decide(stored, fingerprint, self._policies, remote, place=place, cleared=cleared)
        self._record = stored or self._record
        if decision.action is Action.REPLACE and remote is not None and not remote.phase.is_terminal:
            self.cancel()
        if decision.action in (Action.BEGIN, Action.REPLACE):
            self._record = RunRecord(SERVICE, fingerprint, decision.generation)
        return decision

    def _remote(self, batch_id: str) -> Snapshot | None:
        if not batch_id:
            return None
        try:
            return self._site.get(batch_id).snapshot
        except NotFound:
            return None

    def _begin(self, label: str, source: Source, *, seek: bool = False) -> None:
        """Make a batch and send the archive to it; the intent is on record before, the id before the first byte."""
        mark = f"{label}.{self._record.fingerprint[:8]}.{self._record.generation}"
        batch = self._site.perform(self._site.api.find(mark)) if seek else None
        self._update(stage=Stage.INTENT)
        batch = batch or self._site.create(mark)
        self._update(stage=Stage.CREATED, ref=batch.batch_id, sent=0, checked=0, crc32c=0)
        self._announce()
        self._send(source, label, batch, resumed=False)

    def _announce(self) -> None:
        log.info("%s batch %s", SERVICE, self._record.ref)
        if self._created is not None:
            self._created(self._record.ref)

    def _send(self, source: Source, label: str, batch: Batch, *, resumed: bool) -> None:
        """Send the archive over the batch's session, or over the one that takes a lost session's place."""
        url = batch.upload_url
        for _ in range(SESSIONS):
            if url is None:
                self._without_session(source, label, batch)
                return
            resume = Checkpoint(self._record.sent, self._record.checked, self._record.crc32c) if resumed else None
            try:
                self._upload(source, url, resume)
            except SessionLost as lost:
                log.warning("%s", lost)
                batch = self._after_loss(lost)
                # The same address again is the same dead session.
                url, resumed = (None if batch.upload_url == url else batch.upload_url), False
            else:
                self._update(stage=Stage.UPLOADED, sent=source.size)
                return
        raise UploadStalled(
            f"{SESSIONS} sessions were lost one after the other",
            service=SERVICE,
            ref=self._record.ref,
            total=source.size,
        )

    def _upload(self, source: Source, url: SecretUrl, resume: Checkpoint | None) -> None:
        try:
            self._site.upload(
                source,
                url,
                batch_id=self._record.ref,
                resume=resume,
                progress=self._progress,
                checkpoint=self._save_checkpoint,
            )
        except (Corrupted, InputChanged):
            # What the batch holds must not be processed, or taken for a part of something better.
            with suppress(VisionBatchError):
                self.cancel()
            raise

    def _after_loss(self, lost: SessionLost) -> Batch:
        """Ask the control plane what a lost session means; after the last byte, give it time to show."""
        batch = self._site.get(self._record.ref)
        for seconds in SETTLING if lost.all_sent else ():
            if batch.snapshot.phase is not Phase.AWAITING_DATA:
                break
            self._site.clock.pause(Pause(seconds, seconds))
            batch = self._site.get(self._record.ref)
        return batch

    def _without_session(self, source: Source, label: str, batch: Batch) -> None:
        """The batch takes nothing more: it is complete, or it can only be replaced, which is done once in a try."""
        if batch.snapshot.phase is not Phase.AWAITING_DATA:
            self._update(stage=Stage.UPLOADED)
            return
        if self._replaced:
            raise UploadStalled(
                "the batch waits for its archive but gives no session, and so did the one before",
                service=SERVICE,
                ref=self._record.ref,
                total=source.size,
            )
        log.warning("%s batch %s gives no session; making the next generation", SERVICE, self._record.ref)
        self._replaced = True
        self.cancel()
        self._record = RunRecord(
            SERVICE, self._record.fingerprint, self._record.generation + 1, deadline=self._record.deadline
        )
        self._update(total=source.size)
        self._begin(label, source)

    def _save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Record how far the upload is; losing a checkpoint costs a later try some reading, and no more."""
        try:
            self._update(sent=checkpoint.sent, checked=checkpoint.checked, crc32c=checkpoint.crc32c)
        except TransportError as error:
            log.warning("the checkpoint at %d bytes is not saved: %s", checkpoint.sent, error.what)

    def _update(self, **changes: object) -> None:
        self._record = dataclasses.replace(self._record, **changes)  # type: ignore[arg-type]  # names are checked at run time
        self._store.save(self._record)

    def _archive_facts(self, checked: Checked, source: Source) -> dict[str, int | str]:
        whole = self._record.checked == source.size
        return {
            "size": source.size,
            "crc32c": f"{self._record.crc32c:08x}" if whole else "",
            "fingerprint": checked.report.fingerprint,
            "work_orders": checked.report.work_orders,
            "files": checked.report.files,
        }
