"""A task as the list and the detail show it: in two forms of the same times, and two lengths."""

from datetime import UTC, datetime
from typing import Any

from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.tasks import Task

TYPES = {"cloud": "0", "edge": "1"}
_ECHOED = ("description", "schedule", "config", "resource_order_id", "priority", "manufacturer")


def line(task: Task) -> dict[str, Any]:
    """A task in the list; `created_at` is a text of milliseconds."""
    return {
        "id": task.id,
        "name": task.name,
        "state": task.state,
        "type": TYPES[task.service.deploy_type],
        "title": task.service.title,
        "video_source_name": task.source_name,
        "service_id": task.service.id,
        "algorithm_publish_id": task.service.algorithm_id,
        "created_at": str(int(task.created * 1000)),
    }


def detail(task: Task, tenant: Tenant, group_name: str | None) -> dict[str, Any]:
    """Everything; times are ISO 8601 with milliseconds."""
    shown: dict[str, Any] = {
        "id": task.id,
        "name": task.name,
        "state": task.state,
        "project_id": tenant.iam.project_id,
        "service_id": task.service.id,
        "creator": tenant.token,
        "company": task.service.company,
        "created_at": _iso(task.created),
        "updated_at": _iso(task.updated),
        "input": task.input,
        "output": task.output,
        "video_source_name": task.source_name,
        "title": task.service.title,
        "type": TYPES[task.service.deploy_type],
        "package_id": task.service.package_id,
        "algorithm_publish_id": task.service.algorithm_id,
    }
    if group_name is not None:
        shown["group_name"] = group_name
    if task.error is not None:
        code, message = task.error
        shown.update(error={"code": code, "message": message}, status=message)
    if "schedule" in task.settings:
        shown["schedule_status"] = "ACTIVATED"
    return {**shown, **{key: task.settings[key] for key in _ECHOED if key in task.settings}}


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
