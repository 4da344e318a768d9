"""A batch task as it is asked for: one algorithm over groups of video sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from visionbatch.model.finding import Finding
from visionbatch.vias.fields import listed, only, typed
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.sources import VideoSourceGroup
from visionbatch.vias.task_body import TaskBody

MOST_GROUPS = 100
_PLACE = "batch_input.video_source_group"


@dataclass(frozen=True)
class BatchTask(TaskBody):
    """One batch task, every documented field a typed value; its other fields are those of `TaskBody`.

    :param groups: 1 to 100.
    """

    groups: tuple[VideoSourceGroup, ...]

    looks_at: ClassVar[str] = "batch_input"
    what: ClassVar[str] = "batch task"

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(self.groups))

    @property
    def sources(self) -> int:
        """Video sources that are named; so many tasks are expected, unless a list is empty."""
        return sum(len(group.video_source_list) for group in self.groups)

    @property
    def names_all(self) -> bool:
        """Whether every source is named: what an empty list stands for, only the service knows."""
        return all(group.video_source_list for group in self.groups)

    @classmethod
    def from_json(cls, value: Any) -> BatchTask:
        """Read a request body, such as one out of the vendor's documents; unknown fields become ``extra_body``.

        :raises InvalidInput: for a field of a wrong type, with its path.
        """
        body = typed(value, dict, "")
        found = only(body.get(cls.looks_at), ("video_source_group",), cls.looks_at)
        items = listed(found.get("video_source_group"), _PLACE)
        groups = (VideoSourceGroup.from_json(item, f"{_PLACE}[{number}]") for number, item in enumerate(items))
        return cls(groups=tuple(groups), **cls._read(body))

    def _input_findings(self) -> Iterator[Finding]:
        if not 1 <= len(self.groups) <= MOST_GROUPS:
            yield RULES["groups-count"].broken(_PLACE, f"{len(self.groups)} groups; 1 to {MOST_GROUPS}")
        for number, group in enumerate(self.groups):
            yield from group.findings(f"{_PLACE}[{number}]")

    def _input_json(self) -> dict[str, Any]:
        return {"video_source_group": [group.to_json() for group in self.groups]}
