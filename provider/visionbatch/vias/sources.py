"""What a batch task looks at: groups of video sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from visionbatch.model.finding import Finding
from visionbatch.vias.fields import listed, only, typed, without_none
from visionbatch.vias.rulebook import RULES

MOST_SOURCES = 100


@dataclass(frozen=True)
class VideoSource:
    """One source of a group; the service makes one task of it.

    :param target_roi: region of interest, a JSON document as a text: ``{"polygons": [{"name": "a", "data": [[84, 389],
        …]}]}``, pixels from the upper left corner.
    """

    video_source_id: str
    target_roi: str | None = None

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["source-id"].on(f"{path}.video_source_id", self.video_source_id)
        if self.target_roi is not None:
            found = list(RULES["roi-length"].on(f"{path}.target_roi", self.target_roi))
            yield from found
            if not found and self.target_roi and not _is_json_object(self.target_roi):
                yield RULES["roi-json"].broken(f"{path}.target_roi")

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        return without_none(vars(self))

    @classmethod
    def from_json(cls, value: Any, path: str) -> VideoSource:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("video_source_id", "target_roi"), path)
        roi = found.get("target_roi")
        return cls(
            typed(found.get("video_source_id"), str, f"{path}.video_source_id"),
            None if roi is None else typed(roi, str, f"{path}.target_roi"),
        )


@dataclass(frozen=True)
class VideoSourceGroup:
    """Sources of one group.

    :param video_source_list: at most 100. What an empty list means is not documented.
    """

    video_source_group_id: str
    video_source_list: tuple[VideoSource, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "video_source_list", tuple(self.video_source_list))

    def findings(self, path: str) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["group-id"].on(f"{path}.video_source_group_id", self.video_source_group_id)
        place = f"{path}.video_source_list"
        sources = self.video_source_list
        if not sources:
            yield RULES["sources-empty"].broken(place)
        if len(sources) > MOST_SOURCES:
            yield RULES["sources-count"].broken(place, f"{len(sources)} sources; at most {MOST_SOURCES}")
        if len({source.video_source_id for source in sources}) < len(sources):
            yield RULES["source-twice"].broken(place)
        for number, source in enumerate(sources):
            yield from source.findings(f"{place}[{number}]")

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        sources = [source.to_json() for source in self.video_source_list]
        return {"video_source_group_id": self.video_source_group_id, "video_source_list": sources}

    @classmethod
    def from_json(cls, value: Any, path: str) -> VideoSourceGroup:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("video_source_group_id", "video_source_list"), path)
        place = f"{path}.video_source_list"
        sources = listed(found.get("video_source_list"), place)
        return cls(
            typed(found.get("video_source_group_id"), str, f"{path}.video_source_group_id"),
            tuple(VideoSource.from_json(item, f"{place}[{number}]") for number, item in enumerate(sources)),
        )


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
