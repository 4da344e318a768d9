"""The one trigger for every wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from sys import intern
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from airflow_visionbatch.deferral import at_work_since, scheduler_has_heard
from airflow_visionbatch.ending import pushed, xcoms_of_a_success
from airflow_visionbatch.ownership import Owner, owner_of
from airflow_visionbatch.services import hub_of
from airflow_visionbatch.triggers.pacing import NOTHING, kept_once, pace_of
from airflow_visionbatch.waiting import History, history_in, replay
from visionbatch import Hub, Snapshot, VisionBatchError, error_from_json

EVENT_SCHEMA = 1

KILL_S = 29.0
"""Seconds for the answer to a kill: Airflow gives it thirty."""

TOLD_OF_KILLS = hasattr(BaseTrigger, "on_kill")
"""Airflow 3.3 tells a trigger of a kill; before, a cancelled coroutine may be a kill or a mere restart."""


class SnapshotTrigger(BaseTrigger):
    """Waits until a remote batch or job has ended, its deadline has passed, or something cannot be mended.

    Its arguments and its event are JSON primitives without any secret: the connection is looked up where it runs.

    :param service: ``deepomatic``, ``roboflow`` or ``huawei_vias``.
    :param conn_id: Airflow connection.
    :param ref: id of the batch or job.
    :param deadline: Unix seconds; ``None`` waits for ever. Absolute, so that it survives a restart of the triggerer.
    :param pace: fields of `visionbatch.flow.pace.Pace` that differ from its defaults.
    :param carry: JSON object that comes back in the event, for whoever goes on. It does not travel as an argument of
        the deferral, because ``dag.test()`` drops those.
    :param cancel_on_kill: cancel the batch or job when the task was ended by a person, and by nobody else.
    :param cancel_on_unknown: cancel it also when Airflow does not say in time what became of the task.
    :param not_before: see `airflow_visionbatch.deferral.not_before`.
    :param end: end a task that has succeeded here, without a worker, see `airflow_visionbatch.ending`.
    """

    def __init__(
        self,
        service: str,
        conn_id: str,
        ref: str,
        deadline: float | None = None,
        pace: dict[str, float] | None = None,
        carry: dict[str, Any] | None = None,
        cancel_on_kill: bool = False,
        cancel_on_unknown: bool = False,
        not_before: float | None = None,
        end: dict[str, Any] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        # Thousands of triggers wait in one process: what they have in common is kept once.
        self.service = intern(service)
        self.conn_id = intern(conn_id)
        self.ref = ref
        self.deadline = deadline
        self.pace = kept_once(tuple(sorted((pace or {}).items())))
        self.carry = carry or NOTHING
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_unknown = cancel_on_unknown
        self.not_before = not_before
        self.end = end
        # A row written by a newer version may carry arguments this one does not know; it can still wait.
        self.later = later or NOTHING

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as the triggerer stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "service": self.service,
                "conn_id": self.conn_id,
                "ref": self.ref,
                "deadline": self.deadline,
                "pace": self.pace,
                "carry": self.carry,
                "cancel_on_kill": self.cancel_on_kill,
                "cancel_on_unknown": self.cancel_on_unknown,
                "not_before": self.not_before,
                "end": self.end,
                **self.later,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and give one event.

        Nothing may stand between the event and the end: a trigger that lingers is killed as if by a person.
        """
        since, history = at_work_since(), History()
        xcoms: dict[str, Any] | None = None
        try:
            async with self._hub() as shared:
                snapshot = await shared.await_end(
                    self.ref, pace=pace_of(**self.pace), deadline=self.deadline, observe=history
                )
                xcoms = await xcoms_of_a_success(self.end, shared, self.ref, self.carry, snapshot)
            ended = {"snapshot": snapshot.to_json()}
        except VisionBatchError as error:
            ended = {"failure": error.to_json()}
        except asyncio.CancelledError:
            if not TOLD_OF_KILLS:
                await asyncio.shield(self.on_kill())
            raise
        await scheduler_has_heard(self.not_before, since)
        event = {"schema": EVENT_SCHEMA, "service": self.service, "ref": self.ref, "carry": self.carry, **ended}
        payload = history.added_to(event)
        if xcoms is not None and await pushed(self.task_instance, xcoms, self.log):
            self.log.info("%s %s has ended well, and its task ends here without a worker", self.service, self.ref)
            yield _success(payload)
        else:
            yield TriggerEvent(payload)

    async def on_kill(self) -> None:
        """Cancel the remote batch or job if nobody else looks after it, see `airflow_visionbatch.ownership`.

        Airflow 3.3 repeats its cancellation about every second until the trigger has ended, which would break this off
        too: the first look-up in a fresh triggerer takes longer. So it is worked off apart, and within `KILL_S`.
        """
        if not self.cancel_on_kill:
            return
        work = asyncio.ensure_future(asyncio.wait_for(self._cancel_unless_owned(), KILL_S))
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(work)
        work.result()

    async def _cancel_unless_owned(self) -> None:
        owner = await owner_of(self.task_instance)
        if owner is Owner.SOMEBODY:
            self.log.info("%s %s is left alone: the task is still alive elsewhere", self.service, self.ref)
        elif owner is Owner.UNKNOWN and not self.cancel_on_unknown:
            self.log.warning(
                "%s %s is left alone: Airflow did not say what became of the task. To cancel it by hand: "
                "visionbatch %s delete %s",
                self.service,
                self.ref,
                self.service.replace("_", "-"),
                self.ref,
            )
        elif self.deadline is not None and time.time() >= self.deadline:
            # The task may have failed for that, under another triggerer, and its policy says what becomes of the rest.
            self.log.info("%s %s is left alone: its deadline has passed", self.service, self.ref)
        else:
            await self._cancel_unless_ended()

    async def _cancel_unless_ended(self) -> None:
        """A triggerer that stood still may hear of this when the task has long succeeded under another one."""
        async with self._hub() as shared:
            if await shared.has_ended(self.ref):
                self.log.info("%s %s is left alone: it has ended by itself", self.service, self.ref)
                return
            await shared.cancel(self.ref)
        self.log.info("%s %s: cancelled, for the task was ended", self.service, self.ref)

    def _hub(self) -> AbstractAsyncContextManager[Hub]:
        """What all triggers of a connection in this triggerer share; the connection is looked up once for all."""
        return hub_of(self.service, self.conn_id)


