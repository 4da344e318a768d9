"""Running a Deepomatic work-order batch from a Dag."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch._compat import BaseOperator, conf
from airflow_visionbatch.deferral import backstop, not_before
from airflow_visionbatch.ending import MANIFEST_KEY, Result, ending, refuse_what_needs_a_worker
from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.links import CONSOLE_KEY, DeepomaticBatchLink

if TYPE_CHECKING:
    from airflow_visionbatch.lineage import Lineage
    from visionbatch import (
        Decision,
        Deepomatic,
        DeepomaticRun,
        Manifest,
        Policies,
        Snapshot,
        Submitted,
    )

SERVICE = "deepomatic"
BATCH_KEY = "batch_id"
"""XCom key of the batch's id, pushed before the first byte is sent."""

PROGRESS_S = 10.0
"""Seconds between two lines of progress in the log."""


class Stopped(BaseException):
    """Airflow wants this process to end; nothing on the way may take it for an error that it knows how to handle."""


class DeepomaticRunBatchOperator(BaseOperator):
    """Check work orders, send them as one batch, wait for the end, and bring the error report back.

    A later try, on any worker, goes on where the last one stopped: it resumes the upload in the middle of the archive,
    waits for a batch that is being processed, or takes a result that is there. Returns a manifest of less than 4 KB,
    see `visionbatch.pipelines.manifest.Manifest`.

    :param source: folder of work orders or ready-made zip: a path on the worker, or an object-store path such as
        ``s3://bucket/yesterday``. Templated.
    :param deepomatic_conn_id: connection of type ``deepomatic``. Templated.
    :param source_conn_id: connection of the source's object store.
    :param batch_label: name of the batch for people; the source's own by default. Templated.
    :param report_path: folder for error report and manifest, local or object store; without, they are not kept.
        Templated.
    :param report_conn_id: connection of the reports' object store.
    :param check: arguments of `visionbatch.CheckSettings`, such as ``{"task_groups": [...]}``. Templated.
    :param timeout: how long the batch may take, counted from the first try. A retry gets no more time, a cleared task
        does. ``None`` waits for ever.
    :param wait: end when the batch has ended, rather than when its archive has arrived.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    :param end_from_trigger: succeed in the triggerer, without a worker after the wait, when nothing at all failed;
        every other end still goes on in a worker.
    :param poll_interval: seconds between the first looks; it grows to twelve times that while nothing changes.
    :param on_partial: ``warn``, ``fail``, ``accept``, ``accept:<number>`` or ``accept:<share>%``. Templated.
    :param on_timeout: ``leave`` the batch running, or ``cancel`` it.
    :param on_retry: ``adopt`` what the last try left, or begin ``fresh`` after cancelling it.
    :param on_clear: the same when a person clears the task: ``adopt``, or ``cancel_and_new``.
    :param on_input_change: ``fail`` when the source has changed since the run began, or ``cancel_and_new``.
    :param cancel_on_kill: delete the batch when a person ends the task, running or deferred; never when a triggerer
        restarts, or when a cleared task has begun another try.
    :param cancel_on_unknown: delete it also when Airflow does not say in time what became of the deferred task.
    :param state_path: object-store folder for the run record, where Airflow's task state is not there or not wanted, or
        the record itself when it ends in ``.json``. Templated.
    :raises ValueError: for an ``end_from_trigger`` with what only a worker can do.
    """

    template_fields: Sequence[str] = (
        "source",
        "batch_label",
        "report_path",
        "check",
        "on_partial",
        "state_path",
        "deepomatic_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"check": "json"}
    operator_extra_links = (DeepomaticBatchLink(),)
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        source: str,
        deepomatic_conn_id: str = "deepomatic_default",
        source_conn_id: str | None = None,
        batch_label: str = "",
        report_path: str | None = None,
        report_conn_id: str | None = None,
        check: Mapping[str, Any] | None = None,
        timeout: timedelta | float | None = timedelta(hours=24),
        wait: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        end_from_trigger: bool = False,
        poll_interval: float = 5.0,
        on_partial: str = "warn",
        on_timeout: str = "leave",
        on_retry: str = "adopt",
        on_clear: str = "adopt",
        on_input_change: str = "fail",
        cancel_on_kill: bool = True,
        cancel_on_unknown: bool = False,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.source = source
        self.deepomatic_conn_id = deepomatic_conn_id
        self.source_conn_id = source_conn_id
        self.batch_label = batch_label
        self.report_path = report_path
        self.report_conn_id = report_conn_id
        self.check = check or {}
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.wait = wait
        self.deferrable = deferrable
        self.end_from_trigger = end_from_trigger
        self.poll_interval = poll_interval
        self.on_partial = on_partial
        self.on_timeout = on_timeout
        self.on_retry = on_retry
        self.on_clear = on_clear
        self.on_input_change = on_input_change
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_unknown = cancel_on_unknown
        self.state_path = state_path
        if end_from_trigger:
            refuse_what_needs_a_worker(self, waits_in_the_triggerer=wait and deferrable, report_path=report_path)
        self._run: DeepomaticRun | None = None
        self._lineage: Lineage | None = None
        self._at_work = False

    def execute(self, context: Any) -> dict[str, Any]:
        """Submit, then wait here or in the triggerer."""
        with failing_for_good(), self._site() as site, self._stoppable(context):
            submitted = self._submit(site, context)
            deadline = submitted.record.deadline
            if not self.wait:
                manifest = submitted.manifest(site.api.console_url(submitted.batch_id))
                self._tell(context, manifest)
                return manifest.to_json()
            # An end that is there already needs no triggerer; and of a deferral that comes back before the scheduler
            # has heard that the worker is free, Airflow thinks that the task was lost.
            if self.deferrable:
                last_seen = _last_seen(site, submitted.batch_id)
                if last_seen is None or not last_seen.phase.is_terminal:
                    self._defer(submitted, deadline, last_seen, site.api.console_url(submitted.batch_id))
            return self._finish(site, context, submitted, lambda: site.wait(submitted.batch_id, deadline=deadline))

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from airflow_visionbatch.triggers.snapshot import WaitEnded
        from visionbatch import Submitted

        with failing_for_good(), self._site() as site:
            ended = WaitEnded.read(event)
            ended.replay(self.log)
            return self._finish(site, context, Submitted.from_json(ended.carry), ended.snapshot)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What this task read, wrote and came to, for OpenLineage; ``None`` where that is not installed."""
        if self._lineage is None and self._run is None:
            return None
        return (self._lineage or self._lineage_of({"batch_id": self._run.batch_id if self._run else ""})).openlineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The same for a task that failed, as far as it has come."""
        return self.get_openlineage_facets_on_complete(task_instance)

    def on_kill(self) -> None:
        """Stop at once; what becomes of the batch is decided when nothing else is under way in this process.

        Airflow calls this from a signal's handler, for a task that a person ended, but just as well for one that was
        cleared or given to another worker, and when the worker is shut down. After a timeout it calls it as well, but
        then there is nothing left to stop.
        """
        if self._at_work:
            raise Stopped

    @contextmanager
    def _stoppable(self, context: Any) -> Iterator[None]:
        """Let `on_kill` break off what is done here, and delete the batch if nobody looks after it any more."""
        from airflow_visionbatch.ownership import Owner, owner_seen_from_worker
        from visionbatch import VisionBatchError

        self._at_work = True
        try:
            yield
        except Stopped:
            self._at_work = False
            batch_id = self._run.batch_id if self._run else ""
            if self._run is not None and self.cancel_on_kill:
                owner = owner_seen_from_worker(context["ti"])
                if owner is Owner.NOBODY or (owner is Owner.UNKNOWN and self.cancel_on_unknown):
                    self._run.cancel()
                else:
                    self.log.info("batch %s is left alone: nobody has ended the task for good", batch_id or "(none)")
            raise VisionBatchError(
                "Airflow has told this process to stop", service=SERVICE, ref=batch_id, retry_safe=True
            ) from None
        finally:
            self._at_work = False

    def _site(self) -> Deepomatic:
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook
        from visionbatch import Pace

        return DeepomaticHook(self.deepomatic_conn_id, Pace(**self._pace())).get_conn()

    def _policies(self) -> Policies:
        from visionbatch import Policies

        return Policies.of(
            on_partial=self.on_partial,
            on_timeout=self.on_timeout,
            on_retry=self.on_retry,
            on_clear=self.on_clear,
            on_input_change=self.on_input_change,
            cancel_on_kill=self.cancel_on_kill,
        )

    def _submit(self, site: Deepomatic, context: Any) -> Submitted:
        from airflow_visionbatch.ownership import was_cleared
        from airflow_visionbatch.places import source_place
        from visionbatch import CheckSettings, settings_from

        filesystem, place = source_place(self.source, self.source_conn_id)
        settings = settings_from(CheckSettings, self.check, where="check")
        run = self._run = self._new_run(site, context)
        deadline = None if self.timeout is None else time.time() + self.timeout
        return run.submit_place(
            place,
            check=settings,
            filesystem=filesystem,
            label=self.batch_label,
            deadline=deadline,
            cleared=was_cleared(context["ti"]),
        )

    def _new_run(self, site: Deepomatic, context: Any) -> DeepomaticRun:
        from airflow_visionbatch.state import run_store
        from airflow_visionbatch.telemetry import tell_batch, tell_decision
        from visionbatch import DeepomaticRun, LoggedProgress

        ti = context["ti"]

        def decided(decision: Decision) -> None:
            tell_decision(decision, operator=self, service=SERVICE, ti=ti)

        def created(batch_id: str) -> None:
            tell_batch(batch_id)
            ti.xcom_push(key=BATCH_KEY, value=batch_id)
            ti.xcom_push(key=CONSOLE_KEY, value=site.api.console_url(batch_id))

        store = run_store(context, self.state_path)
        progress = LoggedProgress(self.log, every_s=PROGRESS_S)
        return DeepomaticRun(site, store, self._policies(), progress=progress, created=created, decided=decided)

    def _defer(self, submitted: Submitted, deadline: float | None, last_seen: Snapshot | None, link: str) -> None:
        from airflow_visionbatch.triggers.snapshot import SnapshotTrigger
        from airflow_visionbatch.waiting import tell_wait

        what = f"{SERVICE} batch {submitted.batch_id}"
        tell_wait(self.log, what, link=link, state=last_seen, poll_s=self.poll_interval, deadline=deadline)
        self.defer(
            trigger=SnapshotTrigger(
                SERVICE,
                self.deepomatic_conn_id,
                submitted.batch_id,
                deadline,
                pace=self._pace(),
                carry=submitted.to_json(),
                cancel_on_kill=self.cancel_on_kill,
                cancel_on_unknown=self.cancel_on_unknown,
                not_before=not_before(),
                end=self._ending(),
            ),
            method_name="execute_complete",
            timeout=backstop(deadline),
        )

    def _ending(self) -> dict[str, Any] | None:
        if not self.end_from_trigger:
            return None
        return ending(Result.MANIFEST, on_partial=self.on_partial, push=self.do_xcom_push)

    def _pace(self) -> dict[str, float]:
        return {"first_s": self.poll_interval, "longest_s": 12 * self.poll_interval}

    def _finish(
        self, site: Deepomatic, context: Any, submitted: Submitted, end: Callable[[], Snapshot]
    ) -> dict[str, Any]:
        from airflow_visionbatch.lineage import Noted
        from airflow_visionbatch.places import sink

        ti = context["ti"]
        run = self._run or self._new_run(site, context)
        noted = Noted(sink(self.report_path, self.report_conn_id)) if self.report_path else None

        def deliver(manifest: Manifest) -> None:
            ti.xcom_push(key=MANIFEST_KEY, value=manifest.to_json())
            self._tell(context, manifest, noted.locations if noted else ())

        return run.conclude(submitted, end, sink=noted, deliver=deliver).to_json()

    def _tell(self, context: Any, manifest: Manifest, written: Sequence[str] = ()) -> None:
        """Tell the asset events and the lineage what became of the batch.

        :param written: locations of report and manifest.
        """
        from airflow_visionbatch.assets import tell_outlets
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook

        facts = {
            "batch_id": manifest.batch_id,
            "generation": manifest.generation,
            "outcome": manifest.outcome,
            "counts": manifest.counts,
            "report": manifest.errors.get("location", ""),
        }
        tell_outlets(self, context, facts)
        self._lineage = self._lineage_of(facts, written)
        self._lineage.tell_airflow(DeepomaticHook(self.deepomatic_conn_id))

    def _lineage_of(self, facts: Mapping[str, Any], written: Sequence[str] = ()) -> Lineage:
        from airflow_visionbatch.assets import batch_uri
        from airflow_visionbatch.lineage import Lineage, place_uri

        batch = [batch_uri(self.deepomatic_conn_id, facts["batch_id"])] if facts["batch_id"] else []
        return Lineage(
            SERVICE,
            inputs=[place_uri(self.source)],
            outputs=[*batch, *(place_uri(location) for location in written)],
            facts={"service": SERVICE, **facts},
        )


def _last_seen(site: Deepomatic, batch_id: str) -> Snapshot | None:
    """The batch as it stands; ``None`` if the service cannot say now, for the triggerer has the patience."""
    from visionbatch import VisionBatchError

    try:
        return site.status(batch_id)
    except VisionBatchError as error:
        if error.permanent:
            raise
        return None
