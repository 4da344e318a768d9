"""Payloads of webhooks, by the vendor's page on notifications; snake_case there, unlike everything else."""

from collections.abc import Iterator
from typing import Any

from visionbatch_mock.roboflow.tars import Found, Subscription

MOST_FILES = 1000
"""Ours: names in one payload; beyond, `content_truncated` says that the lists are not complete."""


def of_ingest(
    subscription: Subscription, batch_id: str, shard_id: str | None, found: Found
) -> Iterator[dict[str, Any]]:
    """What an ingest, or one shard of it, has to say to its subscriber."""
    frame = {
        "type": "roboflow-data-staging-notification-v1",
        "ingest_id": subscription.ingest_id,
        "batch_id": batch_id,
        "shard_id": shard_id,
    }
    if "files-status" in subscription.categories:
        yield {**frame, "notification": _files(found)}
    if "ingest-status" in subscription.categories:
        yield {**frame, "notification": _status(found)}


def of_job(job_id: str, *, success: bool) -> dict[str, Any]:
    """The one event of a job, at its end."""
    return {
        "type": "roboflow-batch-job-notification-v1",
        "job_id": job_id,
        "job_state": "success" if success else "fail",
    }


def _status(found: Found) -> dict[str, Any]:
    failure = found.failure
    details = None if failure is None else {"type": failure.type.value, "reason": failure.reason}
    return {"type": "ingest-status-notification-v1", "success": failure is None, "error_details": details}


def _files(found: Found) -> dict[str, Any]:
    return {
        "type": "ingest-files-status-notification-v1",
        "success": found.failure is None,
        "ingested_files": [file.name for file in found.files[:MOST_FILES]],
        "failed_files": [each.as_json() for each in found.rejected[:MOST_FILES]],
        "content_truncated": max(len(found.files), len(found.rejected)) > MOST_FILES,
    }
