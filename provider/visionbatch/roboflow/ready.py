"""Waiting for a batch to be ready: what was sent has been indexed, and nothing is being ingested any more."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from visionbatch.errors import BulkUnsupported, ConfigError, NotFound, Refused
from visionbatch.flow.effects import Flow
from visionbatch.model.snapshot import Snapshot
from visionbatch.roboflow.calls import ONCE, SERVICE, named
from visionbatch.roboflow.ids import require_batch_id
from visionbatch.roboflow.words import INDEXING, Sent, readiness

if TYPE_CHECKING:
    from visionbatch.flow.listing import Enough
    from visionbatch.flow.roster import Roster
    from visionbatch.model.listed import Listed
    from visionbatch.roboflow.api import RoboflowApi
    from visionbatch.roboflow.staged import Shard

log = logging.getLogger(__name__)

STILL_LOOKS = 10
"""Looks with the same count, after all shards that were sent have been ingested, until what is missing is given up."""


class BatchReadiness:
    """Watches batches until they can be processed, as a `visionbatch.pipelines.site.Watched`.

    Its refs come from `ready_ref`.
    """

    name = SERVICE
    noun = "batch"

    def __init__(self, api: RoboflowApi) -> None:
        self._api = api
        self._still: dict[str, tuple[int, int]] = {}

    def look(self, ref: str) -> Flow[Snapshot]:
        """Whether a batch is ready: its count, and how far its shards are."""
        batch_id, sent = read_ready_ref(ref)
        return named(batch_id, self._look(ref, batch_id, sent))

    def _look(self, ref: str, batch_id: str, sent: Sent) -> Flow[Snapshot]:
        # Shards first: whatever they had ingested by then is in the count that follows.
        shards = yield from self._shards(batch_id)
        count = yield from self._api.staging.count(batch_id, retry=ONCE)
        aliases = self._api.calls.settings.status_aliases
        snapshot = readiness(count, shards, sent, aliases)
        if snapshot.native != INDEXING or not shards:
            self._still.pop(ref, None)
        elif self._stands_still(ref, count):
            snapshot = readiness(count, shards, sent, aliases, still=True)
        return snapshot

    def _stands_still(self, ref: str, count: int) -> bool:
        """Whether the last looks, in which all shards were ingested, have counted the same."""
        before, looks = self._still.get(ref, (count, 0))
        self._still[ref] = count, looks + 1 if before == count else 1
        return self._still[ref][1] >= STILL_LOOKS

    def _shards(self, batch_id: str) -> Flow[tuple[Shard, ...]]:
        """The shards; none where the service refuses to list those of a batch that has none."""
        try:
            return (yield from self._api.staging.shards(batch_id, ONCE))
        except (NotFound, Refused):
            return ()

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at each: the service has no list that tells how far batches are."""
        yield from roster.ask_each(roster.refs, self.look)

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:  # noqa: ARG002  # the protocol has it
        """There is none; see `look_all`."""
        raise BulkUnsupported("the list of batches does not tell whether they are ready", service=SERVICE)

    def cancel(self, ref: str) -> Flow[None]:
        """Nothing to do: the service deletes batches itself, a week after they were staged."""
        log.info("roboflow batch %s stays until it expires", ref)
        yield from ()


def ready_ref(batch_id: str, expected: int | None = None, shards: int | None = None) -> str:
    """What stands for waiting for a batch.

    :param expected: items that were sent; without it any item will do, once no shard is being ingested.
    :param shards: archives or lists of references that were sent. With it, files that the service turned away are seen
        as such when all shards have been ingested; without, they are waited for until the deadline.
    :raises ConfigError: for what cannot be an id or a number of items.
    """
    for name, value in (("expected", expected), ("shards", shards)):
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError(f"{name}: a whole number of at least 1, not {value!r}")
    if expected is None:
        return require_batch_id(batch_id)
    return f"{require_batch_id(batch_id)}/{expected}" + (f"/{shards}" if shards is not None else "")


def read_ready_ref(ref: str) -> tuple[str, Sent]:
    """What `ready_ref` was made of.

    :raises ConfigError: for anything else.
    """
    match = re.fullmatch(r"([^/]*)(?:/([1-9][0-9]*)(?:/([1-9][0-9]*))?)?", ref)
    if match is None:
        raise ConfigError(f"{ref!r} is not <batch id>/<items>/<shards>, of which the id is enough")
    expected, shards = (None if number is None else int(number) for number in match.groups()[1:])
    return require_batch_id(match[1]), Sent(expected, shards)
