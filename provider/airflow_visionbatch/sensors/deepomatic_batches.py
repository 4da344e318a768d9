"""Waiting for a list of Deepomatic batches in one task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
    conf,
)
from airflow_visionbatch.deferral import backstop, not_before
from airflow_visionbatch.ending import MANIFEST_KEY
from airflow_visionbatch.failures import failing_for_good
from airflow_visionbatch.sensors.remote import GRACE_S, waits_long
from airflow_visionbatch.sensors.service import ServiceSensor, confirmed_by

if TYPE_CHECKING:
    from visionbatch import Deepomatic, OnPartial, Tally

SERVICE = "deepomatic"
FAIL, COUNT = "fail", "count"


class DeepomaticBatchesSensor(ServiceSensor):
    """Wait until all of many batches have ended, and judge them together. Returns how many ended how.

    One deferred task costs the triggerer a few hundred bytes a batch, and the site as many requests as its list has
    pages; a mapped task for each batch costs a hundred times that. A sensor has not made the batches that it waits for,
    and never cancels one.

    :param batch_ids: ids, or manifests as `DeepomaticRunBatchOperator` returns them, such as the ``output`` of a mapped
        task; 5,000 at most, each counted once. Templated.
    :param deepomatic_conn_id: connection of type ``deepomatic``. Templated.
    :param on_partial: whether a batch in which some items failed ended well; as for `DeepomaticRunBatchOperator`.
    :param on_failed: how many batches may end otherwise than well, are not there, or wait at the timeout: ``fail``
        (none), ``warn``, ``accept``, ``accept:<number>`` or ``accept:<share>%``. When none ends well, the task fails.
    :param on_timeout: ``fail`` when some have not ended in time, or ``count`` those as not having ended well.
    :param report_path: folder for a file that names what became of each batch, local or object store. Templated.
    :param report_conn_id: connection of that object store.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    """

    template_fields: Sequence[str] = ("batch_ids", "deepomatic_conn_id", "report_path")
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        batch_ids: Any,
        deepomatic_conn_id: str = "deepomatic_default",
        on_partial: str = "warn",
        on_failed: str = "fail",
        on_timeout: str = FAIL,
        report_path: str | None = None,
        report_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_ids = batch_ids
        self.deepomatic_conn_id = deepomatic_conn_id
        self.on_partial = on_partial
        self.on_failed = on_failed
        self.on_timeout = on_timeout
        self.report_path = report_path
        self.report_conn_id = report_conn_id
        self.deferrable = deferrable
        self._overdue: Tally | None = None
        self._read: tuple[str, ...] | None = None

    def execute(self, context: Any) -> Any:
        """Wait here, or hand the wait to the triggerer."""
        with failing_for_good():
            refs = self._refs()
            self._policies()
            if self.deferrable and refs:
                self._defer(refs)
            try:
                return super().execute(context)
            except (AirflowSensorTimeout, AirflowSkipException) as error:
                if self._overdue is None:
                    raise
                return self._late(context, self._overdue, error)

    def poke(self, context: Any) -> PokeReturnValue:
        """One look at all of them; an outage of the service counts as "not yet"."""
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook
        from visionbatch import Pace

        refs, (on_partial, _) = self._refs(), self._policies()
        pace = Pace(grace_s=0 if waits_long(self, context) else GRACE_S)
        self._overdue = None
        with DeepomaticHook(self.deepomatic_conn_id, pace).get_conn() as site:
            tally = self._looked_at(site, refs, on_partial)
        self.log.info("deepomatic batches: %s", tally)
        if tally.waiting:
            self._overdue = tally
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._concluded(context, tally))

    def _looked_at(self, site: Deepomatic, refs: Sequence[str], on_partial: OnPartial) -> Tally:
        def look() -> Tally:
            return site.wait_all(refs, deadline=site.clock.now(), on_partial=on_partial)

        tally = look()
        return tally if tally.waiting or not refs else confirmed_by(site, look)

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from airflow_visionbatch.triggers.batch_list import ListEnded

        with failing_for_good():
            ended = ListEnded.read(event)
            ended.replay(self.log)
            tally = ended.tally()
            if not tally.waiting:
                return self._concluded(context, tally)
            late = AirflowSkipException if self.soft_fail else AirflowSensorTimeout
            return self._late(context, tally, late(f"deepomatic batches, at the deadline: {tally}"))

    def _late(self, context: Any, tally: Tally, error: Exception) -> dict[str, Any]:
        if self.on_timeout == COUNT:
            return self._concluded(context, tally)
        self._deliver(context, tally, "waiting")
        raise error

    def _concluded(self, context: Any, tally: Tally) -> dict[str, Any]:
        from airflow_visionbatch.assets import tell_outlets
        from visionbatch import judge_many

        _, on_failed = self._policies()
        verdict = judge_many(tally, on_failed)
        self.log.info("deepomatic batches: %s", verdict.reason)
        manifest = self._deliver(context, tally, verdict.outcome.value)
        verdict.require(
            SERVICE, "", next_step="The manifest names some of those that did not end well, the report all."
        )
        facts = {key: manifest[key] for key in ("outcome", "total", "counts", "report")}
        tell_outlets(self, context, facts)
        return manifest

    def _deliver(self, context: Any, tally: Tally, outcome: str) -> dict[str, Any]:
        """Write the report, and push the manifest before a bad end is raised."""
        from airflow_visionbatch.batch_lists import manifest_of, write_report

        report = write_report(self.report_path, self.report_conn_id, SERVICE, self._refs(), tally)
        manifest = manifest_of(SERVICE, tally, outcome, report)
        context["ti"].xcom_push(key=MANIFEST_KEY, value=manifest)
        return manifest

    def _refs(self) -> tuple[str, ...]:
        from airflow_visionbatch.batch_lists import read_refs

        if self._read is None:
            self._read = read_refs(self.batch_ids)
        return self._read

    def _policies(self) -> tuple[OnPartial, OnPartial]:
        from visionbatch import OnPartial
        from visionbatch.errors import ConfigError

        if self.on_timeout not in (FAIL, COUNT):
            raise ConfigError(f"on_timeout is {FAIL} or {COUNT}, not {self.on_timeout!r}")
        return OnPartial.parse(self.on_partial), OnPartial.parse(self.on_failed, name="on_failed")

    def _defer(self, refs: Sequence[str]) -> None:
        from airflow_visionbatch.triggers.batch_list import BatchListTrigger
        from airflow_visionbatch.waiting import tell_wait

        deadline = time.time() + self.timeout
        what = f"{SERVICE} batches, {len(refs)} of them"
        tell_wait(self.log, what, link="", state=None, poll_s=self.poke_interval, deadline=deadline)
        self.defer(
            trigger=BatchListTrigger(
                SERVICE,
                self.deepomatic_conn_id,
                list(refs),
                deadline,
                pace={"first_s": self.poke_interval, "longest_s": self.poke_interval},
                on_partial=self.on_partial,
                not_before=not_before(),
            ),
            method_name="execute_complete",
            timeout=backstop(deadline),
        )
