"""Waiting for something at a service that something else has begun."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch._compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
    conf,
)
from airflow_visionbatch.deferral import backstop, not_before
from airflow_visionbatch.ending import Result, ending, refuse_what_needs_a_worker
from airflow_visionbatch.failures import failing_for_good
from airflow_visionbatch.links import CONSOLE_KEY
from airflow_visionbatch.sensors.service import ServiceSensor, confirmed_by

if TYPE_CHECKING:
    from visionbatch import Snapshot

GRACE_S = 60.0
"""Seconds in which something may still be invisible: it may have been made a moment ago."""

TRIGGER = "airflow_visionbatch.triggers.snapshot.SnapshotTrigger"


class RemoteSensor(ServiceSensor):
    """Wait until something has ended well; fails when it has ended otherwise. Returns the last state.

    Waits in the worker (``mode="poke"``), between rescheduled tries (``mode="reschedule"``: costs half a second of CPU
    a look, so use a ``poke_interval`` of a minute or more) or in the triggerer (``deferrable=True``). What a sensor
    of a service adds is the reference of what it waits for, and how its client is opened.

    :param ref: what is waited for, in the service's own form. Templated.
    :param conn_id: connection of the service. Templated.
    :param on_partial: ``warn``, ``fail``, ``accept``, ``accept:<number>`` or ``accept:<share>%``.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    :param start_from_trigger: go to the triggerer at once, without a worker process before (Airflow 3.3; older versions
        need one to get there).
    :param end_from_trigger: succeed in the triggerer, without a worker process after; what is not a success still goes
        on in one.
    :raises ValueError: for an ``end_from_trigger`` with what only a worker can do, or a ``poke_interval`` of 0.
    """

    service: ClassVar[str]
    """As triggers and assets call it."""
    noun: ClassVar[str] = "batch"
    """What is waited for, for people."""
    id_key: ClassVar[str] = "batch_id"
    """What its id is called on asset events."""

    # Airflow renders a trigger's argument only when the operator has a template field of the same name.
    template_fields: Sequence[str] = ("ref", "conn_id")
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        ref: str,
        conn_id: str,
        on_partial: str = "warn",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ref = ref
        self.conn_id = conn_id
        self.on_partial = on_partial
        self.deferrable = deferrable
        self.start_from_trigger = start_from_trigger
        self.end_from_trigger = end_from_trigger
        if end_from_trigger:
            refuse_what_needs_a_worker(self, waits_in_the_triggerer=deferrable or start_from_trigger)
        if start_from_trigger:
            self.start_trigger_args = self._start_trigger_args()

    @abstractmethod
    def _client(self, *, grace_s: float) -> Any:
        """The service's client, a context manager.

        :param grace_s: seconds in which it may still be invisible.
        """

    @abstractmethod
    def _look(self, client: Any) -> Snapshot:
        """One look, in which an outage of the service is a `DeadlinePassed`."""

    @abstractmethod
    def _page(self, client: Any) -> str:
        """The page on which people follow it; empty when there is none."""

    @property
    def _watched(self) -> str:
        """What a look is asked for, once the templates are rendered."""
        return self.ref

    @property
    def _name(self) -> str:
        """Its id, for people and asset events."""
        return self.ref

    def execute(self, context: Any) -> Any:
        """Wait here, or hand the wait to the triggerer."""
        with failing_for_good():
            link = self._show_link(context)
            # Airflow before 3.3 runs a task that is to start in the triggerer; it must not hold its worker.
            if self.deferrable or self.start_from_trigger:
                self._defer(link)
            return super().execute(context)

    def poke(self, context: Any) -> PokeReturnValue:
        """One look, and a second one that confirms an end; an outage of the service counts as "not yet"."""
        from visionbatch.errors import DeadlinePassed

        with self._client(grace_s=0 if waits_long(self, context) else GRACE_S) as client:
            try:
                snapshot = self._looked_at(client)
            except DeadlinePassed as error:
                self.log.info("%s", error.what)
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._accepted(context, snapshot))

    def _looked_at(self, client: Any) -> Snapshot:
        from visionbatch.errors import NotFound

        # That it is not there is no more believed at once than that it has ended.
        with suppress(NotFound):
            self._look(client)
        return confirmed_by(client, lambda: self._look(client))

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from airflow_visionbatch.triggers.snapshot import WaitEnded
        from visionbatch.errors import DeadlinePassed

        with failing_for_good():
            ended = WaitEnded.read(event)
            ended.replay(self.log, self.noun)
            try:
                return self._accepted(context, ended.snapshot())
            except DeadlinePassed as error:
                raise (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(str(error)) from error

    def _accepted(self, context: Any, snapshot: Snapshot) -> dict[str, Any]:
        from airflow_visionbatch.assets import tell_outlets
        from visionbatch import OnPartial, judge

        verdict = judge(snapshot, OnPartial.parse(self.on_partial))
        self.log.info("%s %s %s: %s", self.service, self.noun, self._name, verdict.reason)
        verdict.require(self.service, self._name)
        value = snapshot.to_json()
        facts = {self.id_key: self._name, "outcome": verdict.outcome.value}
        tell_outlets(self, context, {**facts, "phase": value["phase"], "counts": value["counts"] or {}})
        return value

    def _defer(self, link: str) -> None:
        from airflow_visionbatch.triggers.snapshot import SnapshotTrigger
        from airflow_visionbatch.waiting import tell_wait

        deadline = time.time() + self.timeout
        what = f"{self.service} {self.noun} {self._name}"
        tell_wait(self.log, what, link=link, state=None, poll_s=self.poke_interval, deadline=deadline)
        self.defer(
            trigger=SnapshotTrigger(
                self.service,
                self.conn_id,
                self._watched,
                deadline,
                self._pace(),
                not_before=not_before(),
                end=self._ending(),
            ),
            method_name="execute_complete",
            timeout=backstop(deadline),
        )

    def _start_trigger_args(self) -> Any:
        from airflow.triggers.base import StartTriggerArgs

        # Nobody runs before the trigger who could turn the time-out into a moment, so Airflow's own limit has to do.
        return StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs={
                "service": self.service,
                "conn_id": self.conn_id,
                "ref": self.ref,
                "deadline": None,
                "pace": self._pace(),
                "end": self._ending(),
            },
            next_method="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def _ending(self) -> dict[str, Any] | None:
        if not self.end_from_trigger:
            return None
        return ending(Result.SNAPSHOT, on_partial=self.on_partial, push=self.do_xcom_push)

    def _pace(self) -> dict[str, float]:
        return {"first_s": self.poke_interval, "longest_s": self.poke_interval}

    def _show_link(self, context: Any) -> str:
        with self._client(grace_s=0) as client:
            link = self._page(client)
        if link:
            context["ti"].xcom_push(key=CONSOLE_KEY, value=link)
        return link


def waits_long(sensor: ServiceSensor, context: Any) -> bool:
    """Whether what is still invisible to a sensor has had time enough to show."""
    ti = context["ti"]
    since = (ti.get_first_reschedule_date(context) if sensor.reschedule else None) or ti.start_date
    return since is not None and time.time() - since.timestamp() > GRACE_S
