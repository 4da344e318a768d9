"""Batch tasks for tests."""

from __future__ import annotations

from typing import Any

from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.outputs import Outputs
from visionbatch.vias.sources import VideoSource, VideoSourceGroup

DOCUMENTED = {
    "name": "wdwd",
    "service_name": "Smoke and fire detection algorithm",
    "service_version": "1.0",
    "manufacturer": "VIAS",
    "is_saved_as_template": False,
    "description": "",
    "priority": "low",
    "batch_input": {
        "video_source_group": [
            {
                "video_source_group_id": "xxxxxxx-xxxxxxx-xxxxxxx-xxxxx-xxxxxx",
                "video_source_list": [{"video_source_id": "xxxxxxx-xxxxxxx-xxxxxxx-xxxxx-xxxxxx"}],
            }
        ]
    },
    "output": {"webhook": {"url": "http://test", "headers": {"a": "a"}}},
    "config": {"common": {"render_result_sw": 1, "fire_detection_sw": 1, "smoke_detection_sw": 1}},
}
"""The one example of the page on adding a batch task, as it is printed there."""

GROUP = "group-0001"


def groups(*sources: str) -> tuple[VideoSourceGroup, ...]:
    return (VideoSourceGroup(GROUP, tuple(VideoSource(source) for source in sources or ("source-0001",))),)


def batch_task(**changes: Any) -> BatchTask:
    made = {
        "name": "nightly",
        "service_name": "fire",
        "service_version": "1.0",
        "groups": groups(),
        "outputs": Outputs(event_center=True),
    }
    return BatchTask(**{**made, **changes})