def _success(payload: dict[str, Any]) -> TriggerEvent:
    """The end of a task; with the usual event beside it for ``dag.test()``, which resumes the task whatever it gets."""
    event = TaskSuccessEvent()
    event.payload = payload
    return event


@dataclass(frozen=True)
class WaitEnded:
    """The event of a `SnapshotTrigger`, checked.

    :param carry: what the trigger was given to hand back.
    """

    carry: dict[str, Any]
    _event: dict[str, Any]

    @classmethod
    def read(cls, event: Any) -> WaitEnded:
        """Check an event.

        :raises VisionBatchError: when it is not one of ours.
        """
        if not isinstance(event, dict) or event.get("schema") != EVENT_SCHEMA:
            raise VisionBatchError("the trigger's event is not one of ours", retry_safe=True)
        return cls(dict(event.get("carry") or {}), event)

    @property
    def history(self) -> list[tuple[float, str]]:
        """The last changes of state that the trigger saw, with their moments in Unix seconds."""
        return history_in(self._event)

    def replay(self, log: Any, noun: str = "batch") -> None:
        """Write what the trigger saw into the task's log.

        :param noun: what was waited for.
        """
        what = f"{self._event.get('service')} {noun} {self._event.get('ref')}"
        replay(log, what, self.history, int(self._event.get("forgotten") or 0))

    def snapshot(self) -> Snapshot:
        """The last state of the batch or job.

        :raises VisionBatchError: the failure that the event tells of instead.
        """
        if "failure" in self._event:
            raise error_from_json(self._event["failure"])
        return Snapshot.from_json(self._event["snapshot"])
