"""Which batch a try of a staging run fills: the one that its record names, or the next generation."""

from __future__ import annotations

import logging
from typing import Any

from visionbatch.errors import IdTaken, InputChanged, NotFound
from visionbatch.model.policy import OnInputChange, Policies
from visionbatch.model.run import RunRecord, Stage
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.pipelines.attempt import CONFIRM
from visionbatch.pipelines.decide import Action, Decision, decide
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.lag import shown
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.stage_notes import NOTE, unseen_s
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.ids import derived_job_id, require_batch_id

log = logging.getLogger(__name__)

IDS_TRIED = 50
"""Ids of our own that may belong to batches already: each is one whose record was lost."""


class BatchChoice:
    """The choice of one try, which becomes the record in hand.

    :param identity: of the run; a batch's id comes from it where none is given.
    :param settle_s: see `visionbatch.roboflow.stage_settings.StageSettings`.
    """

    def __init__(
        self, site: Roboflow, journal: Journal, identity: str, on_input_change: OnInputChange, settle_s: float
    ) -> None:
        self._site = site
        self._journal = journal
        self._identity = identity
        self._settle_s = settle_s
        self._policies = Policies(on_input_change=on_input_change)

    def make(self, fingerprint: str, location: str, batch_id: str, first: dict[str, Any]) -> None:
        """Find or write the record; nothing is sent before it says what will be.

        :param batch_id: as it was given; empty for one of our own. A batch cannot be emptied, so another generation of
            a batch that is still there gets its number behind the id.
        :param first: note of a run that begins.
        :raises InputChanged: by ``on_input_change``, or when the record is of a batch with another id.
        :raises IdTaken: when a given id belongs to a batch that no record of this run knows.
        """
        stored = self._journal.load()
        decision = self._decide(stored, fingerprint, location)
        log.info("%s batch: generation %d: %s (%s)", SERVICE, decision.generation, decision.action, decision.reason)
        if stored is None or decision.action in (Action.BEGIN, Action.REPLACE):
            # Another item's record in our place: its ids are ours as well, so the generation must not be its.
            least = decision.generation if stored is None else stored.generation + 1
            generation, ref = self._free(batch_id, location, least, replaces=decision.action is Action.REPLACE)
            # The id is known before the batch is: it comes into being with the first thing that is sent.
            self._journal.record = RunRecord(
                SERVICE, fingerprint, generation, Stage.CREATED, ref, place=location, notes=first
            )
            self._journal.update()
        elif batch_id and stored.ref not in (batch_id, _numbered(batch_id, stored.generation)):
            raise InputChanged(f"this run fills batch {stored.ref}, not {batch_id}", service=SERVICE, ref=stored.ref)

    def _decide(self, stored: RunRecord | None, fingerprint: str, location: str) -> Decision:
        remote = self._remote(stored) if stored is not None and stored.fingerprint == fingerprint else None
        try:
            return decide(stored, fingerprint, self._policies, remote, place=location)
        except InputChanged as error:
            error.what = f"{location} is not what it was when batch {error.ref} was begun"
            error.service = SERVICE
            raise

    def _remote(self, stored: RunRecord) -> Snapshot | None:
        """The batch, as far as the record tells; ``None`` when it held something and has expired.

        Staged data lives for seven days (the vendor's pages). That a batch is gone is believed when the service has
        said so for as long as a new one may not show, and counts nothing in it: it would be filled a second time. One
        that holds more than was to be sent is of no use to any job.
        """
        phase = Phase.SUCCEEDED if stored.stage is Stage.ENDED else Phase.AWAITING_DATA
        there = Snapshot(phase, "filled" if stored.stage is Stage.ENDED else "begun")
        note = stored.notes.get(NOTE)
        if not isinstance(note, dict) or not note.get("done"):
            return there
        unseen = unseen_s(note.get("quiet_since", 0.0), self._settle_s, self._site.clock.now())
        if shown(lambda: self._exists(stored.ref) or None, self._site.clock, max(unseen, CONFIRM.at_most)):
            over_full = self._count(stored.ref) > note.get("items", 0) > 0
            return Snapshot(Phase.FAILED, "holding more than was sent") if over_full else there
        return there if self._count(stored.ref) else None

    def _exists(self, ref: str) -> bool:
        try:
            self._site.perform(self._site.api.staging.batch(ref))
        except NotFound:
            return False
        return True

    def _count(self, ref: str) -> int:
        try:
            return self._site.perform(self._site.api.staging.count(ref))
        except NotFound:
            return 0

    def _free(self, batch_id: str, location: str, least: int, *, replaces: bool) -> tuple[int, str]:
        """A generation, and an id that no batch has: what is sent into one that is there would count twice."""
        if batch_id and not self._exists(require_batch_id(batch_id)):
            return least, batch_id
        if batch_id and not replaces:
            raise self._taken(batch_id)
        for generation in range(least, least + IDS_TRIED):
            ref = require_batch_id(_numbered(batch_id, generation) if batch_id else self._own(location, generation))
            if not self._exists(ref):
                return generation, ref
            log.warning("batch %s is there already, and no record of this run tells of it: it is left alone", ref)
        raise self._taken(ref)

    def _own(self, location: str, generation: int) -> str:
        return f"{derived_job_id(self._identity or location, generation)}-input"

    @staticmethod
    def _taken(ref: str) -> IdTaken:
        return IdTaken(
            f"batch {ref} is there already, and no record of this run tells what is in it",
            service=SERVICE,
            ref=ref,
            next_step="Give another batch id, or the state that the earlier try wrote its record to.",
        )


def _numbered(batch_id: str, generation: int) -> str:
    return f"{batch_id}-{generation}"
