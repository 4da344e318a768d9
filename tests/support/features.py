"""What the installed Airflow can do, found out without importing it: a test that needs more says so by its mark.

Versions are not compared: a feature is there when the code for it is.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pytest


class Feature(Enum):
    """What came with Airflow 3.2 or 3.3: a module, or a text in one, that is there with it; and what it is called."""

    TASK_STATE = ("models/task_state_store.py", "", "no state that outlives a task's try")
    ASSET_STATE = ("models/asset_state_store.py", "", "no state for assets")
    RETRY_POLICY = ("sdk/definitions/retry_policy.py", "", "no retry policies")
    SHARED_STREAMS = ("triggers/shared_stream.py", "", "no streams that triggers share")
    STARTS_IN_TRIGGERER = ("jobs/triggerer_job_runner.py", "start_from_trigger", "no tasks that start in the triggerer")
    TOLD_OF_KILLS = ("triggers/base.py", "async def on_kill", "no word to a trigger whose task was ended")
    FAILED_EVENTS_RETRY = ("models/trigger.py", "is_eligible_to_retry", "no retry of a task that a trigger failed")
    FORM_FROM_METADATA = ("provider.yaml.schema.json", "conn-fields", "no connection form from metadata")

    def __init__(self, path: str, text: str, lack: str) -> None:
        self.path = path
        self.text = text
        self.lack = lack

    @property
    def is_there(self) -> bool:
        """Whether the installed Airflow has it."""
        return _holds(self.path, self.text)


@lru_cache
def _holds(path: str, text: str) -> bool:
    spec = find_spec("airflow")
    places = [Path(folder) / path for folder in (spec.submodule_search_locations or ())] if spec else []
    return any(place.is_file() and text in place.read_text() for place in places)


def needs(feature: Feature) -> pytest.MarkDecorator:
    """Skip a test where Airflow lacks what it is about."""
    return pytest.mark.skipif(not feature.is_there, reason=f"this Airflow has {feature.lack}")


def lacks(feature: Feature) -> pytest.MarkDecorator:
    """Skip a test of what is done without a feature where Airflow has it."""
    return pytest.mark.skipif(feature.is_there, reason="this Airflow needs no substitute: it has what others lack")
