"""What a job is going to run over: nothing starts over a batch that is still being filled or indexed."""

from __future__ import annotations

import logging

from visionbatch.errors import JobFailed, NotFound, NotReady, Refused
from visionbatch.flow.retry import persist
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.ready import read_ready_ref
from visionbatch.roboflow.words import INDEXING

log = logging.getLogger(__name__)


def require_ready(site: Roboflow, ref: str, deadline: float | None = None) -> None:
    """Look at a batch before a job over it is made.

    Where only the id is known, it is refused while a shard is being ingested, as far as the service tells. Where the
    number of shards is known and all have been ingested, their count is waited for: it is there in seconds, or stands
    still, because the service has turned files away.

    :param ref: the batch's id, or what `visionbatch.ready_ref` made of it and of what was sent.
    :param deadline: Unix seconds.
    :raises NotReady: when it is not; a later try may find it so.
    :raises JobFailed: when it never will be, for it holds nothing, or more than was sent.
    """
    batch_id, sent = read_ready_ref(ref)
    try:
        snapshot = site.perform(persist(lambda: site.readiness.look(ref), site.tuning.retry))
        if sent.shards is not None and snapshot.native == INDEXING:
            snapshot = site.wait_ready(batch_id, sent.items, sent.shards, deadline=deadline)
    except (NotFound, Refused) as error:
        if sent.items is not None:
            raise _not_ready(batch_id, error.what) from error
        log.info("%s batch %s: whether it is ready is not told: %s", SERVICE, batch_id, error.what)
        return
    if snapshot.phase is Phase.FAILED:
        raise JobFailed(
            f"no job is made over a batch that is {snapshot}: {snapshot.detail}",
            service=SERVICE,
            ref=batch_id,
            next_step="Look into the batch, or stage the files anew.",
        )
    if not snapshot.phase.is_terminal and (sent.items is not None or _pending(snapshot)):
        raise _not_ready(batch_id, f"it is {snapshot}")
    if snapshot.phase.is_terminal and snapshot.phase is not Phase.SUCCEEDED:
        log.warning("%s batch %s: the job runs over what is there: %s", SERVICE, batch_id, snapshot)


def _pending(snapshot: Snapshot) -> bool:
    """Whether a shard is being ingested; of a batch without shards the service tells no more than the count."""
    return snapshot.phase is Phase.RUNNING and snapshot.native != INDEXING


def _not_ready(batch_id: str, what: str) -> NotReady:
    return NotReady(f"no job is made over a batch that is not ready: {what}", service=SERVICE, ref=batch_id)
