"""What a task finds: the JSON document that every way out carries.

The envelope is that of Huawei's page on the output of algorithms; what is found is made up, and belongs to
the task and the number of the event, so that it is the same in every run of the same seed.
"""

import base64
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.pictures import picture
from visionbatch_mock.vias.tasks import Task

WIDTH, HEIGHT = 1920, 1080


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one task; `at` is epoch seconds."""

    message_id: str
    task_id: str
    batch_id: str | None
    at: float
    document: dict[str, Any] = field(repr=False)

    @property
    def image(self) -> bytes:
        """The JPEG that the document holds as text."""
        return base64.b64decode(self.document["image_base64"])


def event_of(task: Task, number: int, at: float, event_type: int) -> Event:
    """The event of that number, from 1."""
    chance = random.Random(f"{task.id}/{number}")  # noqa: S311 - repeatable, not secret
    message_id = _upper_id(chance)
    document = {
        "event_type": event_type,
        "task_id": task.id,
        "stream_id": task.source_id or task.source_name,
        "timestamp": int(at),
        "message_id": message_id,
        "image_base64": base64.b64encode(picture(message_id, ".jpg")).decode(),
        "data": {"event_set": [_found(chance) for _ in range(chance.randint(1, 3))]},
    }
    return Event(message_id, task.id, task.batch_id, at, document)


def _found(chance: random.Random) -> dict[str, Any]:
    width, height = chance.randint(20, 400), chance.randint(20, 400)
    box = {"x": chance.randint(0, WIDTH - width), "y": chance.randint(0, HEIGHT - height), "w": width, "h": height}
    return {"bounding_box": box, "detection_id": _upper_id(chance), "category": chance.randint(0, 2)}


def _upper_id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4)).upper()
