"""The twenty-nine operations of VIAS v2, as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from visionbatch.errors import ConfigError

_PLACE = re.compile(r"\{(\w+)\}")
_PLAIN = re.compile(r"[a-z0-9_-]{4,36}")
_LOOSE = re.compile(r"[\u4E00-\u9FA5a-zA-Z0-9_-]{1,100}")

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "command": re.compile("start|stop"),
    "service_name": _LOOSE,
    "service_id": _LOOSE,
    "alg_id": _LOOSE,
    "pool_id": _LOOSE,
}
"""What may stand in a path; everything else is an id of 4 to 36 of a-z, 0-9, - and _ (the vendor's API definition)."""


@dataclass(frozen=True)
class Operation:
    """One operation.

    :param id: the vendor's name for it.
    :param path: below the project.
    """

    id: str
    method: str
    path: str

    @property
    def places(self) -> tuple[str, ...]:
        """What its path needs to be given."""
        return tuple(_PLACE.findall(self.path))

    @property
    def repeatable(self) -> bool:
        """Whether twice does no more than once: creating is the exception, for nothing marks a request as the same."""
        return self.method != "POST"

    def at(self, project: str, values: Mapping[str, str]) -> str:
        """Its path, with these in it.

        :raises ConfigError: for a value that is missing, is not wanted, or cannot be one.
        """
        if set(values) != set(self.places):
            raise ConfigError(f"{self.id} takes {sorted(self.places)}, not {sorted(values)}")
        for name, value in values.items():
            if not PATTERNS.get(name, _PLAIN).fullmatch(value):
                raise ConfigError(f"{value!r} cannot be the {name} of {self.id}")
        path = _PLACE.sub(lambda place: quote(values[place[1]], safe=""), self.path)
        return f"/v2/{project}{path}"


_TABLE = (
    ("CreateBatchTask", "POST", "/batch-tasks"),
    ("ListBatchTasks", "GET", "/batch-tasks"),
    ("UpdateBatchTask", "PUT", "/batch-tasks/{id}"),
    ("DeleteBatchTask", "DELETE", "/batch-tasks/{id}"),
    ("BatchStartStopTask", "PUT", "/batch-tasks/{id}/action/{command}"),
    ("CreateTask", "POST", "/services/{service_name}/tasks"),
    ("ListTasks", "GET", "/tasks"),
    ("ShowTaskInfo", "GET", "/tasks/{task_id}"),
    ("UpdateTask", "PUT", "/tasks/{task_id}"),
    ("DeleteTask", "DELETE", "/tasks/{task_id}"),
    ("StartStopTask", "PUT", "/tasks/{task_id}/action/{command}"),
    ("CreateVideoSource", "POST", "/source"),
    ("ListVideoSources", "GET", "/source/sources"),
    ("ShowVideoSourceDetail", "GET", "/source/sources/{video_source_id}"),
    ("UpdateVideoSource", "PUT", "/source/{video_source_id}"),
    ("DeleteVideoSource", "DELETE", "/source/{video_source_id}"),
    ("CreateVideoGroup", "POST", "/video-group"),
    ("ListVideoGroups", "GET", "/video-group/groups"),
    ("ShowVideoGroupDetail", "GET", "/video-group/{video_group_id}"),
    ("UpdateVideoGroup", "PUT", "/video-group/{video_group_id}"),
    ("DeleteVideoGroup", "DELETE", "/video-group/{video_group_id}"),
    ("DeployAlgorithm", "POST", "/algorithm/{alg_id}/deploy"),
    ("StopDeployAlgorithm", "PUT", "/algorithm/{alg_id}/deploy/stop"),
    ("ListUserServices", "GET", "/algorithm/services/user"),
    ("ShowServiceDetail", "GET", "/algorithm/services/{service_id}"),
    ("CreateEdgePool", "POST", "/edge-pools"),
    ("ListEdgePools", "GET", "/edge-pools"),
    ("ShowEdgePoolInfo", "GET", "/edge-pools/{pool_id}"),
    ("DeleteEdgePool", "DELETE", "/edge-pools/{pool_id}"),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({row[0]: Operation(*row) for row in _TABLE})
"""All of them, by the vendor's names."""
