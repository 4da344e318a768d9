"""One run of a work-order batch: intent, creation, upload, and what becomes of it; each step recorded before the next.

``submit`` may be called again by any later try, on any machine: it reads the record, asks the service, and goes on from
there. ``conclude`` is called by whoever waited, or waits.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from visionbatch.deepomatic.api import SERVICE, Batch
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.errors import InputMissing, NotFound, UploadStalled, VisionBatchError
from visionbatch.flow.judge import Verdict
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.attempt import Found
from visionbatch.pipelines.conclusion import concluded
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.inputs import Checked
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.remote_run import RemoteRun
from visionbatch.pipelines.sending import Sender
from visionbatch.pipelines.submitted import Submitted
from visionbatch.transfer.source import Source
from visionbatch.transfer.upload import Progress

log = logging.getLogger(__name__)


class _Batches:
    """The batch that a record names; one that none names has no archive, and is never processed."""

    def __init__(self, site: Deepomatic) -> None:
        self._site = site

    def look(self, record: RunRecord) -> Found:
        batch = self._site.get(record.ref)
        return Found(batch.snapshot, not batch.snapshot.phase.is_terminal, batch.upload_url is not None)

    def cancel(self, record: RunRecord) -> None:
        if record.ref:
            self._site.delete(record.ref)
            log.info("%s batch %s: cancelled", SERVICE, record.ref)


class DeepomaticRun(RemoteRun):
    """One run over one record.

    :param site: whose batch it is.
    :param store: where the record is kept.
    :param created: called with the batch's id as soon as there is one, before the first byte is sent.
    :param decided: called with what a try is going to do, before it does anything.
    """

    def __init__(
        self,
        site: Deepomatic,
        store: RunStore,
        policies: Policies | None = None,
        *,
        progress: Progress | None = None,
        created: Callable[[str], None] | None = None,
        decided: Callable[[Decision], None] | None = None,
    ) -> None:
        super().__init__(
            SERVICE,
            store,
            _Batches(site),
            policies or Policies(),
            site.clock,
            grace_s=site.tuning.pace.grace_s,
            created=created,
            decided=decided,
        )
        self._site = site
        self._sender = Sender(site, self._journal, progress)

    @property
    def batch_id(self) -> str:
        """The batch this run works on now; empty before there is one."""
        return self._journal.record.ref

    def submit_place(
        self,
        place: str | Path,
        *,
        check: CheckSettings | None = None,
        filesystem: Any = None,
        label: str = "",
        deadline: float | None = None,
        cleared: bool = False,
    ) -> Submitted:
        """Check a folder or zip and `submit` it; a batch that has its archive already does not need the source again.

        :raises InputMissing: when the source is not there and no earlier try has sent it.
        """
        try:
            with self._site.check(place, check, filesystem) as checked:
                log.info("%s", checked.report.summary())
                return self.submit(checked, label=label, deadline=deadline, cleared=cleared)
        except InputMissing as missing:
            self._take_what_is_ours(place)
            adopted = self._adopted_without_source()
            if adopted is None:
                self._tell_how_far(missing)
                raise
            log.warning("%s; going on with batch %s, which has its archive", missing.what, adopted.batch_id)
            return adopted

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
        report = checked.report
        decision = self._attempt.begin(
            report.fingerprint, report.location, deadline=deadline, cleared=cleared, total=source.size
        )
        if decision.action is Action.RESUME:
            self._announce()
            self._deliver(label or source.name, source, self._site.get(self.batch_id), resumed=True)
        elif decision.goes_on:
            self._announce()
        else:
            batch = self._new_batch(label or source.name, seek=decision.action is Action.SEEK)
            self._deliver(label or source.name, source, batch, resumed=False)
        self._journal.update(stage=Stage.UPLOADED)
        return Submitted(self._journal.record, self._archive_facts(checked, source), report.warnings)

    def _take_what_is_ours(self, place: str | Path) -> None:
        """Take the stored record in hand, unless it is about another place: without the input nothing else tells."""
        record = self._journal.stored()
        if record is not None and (not record.place or "://" in record.place or Path(record.place) == Path(place)):
            self._journal.record = record

    def _adopted_without_source(self) -> Submitted | None:
        record = self._journal.record
        if record.stage not in (Stage.UPLOADED, Stage.ENDED):
            return None
        try:
            self._site.get(record.ref)
        except NotFound:
            return None
        self._announce()
        return Submitted(record, {"size": record.total, "fingerprint": record.fingerprint})

    def _tell_how_far(self, missing: InputMissing) -> None:
        """Add to a source that is not here what an earlier try, elsewhere, had sent of it."""
        record = self._journal.record
        if record.ref:
            missing.about(SERVICE, record.ref)
            missing.what += f"; {record.sent} of {record.total} bytes have been sent from elsewhere"

    def _new_batch(self, label: str, *, seek: bool = False) -> Batch:
        """Make a batch; the intent, with the mark that finds it again, is on record before."""
        record = self._journal.record
        token = record.token if seek and record.token else secrets.token_hex(4)
        mark = f"{label}.{token}"
        found = self._site.perform(self._site.api.find(mark)) if seek else None
        self._journal.update(stage=Stage.INTENT, token=token)
        batch = found or self._site.create(mark)
        self._journal.update(
            stage=Stage.CREATED, ref=batch.batch_id, created_at=self._site.clock.now(), sent=0, checked=0, crc32c=0
        )
        self._announce()
        return batch

    def _deliver(self, label: str, source: Source, batch: Batch, *, resumed: bool) -> None:
        """Send the archive; a batch that waits for it without giving a session is replaced, once in a try."""
        if self._sender.send(source, batch, resumed=resumed):
            return
        log.warning("%s batch %s gives no session; making the next generation", SERVICE, self.batch_id)
        with suppress(VisionBatchError):
            self.cancel()
        old = self._journal.record
        self._journal.record = RunRecord(
            SERVICE, old.fingerprint, old.generation + 1, total=old.total, deadline=old.deadline, place=old.place
        )
        if not self._sender.send(source, self._new_batch(label), resumed=False):
            raise UploadStalled(
                "the batch waits for its archive but gives no session, and so did the one before",
                service=SERVICE,
                ref=self.batch_id,
                total=source.size,
            )

    def _summed_up(self, submitted: Submitted, snapshot: Snapshot, sink: Sink | None) -> tuple[Manifest, Verdict]:
        return concluded(self._site, submitted, snapshot, self._policies.on_partial, sink)

    def _archive_facts(self, checked: Checked, source: Source) -> dict[str, int | str]:
        record = self._journal.record
        return {
            "size": source.size,
            "crc32c": f"{record.crc32c:08x}" if record.checked == source.size else "",
            "fingerprint": checked.report.fingerprint,
            "work_orders": checked.report.work_orders,
            "files": checked.report.files,
        }
