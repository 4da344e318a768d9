"""What tasks look at and with what: video sources, their groups, and algorithm services."""

import re
from dataclasses import dataclass, field
from typing import Any

_VIDEO_FILE = re.compile(r"\.(?:mp4|avi|mov|mkv|flv|ts|m4v|wmv|mpe?g)(?![\w.])", re.IGNORECASE)


def is_video_file(text: str) -> bool:
    """Whether a URL, or a configuration with one in it, has the extension of a file."""
    return _VIDEO_FILE.search(text) is not None


@dataclass(slots=True)
class VideoSource:
    """A camera, a stream or a file. Times are epoch seconds."""

    id: str
    name: str
    access_type: str
    type: str
    type_config: str
    created: float
    status: str = "Online"
    latitude: str = ""
    longitude: str = ""
    tag: list[str] = field(default_factory=list)
    group_ids: set[str] = field(default_factory=set)

    def ends(self, finite_types: tuple[str, ...]) -> bool:
        """Whether its video comes to an end: that of a file does."""
        if self.type not in finite_types:
            return False
        return self.type != "url" or is_video_file(self.type_config)


@dataclass(slots=True)
class VideoGroup:
    """Sources under one name; all of them of the group's access type."""

    id: str
    name: str
    access_type: str
    created: float
    modified: float
    description: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """An algorithm that is deployed. `api` is the word that tasks name it by."""

    id: str
    api: str
    title: str
    algorithm_id: str
    package_id: str
    version: str = "1.0"
    deploy_type: str = "cloud"
    status: str = "service_running"
    company: str = "VIAS"
    output_types: tuple[str, ...] = ()
    """Empty takes every kind of output."""


@dataclass(frozen=True, slots=True)
class EdgePool:
    """Edge nodes that algorithms may be deployed on."""

    id: str
    name: str
    node_ids: tuple[str, ...]
    created: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """One source of a request, with what is drawn on its picture."""

    source_id: str
    group_id: str | None = None
    target_roi: str | None = None

    def as_input(self) -> dict[str, Any]:
        """The input of the task that is made of it, as the detail of a task shows it."""
        data: dict[str, Any] = {"video_source_id": self.source_id}
        if self.target_roi is not None:
            data["target_roi"] = self.target_roi
        return {"type": "video_source", "data": [data]}
