"""Waiting for the files of a Deepomatic data export."""

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
from airflow_visionbatch.exports import arrival, layout_of, moment
from airflow_visionbatch.failures import failing_for_good
from airflow_visionbatch.sensors.service import ServiceSensor

if TYPE_CHECKING:
    from visionbatch import BucketFile


class DeepomaticExportSensor(ServiceSensor):
    """Wait until a whole set of new files lies in an export's bucket. Returns what has arrived, for the fetching.

    A set is whole when two looks at the bucket, ``settle`` apart, show the same. Waits in the worker (``mode="poke"``),
    between rescheduled tries (``mode="reschedule"``) or in the triggerer (``deferrable=True``).

    :param storage_uri: ``gs://bucket[/prefix]``, as the export is configured. Templated.
    :param since: moment from which files count as new, ISO 8601 or Unix seconds, such as
        ``{{ data_interval_start }}``; empty for all that is there. Templated.
    :param gcp_conn_id: connection of type ``google_cloud_platform``; ``None`` for the machine's own credential.
        Templated.
    :param patterns: shell patterns of the data files behind the prefix; ``*.jsonl`` and ``*.json`` by default.
    :param settle: seconds between the two looks.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    """

    template_fields: Sequence[str] = ("storage_uri", "since", "gcp_conn_id")
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        storage_uri: str,
        since: Any = None,
        gcp_conn_id: str | None = "google_cloud_default",
        patterns: Sequence[str] | None = None,
        settle: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.storage_uri = storage_uri
        self.since = since
        self.gcp_conn_id = gcp_conn_id
        self.patterns = patterns
        self.settle = settle
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Wait here, or hand the wait to the triggerer."""
        with failing_for_good():
            if self.deferrable:
                self._defer()
            return super().execute(context)

    def poke(self, context: Any) -> PokeReturnValue:
        """One look, and a second one when there is something new; an outage of the store counts as "not yet"."""
        from airflow_visionbatch.hooks.google import bucket_of
        from visionbatch import Arrivals, SystemClock, looked, settled
        from visionbatch.errors import Throttled, TransportError

        name, layout = layout_of(self.storage_uri, self.patterns)
        arrivals = Arrivals(since=moment(self.since), catch_up=True, settle_s=self.settle)
        try:
            with bucket_of(self.gcp_conn_id, name) as bucket:
                new = settled(
                    lambda: looked(bucket.files(layout.prefix), layout), arrivals, SystemClock(), settle_s=self.settle
                )
        except (Throttled, TransportError) as error:
            if not error.retry_safe:
                raise
            self.log.warning("%s", error)
            return PokeReturnValue(is_done=False)
        if not new:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._arrived(context, name, layout.prefix, new))

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from visionbatch import VisionBatchError, error_from_json
        from visionbatch.errors import DeadlinePassed

        with failing_for_good():
            if not isinstance(event, dict) or event.get("schema") != 1:
                raise VisionBatchError("the trigger's event is not one of ours", retry_safe=True)
            try:
                if "failure" in event:
                    raise error_from_json(event["failure"])
            except DeadlinePassed as error:
                raise (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(str(error)) from error
            return self._told(context, event["arrival"])

    def _arrived(self, context: Any, bucket: str, prefix: str, new: Sequence[BucketFile]) -> dict[str, Any]:
        return self._told(context, arrival(bucket, prefix, new))

    def _told(self, context: Any, found: dict[str, Any]) -> dict[str, Any]:
        from airflow_visionbatch.assets import tell_outlets

        self.log.info("%s: %d new files, %d bytes", found["storage_uri"], found["count"], found["bytes"])
        tell_outlets(self, context, found)
        return found

    def _defer(self) -> None:
        from airflow_visionbatch.triggers.export_files import DeepomaticExportTrigger

        layout_of(self.storage_uri, self.patterns)
        deadline = time.time() + self.timeout
        every = self.poke_interval
        self.log.info("waiting in the triggerer for new files in %s, a look every %g s", self.storage_uri, every)
        self.defer(
            trigger=DeepomaticExportTrigger(
                self.gcp_conn_id,
                self.storage_uri,
                self.patterns,
                since=moment(self.since),
                settle=self.settle,
                poll_interval=self.poke_interval,
                deadline=deadline,
                not_before=not_before(),
            ),
            method_name="execute_complete",
            timeout=backstop(deadline),
        )
