"""The batch that the record of a run names: how it is looked at and cancelled, also when only its name is known."""

from __future__ import annotations

from dataclasses import replace

from visionbatch.errors import ConfigError
from visionbatch.model.run import RunRecord
from visionbatch.pipelines.attempt import Found
from visionbatch.pipelines.lag import shown
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_notes import ADOPTED, UNWELL
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.goals import FINISHED, LEAVE, BatchRef, Goal
from visionbatch.vias.words import Histogram, interpret


class RecordedBatches:
    """The batch that a record names, by its id or, as long as there is none, by its name."""

    def __init__(self, vias: Vias, goal: Goal, on_cancel: str) -> None:
        self._vias = vias
        self._goal = goal
        self._on_cancel = on_cancel

    def ref_of(self, record: RunRecord, batch_id: str = "") -> str:
        """What a watch needs to know of it, as one text; see `visionbatch.vias.goals.BatchRef`."""
        on_cancel = LEAVE if ADOPTED in record.notes else self._on_cancel
        ref = BatchRef(batch_id or record.ref, self._goal, record.token, on_cancel, record.notes.get(UNWELL))
        return str(replace(ref, unwell_since=self._vias.api.unwell_since(str(ref))))

    def look(self, record: RunRecord) -> Found:
        """How it stands, and whether it is still at work."""
        histogram = self._vias.histogram(self.ref_of(record))
        return Found(interpret(histogram, self._goal), still_works(histogram))

    def cancel(self, record: RunRecord) -> None:
        """Stop or delete it, if there is one."""
        batch_id = self.batch_of(record)
        if batch_id:
            self._vias.cancel(self.ref_of(record, batch_id))

    def batch_of(self, record: RunRecord) -> str:
        """The batch that cancelling a run means; empty when there is none."""
        return record.ref or self._unrecorded(record)

    def _unrecorded(self, record: RunRecord) -> str:
        """The batch that a creation has made and no record names, unless it has ended; a list may lag behind."""
        if not record.token:
            return ""
        entry = shown(lambda: self._vias.find(record.token), self._vias.clock, self._vias.settings.settle_s)
        return entry.batch_id if entry is not None and still_works(self._vias.histogram(entry.batch_id)) else ""


def cancel_recorded(vias: Vias, record: RunRecord) -> str:
    """Stop or delete what a run has at the service, by its record, and give the batch's id.

    A creation that nobody heard the answer of is looked for by its name.

    :raises ConfigError: when there is nothing, or when somebody else made the batch.
    """
    if ADOPTED in record.notes:
        raise ConfigError(
            "this batch was made by somebody else and only gone on with, so the run's end is none of its own",
            service=SERVICE,
            ref=record.ref,
            next_step=f"To stop it all the same: visionbatch vias stop {record.ref}.",
        )
    batches = RecordedBatches(vias, FINISHED, "")
    batch_id = batches.batch_of(record)
    if not batch_id:
        raise ConfigError("no batch of this run is at work at the service, so there is nothing to cancel")
    batches.cancel(replace(record, ref=batch_id))
    return batch_id


def still_works(histogram: Histogram) -> bool:
    """Whether tasks may still run, though the run may have waited for no more than that."""
    return not interpret(histogram, FINISHED).phase.is_terminal
