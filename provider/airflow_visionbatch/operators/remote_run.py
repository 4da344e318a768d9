"""What the operators that run something at a remote service have in common: submit, wait, take the end, stop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch._compat import conf
from airflow_visionbatch.deferral import backstop, not_before
from airflow_visionbatch.ending import MANIFEST_KEY, Result, ending, refuse_what_needs_a_worker
from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.links import CONSOLE_KEY
from airflow_visionbatch.operators.stoppable import StoppableOperator

if TYPE_CHECKING:
    from airflow_visionbatch.lineage import Lineage
    from visionbatch import Decision, Manifest, Policies, Snapshot, Submitted


class RemoteRunOperator(StoppableOperator):
    """Begin something at a service, wait for its end, and say what came of it.

    A later try, on any worker, goes on where the last one stopped: it adopts what lives, and takes a result that is
    there. What an operator of a service adds is how its client is opened, how a run of it is made, and how it begins.

    :param report_path: folder for what the service says at the end, and for the manifest, local or object store; they
        are not kept without. Templated.
    :param report_conn_id: connection of the reports' object store.
    :param timeout: how long it may take, counted from the first try. A retry gets no more time, a cleared task does.
        ``None`` waits for ever.
    :param wait: end when it has ended, rather than when it has begun.
    :param deferrable: wait in the triggerer; Airflow's setting by default.
    :param end_from_trigger: succeed in the triggerer, without a worker after the wait, when nothing at all failed;
        every other end still goes on in a worker.
    :param poll_interval: seconds between the first looks; it grows to twelve times that while nothing changes.
    :param on_partial: ``warn``, ``fail``, ``accept``, ``accept:<number>`` or ``accept:<share>%``. Templated.
    :param on_timeout: ``leave`` it running, or ``cancel`` it.
    :param on_retry: ``adopt`` what the last try left, or begin ``fresh`` after cancelling it.
    :param on_clear: the same when a person clears the task: ``adopt``, or ``cancel_and_new``.
    :param on_input_change: ``fail`` when the input has changed since the run began, or ``cancel_and_new``.
    :param cancel_on_kill: cancel it when a person ends the task, running or deferred; never when a triggerer restarts,
        or when a cleared task has begun another try.
    :param cancel_on_unknown: cancel it also when Airflow does not say in time what became of the deferred task.
    :param state_path: object-store folder for the run record, where Airflow's task state is not there or not wanted, or
        the record itself when it ends in ``.json``. Templated.
    :raises ValueError: for an ``end_from_trigger`` with what only a worker can do.
    """

    noun: ClassVar[str] = "batch"
    """What is run, for people."""
    id_key: ClassVar[str] = "batch_id"
    """XCom key of its id, pushed as soon as there is one."""

    template_fields: Sequence[str] = ("report_path", "on_partial", "state_path")

    def __init__(
        self,
        *,
        report_path: str | None = None,
        report_conn_id: str | None = None,
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
        self.report_path = report_path
        self.report_conn_id = report_conn_id
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
        self._run: Any = None
        self._lineage: Lineage | None = None

    @property
    @abstractmethod
    def remote_conn_id(self) -> str:
        """The connection of the service."""

    @abstractmethod
    def _client(self) -> AbstractContextManager[Any]:
        """The service's client, not opened before it is needed."""

    @abstractmethod
    def _run_over(self, client: Any, store: Any, **told: Any) -> Any:
        """A run over a record; ``told`` are the callbacks and policies of every run."""

    @abstractmethod
    def _submit(self, client: Any, context: Any) -> Submitted:
        """Begin, or go on with what an earlier try began, with `_new_run`."""

    @abstractmethod
    def _inputs(self) -> list[str]:
        """Addresses of what is read, for the lineage."""

    def _watched(self, submitted: Submitted) -> str:
        """What is waited for, as the service's looks understand it."""
        return submitted.batch_id

    def _awaited(self, client: Any, submitted: Submitted) -> Snapshot:
        """Wait here for its end."""
        seen: Snapshot = client.wait(self._watched(submitted), deadline=submitted.record.deadline)
        return seen

    def execute(self, context: Any) -> dict[str, Any]:
        """Submit, then wait here or in the triggerer."""
        with failing_for_good(), self._client() as client, self._stoppable(context):
            submitted = self._submit(client, context)
            page, deadline = client.api.console_url(submitted.batch_id), submitted.record.deadline
            if not self.wait:
                manifest = submitted.manifest(page)
                self._tell(context, manifest)
                return manifest.to_json()
            # An end that is there already needs no triggerer; and of a deferral that comes back before the scheduler
            # has heard that the worker is free, Airflow thinks that the task was lost.
            if self.deferrable:
                last_seen = _last_seen(client, self._watched(submitted))
                if last_seen is None or not last_seen.phase.is_terminal:
                    self._defer(submitted, deadline, last_seen, page)
            return self._finish(client, context, submitted, lambda: self._awaited(client, submitted))

    def execute_complete(self, context: Any, event: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited."""
        from airflow_visionbatch.triggers.snapshot import WaitEnded
        from visionbatch import Submitted

        with failing_for_good(), self._client() as client:
            ended = WaitEnded.read(event)
            ended.replay(self.log, self.noun)
            return self._finish(client, context, Submitted.from_json(ended.carry), ended.snapshot)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What this task read, wrote and came to, for OpenLineage; ``None`` where that is not installed."""
        if self._lineage is None and self._run is None:
            return None
        return (self._lineage or self._lineage_of({self.id_key: self._ref})).openlineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """The same for a task that failed, as far as it has come."""
        return self.get_openlineage_facets_on_complete(task_instance)

    def _see_to_the_rest(self, context: Any) -> None:
        """Cancel the remote work if nobody looks after it any more."""
        from airflow_visionbatch.ownership import Owner, owner_seen_from_worker

        if self._run is None or not self.cancel_on_kill:
            return
        owner = owner_seen_from_worker(context["ti"])
        if owner is Owner.NOBODY or (owner is Owner.UNKNOWN and self.cancel_on_unknown):
            self._run.cancel()
        else:
            left = f"{self.noun} {self._ref or '(none)'} is left alone"
            self.log.info("%s: nobody has ended the task for good", left)

    @property
    def _ref(self) -> str:
        return str(self._run.batch_id) if self._run is not None else ""

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

    def _new_run(self, client: Any, context: Any) -> Any:
        from airflow_visionbatch.state import run_store
        from airflow_visionbatch.telemetry import tell_decision, tell_ref

        ti = context["ti"]

        def decided(decision: Decision) -> None:
            tell_decision(decision, operator=self, service=self.service, ti=ti)

        def created(ref: str) -> None:
            tell_ref(self.id_key, ref)
            ti.xcom_push(key=self.id_key, value=ref)
            ti.xcom_push(key=CONSOLE_KEY, value=client.api.console_url(ref))

        store = run_store(context, self.state_path)
        self._run = self._run_over(client, store, policies=self._policies(), created=created, decided=decided)
        return self._run

    def _defer(self, submitted: Submitted, deadline: float | None, last_seen: Snapshot | None, link: str) -> None:
        from airflow_visionbatch.triggers.snapshot import SnapshotTrigger
        from airflow_visionbatch.waiting import tell_wait

        what = f"{self.service} {self.noun} {submitted.batch_id}"
        tell_wait(self.log, what, link=link, state=last_seen, poll_s=self.poll_interval, deadline=deadline)
        self.defer(
            trigger=SnapshotTrigger(
                self.service,
                self.remote_conn_id,
                self._watched(submitted),
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

    def _finish(self, client: Any, context: Any, submitted: Submitted, end: Callable[[], Snapshot]) -> dict[str, Any]:
        from airflow_visionbatch.lineage import Noted
        from airflow_visionbatch.places import sink

        ti = context["ti"]
        run = self._run or self._new_run(client, context)
        noted = Noted(sink(self.report_path, self.report_conn_id)) if self.report_path else None

        def deliver(manifest: Manifest) -> None:
            ti.xcom_push(key=MANIFEST_KEY, value=manifest.to_json())
            self._tell(context, manifest, noted.locations if noted else ())

        manifest: Manifest = run.conclude(submitted, end, sink=noted, deliver=deliver)
        return manifest.to_json()

    def _tell(self, context: Any, manifest: Manifest, written: Sequence[str] = ()) -> None:
        """Tell the asset events and the lineage what became of it.

        :param written: locations of report and manifest.
        """
        from airflow_visionbatch.assets import tell_outlets
        from airflow_visionbatch.services import hook_for

        facts = {
            self.id_key: manifest.batch_id,
            "generation": manifest.generation,
            "outcome": manifest.outcome,
            "counts": manifest.counts,
            "report": manifest.errors.get("location", ""),
        }
        tell_outlets(self, context, facts)
        self._lineage = self._lineage_of(facts, written)
        self._lineage.tell_airflow(hook_for(self.service, self.remote_conn_id))

    def _lineage_of(self, facts: Mapping[str, Any], written: Sequence[str] = ()) -> Lineage:
        from airflow_visionbatch.assets import remote_uri
        from airflow_visionbatch.lineage import Lineage, place_uri

        ref = facts[self.id_key]
        remote = [remote_uri(self.service, self.remote_conn_id, ref)] if ref else []
        return Lineage(
            self.service,
            inputs=self._inputs(),
            outputs=[*remote, *(place_uri(location) for location in written)],
            facts={"service": self.service, **facts},
        )


def _last_seen(client: Any, ref: str) -> Snapshot | None:
    """It as it stands; ``None`` if the service cannot say now, for the triggerer has the patience."""
    from visionbatch import VisionBatchError

    try:
        seen: Snapshot = client.status(ref)
    except VisionBatchError as error:
        if error.permanent:
            raise
        return None
    return seen
