"""What a tenant's settings have in store for a task: the life that it leads, and what it refuses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.scenes import VideoSource, is_video_file
from visionbatch_mock.vias.settings import Action
from visionbatch_mock.vias.states import LIVES, Life

if TYPE_CHECKING:
    from visionbatch_mock.config import Behaviour
    from visionbatch_mock.vias.tasks import Task


def life_of(task: "Task", source: VideoSource | None, told: "Behaviour", *, started: bool) -> Sequence[str]:
    """The states that a task passes after its creation, or after a start."""
    if not (started or told.vias_auto_start):
        return LIVES[Life.IDLE]
    for key in (task.source_id, task.source_name, "*"):
        if key and told.vias_lives.get(key):
            return told.vias_lives[key]
    ends = source.ends(told.vias_finite_types) if source else _input_ends(task)
    life = LIVES[Life.FILE if ends else Life.STREAM]
    return life[1:] if started else life


def refusal_of(source_id: str | None, source_name: str, action: Action, told: "Behaviour") -> tuple[Code, str] | None:
    """Why the task of a source does not do something, or None."""
    if {source_id, source_name, "*"} & set(told.vias_refusals.get(action, ())):
        return Code.NOT_ALLOWED, f"{action} is refused by the mock's settings"
    return None


def _input_ends(task: "Task") -> bool:
    """The same for the older kinds of input, which are no video sources."""
    kind, (data, *_) = task.input["type"], task.input["data"]
    return kind == "obs" or (kind == "url" and is_video_file(str(data.get("url", ""))))
