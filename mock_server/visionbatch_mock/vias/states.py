"""The eighteen states of a task, and the lives that tasks lead, as tables.

Names and meanings are Huawei's; the order in which a task passes them is not documented and is
assumed here, which is why a test may give a source any other life (`vias_lives`).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class TaskState(StrEnum):
    """Where a task stands. Task objects show the word as it is, counters in lower case."""

    PENDING = "PENDING"
    SCHEDULING = "SCHEDULING"
    STARTING = "STARTING"
    RECOVERING = "RECOVERING"
    UPGRADING = "UPGRADING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    STOPPED_NO_SERVICE = "STOPPED_NO_SERVICE"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CREATE_FAILED = "CREATE_FAILED"
    START_FAILED = "START_FAILED"
    LACK_OF_RESOURCES = "LACK_OF_RESOURCES"
    ABNORMAL = "ABNORMAL"
    FREEZING = "FREEZING"
    FROZEN = "FROZEN"
    DELETING = "DELETING"


class Life(StrEnum):
    """What sets a task on its way."""

    FILE = "file"
    """It begins on an input that ends."""
    STREAM = "stream"
    """It begins on an input that never ends."""
    IDLE = "idle"
    """It is created and waits for a start."""
    STOP = "stop"
    DELETE = "delete"


_S = TaskState

LIVES: Mapping[Life, tuple[TaskState, ...]] = MappingProxyType(
    {
        Life.FILE: (_S.PENDING, _S.STARTING, _S.RUNNING, _S.SUCCEEDED),
        Life.STREAM: (_S.PENDING, _S.STARTING, _S.RUNNING),
        Life.IDLE: (_S.PENDING,),
        Life.STOP: (_S.STOPPING, _S.STOPPED),
        Life.DELETE: (_S.DELETING,),
    }
)
"""States in order; the last one stays, but a deleted task is gone after it."""

DURATIONS: Mapping[str, float] = MappingProxyType(
    {_S.PENDING: 1.0, _S.STARTING: 1.0, _S.RUNNING: 3.0, _S.STOPPING: 1.0, _S.DELETING: 1.0}
)
"""Seconds of the tenant's clock in each state on the way; ours."""

OTHER_S = 1.0
"""The same for every state that is not in the table."""

ENDED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CREATE_FAILED, _S.START_FAILED, _S.LACK_OF_RESOURCES})
"""States that mean: nothing more will happen by itself."""

AT_REST = ENDED | {_S.STOPPED, _S.STOPPED_NO_SERVICE, _S.FROZEN}
"""States in which a task does nothing, so that a start means something and a stop does not."""
