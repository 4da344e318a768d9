"""The run record in hand: every change of it is on its way to the store before anything else happens."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from visionbatch.errors import NoRoom, TransportError
from visionbatch.model.run import RunRecord, RunStore

if TYPE_CHECKING:
    from visionbatch.transfer.upload import Checkpoint

log = logging.getLogger(__name__)


class Journal:
    """The record of one run and the store that keeps it.

    :param record: where the run stands; replaced as a whole by `begin`.
    """

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self._store = store
        self.record = record

    def stored(self) -> RunRecord | None:
        """What the last try left; the record in hand stays as it is."""
        return self._store.load()

    def load(self) -> RunRecord | None:
        """What the last try left, which becomes the record in hand."""
        stored = self.stored()
        if stored is not None:
            self.record = stored
        return stored

    def update(self, **changes: object) -> None:
        """Change fields of the record and save it.

        :raises Superseded: when another process has taken the run over.
        """
        self.record = dataclasses.replace(self.record, **changes)  # type: ignore[arg-type]  # names are checked at run time
        self._store.save(self.record)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Save how far the upload is; losing a checkpoint costs a later try some reading, and no more."""
        try:
            self.update(sent=checkpoint.sent, checked=checkpoint.checked, crc32c=checkpoint.crc32c)
        except (NoRoom, TransportError, OSError) as error:
            log.warning("the checkpoint at %d bytes is not saved: %s", checkpoint.sent, error)

    @property
    def last_checkpoint(self) -> Checkpoint:
        """How far an upload of this record was."""
        from visionbatch.transfer.upload import Checkpoint  # noqa: PLC0415  # most runs have no upload session

        return Checkpoint(self.record.sent, self.record.checked, self.record.crc32c)
