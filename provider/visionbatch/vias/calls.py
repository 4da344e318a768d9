"""What every operation needs: a path in the project, patience, and errors that name their subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from visionbatch.errors import ConfigError, VisionBatchError
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Request, Response
from visionbatch.flow.retry import RetryPolicy
from visionbatch.vias.decode import trouble
from visionbatch.vias.operations import OPERATIONS
from visionbatch.vias.settings import ViasSettings

T = TypeVar("T")

SERVICE = "huawei_vias"
ONCE = RetryPolicy(attempts=1)

Query = Sequence[tuple[str, str]]


class Calls:
    """Requests of one project.

    :param settings: with the id of the project.
    :param retry: patience of a request that is not given any other.
    :raises ConfigError: without that id.
    """

    def __init__(self, settings: ViasSettings, retry: RetryPolicy) -> None:
        if not settings.project_id:
            raise ConfigError("the project id is not known", next_step="Give project_id, or have it looked up.")
        self.settings = settings
        self.retry = retry
        self._trouble = trouble(settings)

    def send(
        self,
        operation: str,
        values: Mapping[str, str] | None = None,
        *,
        query: Query = (),
        body: Any = None,
        retry: RetryPolicy | None = None,
    ) -> Flow[Response]:
        """Any of the operations until it is answered with a 2xx status; see `visionbatch.flow.call.call`.

        :param values: what its path needs.
        :raises ConfigError: for an operation or a value that cannot be one, before anything is sent.
        """
        if operation not in OPERATIONS:
            raise ConfigError(f"{operation!r} is none of VIAS's operations; those are {', '.join(OPERATIONS)}")
        known = OPERATIONS[operation]
        path = known.at(self.settings.project_id, values or {})
        request = Request(known.method, path, tuple(query), body, repeatable=known.repeatable)
        return (yield from call(request, retry or self.retry, self._trouble))


def named(batch_id: str, flow: Flow[T]) -> Flow[T]:
    """A flow whose errors say whom they are about."""
    try:
        return (yield from flow)
    except VisionBatchError as error:
        error.about(SERVICE, batch_id)
        raise
