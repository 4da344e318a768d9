"""Getting an archive into one batch, over as many sessions as that takes."""

from __future__ import annotations

import logging
from contextlib import suppress

from visionbatch.deepomatic.api import SERVICE, Batch
from visionbatch.errors import Corrupted, InputChanged, SessionLost, UploadStalled, VisionBatchError
from visionbatch.flow.effects import Pause
from visionbatch.model.secret import SecretUrl
from visionbatch.model.snapshot import Phase
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.journal import Journal
from visionbatch.transfer.source import Source
from visionbatch.transfer.upload import Checkpoint, Progress

log = logging.getLogger(__name__)

SESSIONS = 3
"""Sessions tried for one batch: a second one is ordinary (the first expired), a fourth would mean a fault of ours."""

SETTLING = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the looks that find out whether a batch without a session has its archive already."""


class Sender:
    """Sends the archive of one run to one batch.

    :param journal: of the run; its record names the batch.
    """

    def __init__(self, site: Deepomatic, journal: Journal, progress: Progress | None) -> None:
        self._site = site
        self._journal = journal
        self._progress = progress

    def send(self, source: Source, batch: Batch, *, resumed: bool) -> bool:
        """Send until the batch has the archive; false when it waits for one but gives no session.

        :param resumed: the session was used before, by an earlier try.
        :raises UploadStalled: when one session after the other is lost.
        """
        url = batch.upload_url
        all_sent = 0 < self._journal.record.total <= self._journal.record.sent
        for _ in range(SESSIONS):
            if url is None:
                return self._has_arrived(all_sent=all_sent)
            try:
                self._upload(source, url, self._journal.last_checkpoint if resumed else None)
            except SessionLost as lost:
                log.warning("%s", lost)
                all_sent = lost.all_sent
                if all_sent and self._has_arrived(all_sent=True):
                    return True
                fresh = self._look().upload_url
                # The same address again is the same dead session.
                url, resumed = (None if fresh == url else fresh), False
            else:
                self._journal.update(sent=source.size)
                return True
        raise UploadStalled(
            f"{SESSIONS} sessions were lost one after the other",
            service=SERVICE,
            ref=self._journal.record.ref,
            total=source.size,
        )

    def _upload(self, source: Source, url: SecretUrl, resume: Checkpoint | None) -> None:
        record = self._journal.record
        try:
            self._site.upload(
                source,
                url,
                batch_id=record.ref,
                resume=resume,
                deadline=record.deadline,
                progress=self._progress,
                checkpoint=self._journal.checkpoint,
            )
        except (Corrupted, InputChanged):
            # What the batch holds must not be processed, or taken for a part of something better. But who was replaced
            # takes the bytes of the newer try for damage, and has to leave the batch to it: asking the store tells.
            self._journal.checkpoint(self._journal.last_checkpoint)
            with suppress(VisionBatchError):
                self._site.delete(record.ref)
            raise

    def _has_arrived(self, *, all_sent: bool) -> bool:
        """Ask the control plane whether the batch has its archive, and give it time to show."""
        batch = self._look()
        for seconds in SETTLING:
            if batch.snapshot.phase is not Phase.AWAITING_DATA or batch.upload_url is not None:
                break
            self._site.clock.pause(Pause(seconds, seconds))
            batch = self._look()
        if batch.snapshot.phase is Phase.UNKNOWN:
            # A word nobody knows is no proof; having sent everything nearly is.
            return all_sent
        return batch.snapshot.phase is not Phase.AWAITING_DATA

    def _look(self) -> Batch:
        return self._site.get(self._journal.record.ref)
