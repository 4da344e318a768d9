"""Making a batch task of Huawei Cloud VIAS from a Dag."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.batch_tasks import batch_task_of
from airflow_visionbatch.links import ViasBatchLink
from airflow_visionbatch.operators.remote_run import RemoteRunOperator

if TYPE_CHECKING:
    from visionbatch import BatchTask, RunStore, Snapshot, Submitted, Vias, ViasRun

TASK_FIELDS = (
    "name",
    "service_name",
    "service_version",
    "groups",
    "outputs",
    "description",
    "schedule",
    "common",
    "save_as_template",
    "resource_order_id",
    "extra_body",
)
"""Arguments that are fields of `visionbatch.BatchTask`, by the same names."""


class ViasCreateBatchTaskOperator(RemoteRunOperator):
    """Make a batch task once, and wait until its tasks run, have finished, or are in some state.

    The name is looked up before anything is made, and after every answer that was lost; one that somebody else's batch
    has is refused. So give each run a name of its own, such as one with ``{{ ds }}``. Every documented rule is checked
    before the first request. Returns a manifest of less than 4 KB, see `visionbatch.pipelines.manifest.Manifest`. How
    it waits, retries, judges and cancels: `airflow_visionbatch.operators.remote_run.RemoteRunOperator`.

    HTTP 200 does not mean that all tasks were made: ``on_partial``, here ``fail`` by default, judges the creation as
    well as the end. Whoever waits for the end of a live stream or of a weekly schedule is refused, before anything is
    made where the sources are named.

    :param body: the request body as the vendor documents it, a mapping or a text of JSON, or a
        `visionbatch.BatchTask`. Secrets in it come out of a connection, as ``{{ conn.id.password }}``, which Airflow
        hides where it shows rendered fields. Templated.
    :param name: unique in the project; over the one in the body. Templated.
    :param service_name: API id of the algorithm. Templated.
    :param service_version: such as ``1.0``. Templated.
    :param groups: `visionbatch.VideoSourceGroup` values, or the documented JSON. Templated.
    :param outputs: a `visionbatch.Outputs`, or the documented JSON. Templated.
    :param description: for people. Templated.
    :param schedule: a `visionbatch.Schedule`, or the documented JSON. Templated.
    :param common: settings of the algorithm (``config.common``). Templated.
    :param save_as_template: keep the configuration as a template, in the console.
    :param resource_order_id: for commercial algorithms. Templated.
    :param extra_body: further fields, sent as they are. Templated.
    :param notify: have results posted to the connection's webhook receiver as well, which lands them and wakes Dags.
    :param wait_for: ``finished``, ``running``, or states with commas between. Templated.
    :param adopt: go on with a live batch of that name that somebody else made; it is never cancelled by this task.
    :param on_cancel: what cancelling does to the batch, ``stop`` or ``delete``; the connection's choice by default.
    :param vias_conn_id: connection of type ``huawei_vias``. Templated.
    """

    service = "huawei_vias"
    template_fields: Sequence[str] = (
        *RemoteRunOperator.template_fields,
        "body",
        *(name for name in TASK_FIELDS if name != "save_as_template"),
        "wait_for",
        "vias_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"body": "json", "groups": "json", "common": "json"}
    operator_extra_links = (ViasBatchLink(),)
    ui_color = "#fbe9e7"

    def __init__(
        self,
        *,
        body: Any = None,
        name: str | None = None,
        service_name: str | None = None,
        service_version: str | None = None,
        groups: Any = None,
        outputs: Any = None,
        description: str | None = None,
        schedule: Any = None,
        common: Mapping[str, Any] | None = None,
        save_as_template: bool | None = None,
        resource_order_id: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        notify: bool = False,
        wait_for: str = "finished",
        adopt: bool = False,
        on_cancel: str = "",
        on_partial: str = "fail",
        vias_conn_id: str = "huawei_vias_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_partial=on_partial, **kwargs)
        self.body = body
        self.name = name
        self.service_name = service_name
        self.service_version = service_version
        self.groups = groups
        self.outputs = outputs
        self.description = description
        self.schedule = schedule
        self.common = common
        self.save_as_template = save_as_template
        self.resource_order_id = resource_order_id
        self.extra_body = extra_body
        self.notify = notify
        self.wait_for = wait_for
        self.adopt = adopt
        self.on_cancel = on_cancel
        self.vias_conn_id = vias_conn_id
        self._table: Any = None

    @property
    def remote_conn_id(self) -> str:
        """The connection of the project."""
        return self.vias_conn_id

    def _client(self) -> Vias:
        from airflow_visionbatch.hooks.vias import ViasHook
        from visionbatch import Pace

        return ViasHook(self.vias_conn_id, Pace(**self._pace())).get_conn()

    def _run_over(self, client: Vias, store: RunStore, **told: Any) -> ViasRun:
        from visionbatch import ViasRun

        goal = self.wait_for if self.wait else None
        return ViasRun(client, store, wait_for=goal, adopt=self.adopt, on_cancel=self.on_cancel, **told)

    def _submit(self, client: Vias, context: Any) -> Submitted:
        from airflow_visionbatch.ownership import was_cleared
        from visionbatch import made_but_endless, require_finite, require_finite_sources
        from visionbatch.errors import ConfigError

        task = self._task()
        task.check()
        run: ViasRun = self._new_run(client, context)
        if self.wait:
            require_finite_sources(client, task, self.wait_for)
        deadline = None if self.timeout is None else time.time() + self.timeout
        submitted = run.submit(task, deadline=deadline, cleared=was_cleared(context["ti"]))
        if self.wait and not task.sources:
            # Which sources a group has shows in the tasks that were made of them.
            try:
                require_finite(client, run.ref)
            except ConfigError as error:
                raise made_but_endless(error) from error
        return submitted

    def _task(self) -> BatchTask:
        receiver = None
        if self.notify:
            from airflow_visionbatch.receiver.addresses import receiver_url

            receiver = receiver_url(self.service, self.vias_conn_id)
        return batch_task_of(self.body, {name: getattr(self, name) for name in TASK_FIELDS}, receiver)

    def _watched(self, submitted: Submitted) -> str:
        return str(self._run.ref_of(submitted.record))

    def _awaited(self, client: Vias, submitted: Submitted) -> Snapshot:
        from visionbatch import LoggedTable

        self._table = LoggedTable(submitted.batch_id)

        def told(snapshot: Snapshot) -> None:
            self._table(snapshot)
            self._run.saw(snapshot)

        return client.wait(self._watched(submitted), deadline=submitted.record.deadline, observe=told)

    def _defer(self, submitted: Submitted, deadline: float | None, last_seen: Snapshot | None, link: str) -> None:
        # Since when the batch is ABNORMAL crosses the deferral in the trigger's reference, and a retry in the record.
        self._run.saw()
        super()._defer(submitted, deadline, last_seen, link)

    def _finish(self, client: Any, context: Any, submitted: Submitted, end: Callable[[], Snapshot]) -> dict[str, Any]:
        from visionbatch import LoggedTable

        def shown() -> Snapshot:
            """The end, with the table that it came to; a wait here has written it already."""
            snapshot = end()
            (self._table or LoggedTable(submitted.batch_id))(snapshot)
            return snapshot

        return super()._finish(client, context, submitted, shown)

    def _inputs(self) -> list[str]:
        # Video sources have no address that another tool would know them by.
        return []
