"""What a run keeps of its batch task: what it is of, what its creation came to, and what a manifest says of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from visionbatch.model.snapshot import Counts, Snapshot
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.creation import Created
from visionbatch.vias.decode import Answer

NOTE = "vias_answer"
ADOPTED = "vias_adopted"
UNREAD = "vias_unread"
UNWELL = "vias_unwell_since"
"""Notes of a run record: what the creation came to; that somebody else made the batch; that the answer told its id and
nothing else that could be believed; since when it is ABNORMAL."""

ERRORS_NOTED = 5
"""Entries of ``error_list`` that the run record keeps: it stays small."""


def facts_of(task: BatchTask) -> dict[str, int | str]:
    """What a manifest says of a batch that this run made."""
    return {
        "name": task.name,
        "service": f"{task.service_name} {task.service_version}",
        "groups": len(task.groups),
        "sources": task.sources,
        "fingerprint": task.fingerprint(),
    }


def facts_of_another(task: BatchTask) -> dict[str, int | str]:
    """What is known of a batch that somebody else made: neither its algorithm nor its sources."""
    return {"name": task.name, "adopted": 1}


def _noted(answer: Answer) -> dict[str, Any]:
    return {
        "total": answer.total,
        "failed": answer.failed,
        "succeeded": answer.succeeded,
        "errors": list(answer.errors[:ERRORS_NOTED]),
        "unlisted": answer.unlisted + len(answer.errors[ERRORS_NOTED:]),
    }


def notes_of(made: Created, task: BatchTask) -> dict[str, Any]:
    """What a creation came to, by its answer, or by what was found in its stead."""
    if made.adopted:
        return {ADOPTED: True}
    if made.answer is not None:
        return {NOTE: _noted(made.answer)}
    lost = task.sources - (made.tasks or 0)
    if not task.names_all or lost <= 0:
        return {}
    told = f"{lost} of {task.sources} sources have no task, and the answer that told why was lost"
    return {NOTE: _noted(Answer(made.batch_id, task.sources, lost, task.sources - lost, (told,)))}


def with_those_not_made(snapshot: Snapshot, notes: dict[str, Any]) -> Snapshot:
    """The same with the tasks that could not be made, which some accounts do not list, among the failed ones."""
    noted, counts = notes.get(NOTE), snapshot.counts
    lost = noted["total"] - counts.total if isinstance(noted, dict) and counts is not None else 0
    if counts is None or lost <= 0:
        return snapshot
    return replace(snapshot, counts=Counts(counts.total + lost, counts.succeeded, counts.failed + lost))


def errors_noted(notes: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of the tasks that could not be made."""
    noted = notes.get(NOTE)
    return {"creation": noted} if isinstance(noted, dict) and noted.get("failed") else {}
