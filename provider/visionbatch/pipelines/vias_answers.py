"""What an answer of which some tasks failed means to the user: never a success that nobody noticed."""

from __future__ import annotations

import logging

from visionbatch.errors import JobFailed, JobPartial
from visionbatch.flow.judge import judge
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Counts, Phase, Snapshot
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.decode import Answer

log = logging.getLogger(__name__)

_CLEAN_UP = "Correct the sources, or let on_partial accept it; the other tasks of the batch may run."


def require_tasks(answer: Answer, on_partial: OnPartial, what: str) -> None:
    """Raise unless the user's policy takes the answer for a success; what failed is warned of all the same.

    :param what: what failed tasks could not be, such as ``made`` or ``stopped``.
    :raises JobPartial: when more failed than ``on_partial`` accepts; the batch's id is in the error.
    :raises JobFailed: when none succeeded, whatever the policy.
    """
    if not answer.failed:
        return
    text = f"{answer.failed} of {answer.total} tasks could not be {what}: {answer.reasons}"
    if not answer.succeeded:
        raise JobFailed(text, service=SERVICE, ref=answer.batch_id, next_step=_CLEAN_UP)
    counts = Counts(answer.total, answer.succeeded, answer.failed)
    if not judge(Snapshot(Phase.SUCCEEDED, counts=counts), on_partial).accepted:
        text = f"{text}; refused by on_partial={on_partial}"
        raise JobPartial(text, service=SERVICE, ref=answer.batch_id, next_step=_CLEAN_UP)
    log.warning("%s batch %s: %s", SERVICE, answer.batch_id, text)
