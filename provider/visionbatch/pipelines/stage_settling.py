"""What became of parts that a process which died may have sent: asked of the service, never guessed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from visionbatch.errors import NotFound, UploadStalled
from visionbatch.pipelines.lag import shown
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.stage_cargo import Cargo
from visionbatch.pipelines.stage_notes import StageNotes, unseen_s
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.settings import ShardWord
from visionbatch.roboflow.staged import Shard
from visionbatch.roboflow.words import meaning

log = logging.getLogger(__name__)

SETTLING_S = 15.0
"""Seconds for which is looked at least which parts of a process that died have arrived: the service takes note of them
behind its own back."""

ENDED = frozenset({ShardWord.READY, ShardWord.FAILED})


class Settling:
    """Finds out which parts in doubt the service has, where sending them again would have them count twice.

    Their number tells when no shard is beyond those on record, or one for each archive in doubt. Else the names of the
    files tell that are indexed, once nothing is being indexed any more. A shard that nobody can put a name to by then
    has failed, and holds nothing: its part is sent again. What does not show may still come: it is taken for lost
    only when ``settle_s`` of the settings is over since a part left.
    """

    def __init__(self, site: Roboflow, batch_id: str, settle_s: float) -> None:
        self._site = site
        self._batch_id = batch_id
        self._settle_s = settle_s

    def settle(self, cargo: Cargo, notes: StageNotes) -> None:
        """Note what has arrived, and forget the doubt.

        :raises UploadStalled: when the service cannot tell yet.
        """
        doubt = notes.in_doubt()
        if not doubt:
            return
        there, shards = self._arrived(cargo, notes, doubt)
        log.info("%d of %d parts in doubt have arrived", len(there), len(doubt))
        notes.settled(there, shards)

    def _arrived(self, cargo: Cargo, notes: StageNotes, doubt: Sequence[int]) -> tuple[set[int], int]:
        """Parts that are at the service, and the number of all its shards."""
        one_each = cargo.shards_each == 1
        unseen = unseen_s(notes.quiet_since, self._settle_s, self._site.clock.now())
        shards = self._looked(notes.shards, len(doubt) if one_each else 0, max(unseen, SETTLING_S))
        more = len(shards) - notes.shards
        if more < 0:
            raise self._stalled(f"the service lists {len(shards)} shards where {notes.shards} have arrived")
        if more == 0:
            return set(), len(shards)
        if one_each and more == len(doubt):
            return set(doubt), len(shards)
        there = self._by_names(cargo, doubt)
        words = self._words(shards)
        if not words <= ENDED:
            if one_each and len(there) == more:
                return there, len(shards)
            raise self._stalled(
                f"{more} shards arrived of which no record says which they are, and {len(there)} parts are indexed"
            )
        if ShardWord.FAILED in words:
            log.warning("a shard that failed may be one of the parts in doubt, which are sent again")
        return there, len(shards)

    def _looked(self, known: int, awaited: int, patience_s: float) -> list[Shard]:
        """The shards, when they tell enough or the patience is over.

        :param awaited: shards that there will be beyond those known, if all have arrived; 0 when nobody can say.
        """
        shards: list[Shard] = []

        def enough() -> bool | None:
            shards[:] = self._shards()
            more = len(shards) - known
            told = more >= awaited > 0 or (not awaited and more > 0 and self._words(shards) <= ENDED)
            return told or None

        shown(enough, self._site.clock, patience_s)
        return shards

    def _words(self, shards: Sequence[Shard]) -> set[ShardWord]:
        aliases = self._site.api.calls.settings.status_aliases
        return {meaning(shard.status, aliases) for shard in shards}

    def _shards(self) -> list[Shard]:
        try:
            return list(self._site.perform(self._site.api.staging.shards(self._batch_id)))
        except NotFound:
            return []

    def _by_names(self, cargo: Cargo, doubt: Sequence[int]) -> set[int]:
        names: set[str] = set()
        self._site.perform(self._site.api.staging.each_file(self._batch_id, lambda file: names.add(file.name)))
        return cargo.arrived(doubt, names)

    def _stalled(self, what: str) -> UploadStalled:
        return UploadStalled(
            what,
            service=SERVICE,
            ref=self._batch_id,
            next_step="Run again when the batch has been indexed: its files tell then.",
        )
