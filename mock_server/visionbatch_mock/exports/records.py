"""From the site's work orders to the records of an export, by the vendor's data export page."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from visionbatch_mock.clock import iso
from visionbatch_mock.config import Behaviour
from visionbatch_mock.deepomatic.work_orders import Input, Task, WorkOrder
from visionbatch_mock.exports.configuration import ExportType
from visionbatch_mock.exports.settings import Extension

Record = dict[str, Any]

DEFAULT_EXTENSION = ".jpg"
"""Of a photo that came without a file name."""


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of an export: whose it is, and how to get its bytes when they are wanted."""

    site_id: str
    input_id: str
    extension: str
    content: Callable[[], bytes]


def record_of(order: WorkOrder, site_id: str, behaviour: Behaviour) -> Record:
    """A work order with all its inputs. Photos that were sent without a task group have no place in it."""
    return {
        "id": order.id,
        "name": order.name,
        "site_id": site_id,
        "create_date": iso(order.created),
        "update_date": iso(order.updated),
        "metadata": order.metadata,
        "progress_score": order.progress_score / 100 * behaviour.export_progress_max,
        "work_items": [_item(order, task, behaviour) for task in order.tasks.values()],
    }


def as_state(record: Record) -> Record:
    """The same record with the last input of each work item alone."""
    items = [{**item, "input": item["input"][-1:]} for item in record["work_items"]]
    return {**record, "work_items": items}


def of_type(record: Record, export_type: ExportType) -> Record:
    """The record as an export of that type has it."""
    return as_state(record) if export_type is ExportType.STATES else record


def images_of(order: WorkOrder, site_id: str) -> Iterator[tuple[float, Image]]:
    """The pictures of a work order that can still be read, with the moment of their submission."""
    for item in order.inputs:
        if item.content is not None and item.task_group is not None:
            yield item.created, Image(site_id, item.id, extension_of(item), item.content)


def extension_of(item: Input) -> str:
    """The extension of an input's file in lower case, with its dot."""
    _, dot, extension = (item.file or "").rpartition(".")
    return f".{extension.lower()}" if dot else DEFAULT_EXTENSION


def written_extension(extension: str, form: Extension) -> dict[str, str]:
    """The key that a record has for it."""
    if form is Extension.ABSENT:
        return {}
    return {"file_extension": extension if form is Extension.DOT else extension.removeprefix(".")}


def _item(order: WorkOrder, task: Task, behaviour: Behaviour) -> Record:
    inputs = [item for item in order.inputs if item.task_group == task.task_group]
    return {
        "id": str(uuid.uuid5(uuid.UUID(order.id), task.task_group)),
        "name": task.task_group,
        "input": [_input(item, task, behaviour, last=item is inputs[-1]) for item in inputs],
    }


def _input(item: Input, task: Task, behaviour: Behaviour, *, last: bool) -> Record:
    size = {"width": item.photo.width, "height": item.photo.height} if item.photo else {}
    return {
        "id": item.id,
        **written_extension(extension_of(item), behaviour.export_file_extension),
        "metadata": size,
        "data_conformity": _data_conformity(item),
        "job_conformity": [_job(item, task, last=last)],
    }


def _data_conformity(item: Input) -> list[Record]:
    """A stand-in for the first level of checks: the same for the same bytes, and only ever a warning."""
    if item.photo is None or item.photo.checksum % 7:
        return []
    return [{"check": "blur", "code": "image_blurred", "level": "warning"}]


def _job(item: Input, task: Task, *, last: bool) -> Record:
    """What the analysis saw on this photo; people correct the task, which the last photo decides."""
    corrected = task.corrected_value if last else None
    when = iso(task.corrected_at) if corrected is not None and task.corrected_at is not None else None
    return {
        "task_name": task.name,
        "analyzed_value": item.photo.verdict if item.photo else None,
        "corrected_value": corrected,
        "corrected_date": when,
        "message": "",
        "is_conformity_validated": bool(item.photo.verdict if corrected is None and item.photo else corrected),
    }
