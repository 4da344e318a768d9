"""Waiting for the files of an export: for one task, and for the watchers of an asset."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_visionbatch.deferral import at_work_since, scheduler_has_heard
from airflow_visionbatch.exports import SERVICE, arrival, layout_of
from airflow_visionbatch.hooks.google import bucket_of_async
from airflow_visionbatch.triggers.watching import WatchingTrigger

if TYPE_CHECKING:
    from visionbatch import Arrivals, Looked

EVENT_SCHEMA = 1

FIRST_LOOK_S = 5.0
"""Seconds that the first look may take when the deadline has passed before it."""


async def _looks(kwargs: dict[str, Any]) -> AsyncIterator[Looked]:
    """The looks of all who agree in connection, place, patterns and interval."""
    from visionbatch import export_looks

    conn_id = kwargs["conn_id"]
    bucket, layout = layout_of(kwargs["storage_uri"], kwargs["patterns"])
    looks = export_looks(
        f"{conn_id} {bucket}", lambda: bucket_of_async(conn_id, bucket), layout, kwargs["poll_interval"]
    )
    async with aclosing(looks):
        async for look in looks:
            yield look


class DeepomaticExportTrigger(BaseTrigger):
    """Waits until a whole set of new files lies in an export's bucket, or a deadline has passed.

    Its arguments and its event are JSON primitives without any secret: the connection is looked up where it runs.

    :param conn_id: connection of type ``google_cloud_platform``; ``None`` for the triggerer's own credential.
    :param storage_uri: ``gs://bucket[/prefix]``.
    :param since: Unix seconds from which files count as new; ``None`` for all.
    :param deadline: Unix seconds; ``None`` waits for ever, and one in the past looks once.
    :param not_before: see `airflow_visionbatch.deferral.not_before`.
    """

    def __init__(
        self,
        conn_id: str | None,
        storage_uri: str,
        patterns: Sequence[str] | None = None,
        since: float | None = None,
        settle: float = 30.0,
        poll_interval: float = 60.0,
        deadline: float | None = None,
        not_before: float | None = None,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        self.conn_id = conn_id
        self.storage_uri = storage_uri
        self.patterns = list(patterns) if patterns else None
        self.since = since
        self.settle = settle
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before
        # A row written by a newer version may carry arguments this one does not know; it can still wait.
        self.later = later

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as the triggerer stores them."""
        names = ("conn_id", "storage_uri", "patterns", "since", "settle", "poll_interval", "deadline", "not_before")
        arguments = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**arguments, **self.later}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and give one event."""
        from visionbatch import VisionBatchError
        from visionbatch.errors import DeadlinePassed

        since = at_work_since()
        left = None if self.deadline is None else self.deadline - time.time()
        limit = asyncio.timeout(None if left is None else max(left, FIRST_LOOK_S))
        try:
            async with limit:
                ended: dict[str, Any] = {"arrival": await self._arrival(limit)}
        except TimeoutError:
            if not limit.expired():
                raise
            late = DeadlinePassed("no new files have arrived by the deadline", service=SERVICE, ref=self.storage_uri)
            ended = {"failure": late.to_json()}
        except VisionBatchError as error:
            ended = {"failure": error.to_json()}
        await scheduler_has_heard(self.not_before, since)
        yield TriggerEvent({"schema": EVENT_SCHEMA, **ended})

    async def _arrival(self, limit: asyncio.Timeout) -> dict[str, Any]:
        from visionbatch import Arrivals

        arrivals = Arrivals(since=self.since, catch_up=True, settle_s=self.settle)
        clock = asyncio.get_running_loop().time
        bucket, layout = layout_of(self.storage_uri, self.patterns)
        async with aclosing(_looks(self.serialize()[1])) as looks:  # type: ignore[type-var]  # it is a generator
            async for look in looks:
                if new := arrivals.news(look, clock()):
                    return arrival(bucket, layout.prefix, new)
                if self.deadline is not None:
                    limit.reschedule(clock() + self.deadline - time.time())
        raise AssertionError  # the looks go on for ever


class DeepomaticExportEventTrigger(WatchingTrigger):
    """Tells of every whole set of new files of an export, for an ``AssetWatcher``.

    All triggers that agree in connection, place, patterns and interval share one look. What has been told is kept with
    the asset, on Airflow 3.3, so that a restart of the triggerer loses none; a triggerer that dies between an event and
    the next look may tell it again. Before 3.3 the telling begins anew with each start of the trigger.

    The payload of an event is small JSON: ``storage_uri``, ``count``, ``bytes``, ``since``, ``until``, ``files``.

    :param storage_uri: ``gs://bucket[/prefix]``.
    :param conn_id: connection of type ``google_cloud_platform``; ``None`` for the triggerer's own credential.
    :param patterns: shell patterns of the data files behind the prefix.
    :param settle: seconds between two looks that have to agree before files are told.
    :param poll_interval: seconds between two looks.
    :param catch_up: the first time, tell also of what is there already.
    :raises ValueError: for an interval that is none.
    """

    def __init__(
        self,
        storage_uri: str,
        conn_id: str | None = "google_cloud_default",
        patterns: Sequence[str] | None = None,
        settle: float = 30.0,
        poll_interval: float = 60.0,
        catch_up: bool = False,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        if not poll_interval > 0 or settle < 0:
            raise ValueError(f"poll_interval is {poll_interval} and settle {settle}: neither can be")
        self.storage_uri = storage_uri
        self.conn_id = conn_id
        self.patterns = sorted(patterns) if patterns else None
        self.settle = settle
        self.poll_interval = poll_interval
        self.catch_up = catch_up
        # A row written by a newer version may carry arguments this one does not know; it can still tell.
        self.later = later

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as the triggerer stores them."""
        names = ("storage_uri", "conn_id", "patterns", "settle", "poll_interval", "catch_up")
        arguments = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**arguments, **self.later}

    def shared_stream_key(self) -> Hashable:
        """Who agrees in connection, place, patterns and interval shares a look."""
        return ("visionbatch", SERVICE, self.conn_id, self.storage_uri, self._patterns, float(self.poll_interval))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """What lies below the prefix, after every look.

        :raises VisionBatchError: for what waiting does not mend, such as a bucket that is not there.
        """
        async with aclosing(_looks(kwargs)) as looks:  # type: ignore[type-var]  # it is a generator
            async for look in looks:
                yield look

    @property
    def _patterns(self) -> tuple[str, ...]:
        return tuple(self.patterns or ())

    def _resumed(self, cursor: Any) -> Arrivals:
        from visionbatch import Arrivals

        return Arrivals(cursor, catch_up=self.catch_up, settle_s=self.settle)

    def _news(self, arrivals: Arrivals, look: Looked) -> list[dict[str, Any]]:
        new = arrivals.news(look, asyncio.get_running_loop().time())
        bucket, layout = layout_of(self.storage_uri, self.patterns)
        return [arrival(bucket, layout.prefix, new)] if new else []

    def _cursor_key(self) -> str:
        """Triggers of one asset with different wishes have different cursors."""
        wishes = "\0".join((str(self.conn_id), self.storage_uri, *self._patterns))
        return f"visionbatch_arrived_{sha256(wishes.encode()).hexdigest()[:16]}"
