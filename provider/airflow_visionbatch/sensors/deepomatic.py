"""Waiting for a Deepomatic batch that something else has made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
    conf,
)
from airflow_visionbatch.deferral import backstop, not_before
from airflow_visionbatch.ending import Result, ending, refuse_what_needs_a_worker
from airflow_visionbatch.failures import failing_for_good
from airflow_visionbatch.links import CONSOLE_KEY, DeepomaticBatchLink
from airflow_visionbatch.sensors.service import ServiceSensor, confirmed_by

if TYPE_CHECKING:
    from visionbatch import Deepomatic, Snapshot

SERVICE = "deepomatic"
GRACE_S = 60.0
"""Seconds in which a batch may still be invisible: it may have been made a moment ago."""

TRIGGER = "airflow_visionbatch.triggers.snapshot.SnapshotTrigger"


class DeepomaticBatchSensor(ServiceSensor):
    """Wait until a batch has ended well; fails when it has ended otherwise. Returns the last state.

    Waits in the worker (``mode="poke"``), between rescheduled tries (``mode="reschedule"``: costs half a second of CPU
    a look, so use a ``poke_interval`` of a minute or more) or in the triggerer (``deferrable=True``).

    :param batch_id: the batch. Templated.
    :param deepomatic_conn_id: connection of type ``deepomatic``. Templated.
    :param on_partial: as for `DeepomaticRunBatchOperator`.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    :param start_from_trigger: go to the triggerer at once, without a worker process before (Airflow 3.3; older versions
        need one to get there).
    :param end_from_trigger: succeed in the triggerer, without a worker process after; what is not a success still goes
        on in one.
    :raises ValueError: for an ``end_from_trigger`` with what only a worker can do, or a ``poke_interval`` of 0.
    """

    template_fields: Sequence[str] = ("batch_id", "deepomatic_conn_id", "ref", "conn_id")
    operator_extra_links = (DeepomaticBatchLink(),)
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        batch_id: str,
        deepomatic_conn_id: str = "deepomatic_default",
        on_partial: str = "warn",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.deepomatic_conn_id = deepomatic_conn_id
        self.on_partial = on_partial
        self.deferrable = deferrable
        # Airflow renders a trigger's argument only when the operator has a template field of the same name.
        self.ref = batch_id
        self.conn_id = deepomatic_conn_id
        self.start_from_trigger = start_from_trigger
        self.end_from_trigger = end_from_trigger
        if end_from_trigger:
            refuse_what_needs_a_worker(self, waits_in_the_triggerer=deferrable or start_from_trigger)
        if start_from_trigger:
            self.start_trigger_args = self._start_trigger_args()

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

        with self._site(grace_s=0 if waits_long(self, context) else GRACE_S) as site:
            try:
                snapshot = self._looked_at(site)
            except DeadlinePassed as error:
                self.log.info("%s", error.what)
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._accepted(context, snapshot))

    def _looked_at(self, site: Deepomatic) -> Snapshot:
        from visionbatch.errors import NotFound

        def look() -> Snapshot:
            return site.wait(self.batch_id, deadline=site.clock.now())

        # That it is not there is no more believed at once than that it has ended.
        with suppress(NotFound):
            look()
        return confirmed_by(site, look)

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from airflow_visionbatch.triggers.snapshot import WaitEnded
        from visionbatch.errors import DeadlinePassed

        with failing_for_good():
            ended = WaitEnded.read(event)
            ended.replay(self.log)
            try:
                return self._accepted(context, ended.snapshot())
            except DeadlinePassed as error:
                raise (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(str(error)) from error

    def _accepted(self, context: Any, snapshot: Snapshot) -> dict[str, Any]:
        from airflow_visionbatch.assets import tell_outlets
        from visionbatch import OnPartial, judge

        verdict = judge(snapshot, OnPartial.parse(self.on_partial))
        self.log.info("deepomatic batch %s: %s", self.batch_id, verdict.reason)
        verdict.require(SERVICE, self.batch_id)
        value = snapshot.to_json()
        facts = {"batch_id": self.batch_id, "outcome": verdict.outcome.value}
        tell_outlets(self, context, {**facts, "phase": value["phase"], "counts": value["counts"] or {}})
        return value

    def _defer(self, link: str) -> None:
        from airflow_visionbatch.triggers.snapshot import SnapshotTrigger
        from airflow_visionbatch.waiting import tell_wait

        deadline = time.time() + self.timeout
        what = f"{SERVICE} batch {self.batch_id}"
        tell_wait(self.log, what, link=link, state=None, poll_s=self.poke_interval, deadline=deadline)
        self.defer(
            trigger=SnapshotTrigger(
                SERVICE,
                self.deepomatic_conn_id,
                self.batch_id,
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
                "service": SERVICE,
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

    def _site(self, *, grace_s: float) -> Deepomatic:
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook
        from visionbatch import Pace

        return DeepomaticHook(self.deepomatic_conn_id, Pace(grace_s=grace_s)).get_conn()

    def _show_link(self, context: Any) -> str:
        with self._site(grace_s=0) as site:
            link = site.api.console_url(self.batch_id)
        context["ti"].xcom_push(key=CONSOLE_KEY, value=link)
        return link


def waits_long(sensor: ServiceSensor, context: Any) -> bool:
    """Whether a batch that is still invisible to a sensor has had time enough to show."""
    ti = context["ti"]
    since = (ti.get_first_reschedule_date(context) if sensor.reschedule else None) or ti.start_date
    return since is not None and time.time() - since.timestamp() > GRACE_S
