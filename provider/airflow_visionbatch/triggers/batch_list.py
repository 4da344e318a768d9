"""The trigger of one task that waits for many batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from sys import intern
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_visionbatch.deferral import at_work_since, scheduler_has_heard
from airflow_visionbatch.services import hub_of
from airflow_visionbatch.triggers.pacing import kept_once, pace_of
from airflow_visionbatch.waiting import History, history_in, replay
from visionbatch import OnPartial, Tally, VisionBatchError, error_from_json

EVENT_SCHEMA = 1


class BatchListTrigger(BaseTrigger):
    """Waits until all of many remote batches or jobs have ended, their deadline has passed, or all is in vain.

    They are asked for together with all else that waits on the connection in this triggerer. Nothing is ever cancelled:
    who waits for a list has not made it. The event stays below 4 KB, for it holds what became of each in some bits.

    :param service: ``deepomatic``, ``roboflow`` or ``huawei_vias``.
    :param conn_id: Airflow connection.
    :param refs: ids of the batches or jobs, each once.
    :param deadline: Unix seconds; ``None`` waits for ever. Absolute, so that it survives a restart of the triggerer.
    :param pace: fields of `visionbatch.flow.pace.Pace` that differ from its defaults.
    :param on_partial: how each of them is judged, see `visionbatch.OnPartial`.
    :param not_before: see `airflow_visionbatch.deferral.not_before`.
    """

    def __init__(
        self,
        service: str,
        conn_id: str,
        refs: list[str],
        deadline: float | None = None,
        pace: dict[str, float] | None = None,
        on_partial: str = "warn",
        not_before: float | None = None,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        self.service = intern(service)
        self.conn_id = intern(conn_id)
        self.refs = refs
        self.deadline = deadline
        self.pace = kept_once(tuple(sorted((pace or {}).items())))
        self.on_partial = on_partial
        self.not_before = not_before
        # A row written by a newer version may carry arguments this one does not know; it can still wait.
        self.later = later

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as the triggerer stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "service": self.service,
                "conn_id": self.conn_id,
                "refs": self.refs,
                "deadline": self.deadline,
                "pace": self.pace,
                "on_partial": self.on_partial,
                "not_before": self.not_before,
                **self.later,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and give one event."""
        since, history = at_work_since(), History()

        def observe(tally: Tally) -> None:
            self.log.info("%s batches: %s", self.service, tally)
            history(tally)

        try:
            async with hub_of(self.service, self.conn_id) as shared:
                tally = await shared.await_all(
                    self.refs,
                    pace=pace_of(**self.pace),
                    deadline=self.deadline,
                    on_partial=OnPartial.parse(self.on_partial),
                    observe=observe,
                )
            ended = {"tally": tally.to_json()}
        except VisionBatchError as error:
            ended = {"failure": error.to_json()}
        await scheduler_has_heard(self.not_before, since)
        yield TriggerEvent(history.added_to({"schema": EVENT_SCHEMA, "service": self.service, **ended}))


@dataclass(frozen=True)
class ListEnded:
    """The event of a `BatchListTrigger`, checked."""

    _event: dict[str, Any]

    @classmethod
    def read(cls, event: Any) -> ListEnded:
        """Check an event.

        :raises VisionBatchError: when it is not one of ours.
        """
        if not isinstance(event, dict) or event.get("schema") != EVENT_SCHEMA or not {"tally", "failure"} & set(event):
            raise VisionBatchError("the trigger's event is not one of ours", retry_safe=True)
        return cls(event)

    def replay(self, log: Any) -> None:
        """Write what the trigger saw into the task's log."""
        what = f"{self._event.get('service')} batches"
        replay(log, what, history_in(self._event), int(self._event.get("forgotten") or 0))

    def tally(self) -> Tally:
        """What became of each.

        :raises VisionBatchError: the failure that the event tells of instead.
        """
        if "failure" in self._event:
            raise error_from_json(self._event["failure"])
        try:
            return Tally.from_json(self._event["tally"])
        except ValueError as error:
            raise VisionBatchError(f"the trigger's event cannot be read: {error}", retry_safe=True) from error
