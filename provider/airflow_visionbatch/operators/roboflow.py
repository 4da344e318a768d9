"""Running a job of Roboflow Batch Processing from a Dag."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.links import RoboflowJobLink
from airflow_visionbatch.operators.remote_run import RemoteRunOperator
from airflow_visionbatch.staged import batch_in, ready_ref_in

if TYPE_CHECKING:
    from visionbatch import JobDefinition, Roboflow, RoboflowJobRun, RunStore, Submitted

GIVEN_APART = frozenset({"kind", "batch_id", "notifications_url"})
"""Fields of a job's definition that follow from other arguments."""


class RoboflowRunJobOperator(RemoteRunOperator):
    """Run a saved Workflow over a batch, wait for the end, and say where the results are.

    The job's id follows from Dag, task, run and map index, so that no try makes a second one. Returns a manifest of
    less than 4 KB, see `visionbatch.pipelines.manifest.Manifest`; its ``results`` name the output batches. How it
    waits, retries, judges and cancels: `airflow_visionbatch.operators.remote_run.RemoteRunOperator`. To cancel a job is
    to abort it.

    :param batch: id of the input batch, or the manifest of `RoboflowStageOperator`, which tells how much was sent: no
        job is made before all of it is indexed, which is what `RoboflowBatchReadySensor` waits for. Templated.
    :param workflow_id: a saved Workflow with exactly one image input. Templated.
    :param media: ``images`` or ``videos``.
    :param workflow_parameters: run-time parameters of the Workflow. Templated.
    :param machine: ``cpu`` or ``gpu``; the service's choice by default.
    :param max_image_failure_rate: share of a shard's images, 0 to 1, that may fail before the service gives the shard
        up. Image jobs only.
    :param aggregation: ``csv`` or ``jsonl``.
    :param persist_images: keep the images that the Workflow makes.
    :param definition: any further field of `visionbatch.JobDefinition`: ``workers``, ``timeout_s``,
        ``max_parallel_tasks``, ``max_fps``, ``part``, ``images_metadata_part``, ``metadata_inputs``, ``image_input``,
        ``images_to_persist``, ``workflow_workspace``, ``inference_backend``. Templated.
    :param job_name: name that people see; Dag and task by default. Templated.
    :param notify: have the service post to the connection's webhook receiver when the job ends, which makes an asset
        event of it; the wait itself needs none.
    :param on_failed_job: what a retry does when the job of the last try has failed: make a ``new`` one, or ``restart``
        it.
    :param roboflow_conn_id: connection of type ``roboflow``. Templated.
    """

    service = "roboflow"
    noun = "job"
    id_key = "job_id"
    template_fields: Sequence[str] = (
        *RemoteRunOperator.template_fields,
        "batch",
        "workflow_id",
        "workflow_parameters",
        "definition",
        "job_name",
        "roboflow_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"workflow_parameters": "json", "definition": "json"}
    operator_extra_links = (RoboflowJobLink(),)
    ui_color = "#ede7f6"

    def __init__(
        self,
        *,
        batch: Any,
        workflow_id: str,
        media: str = "images",
        workflow_parameters: Mapping[str, Any] | None = None,
        machine: str | None = None,
        max_image_failure_rate: float | None = None,
        aggregation: str = "",
        persist_images: bool = False,
        definition: Mapping[str, Any] | None = None,
        job_name: str = "",
        notify: bool = False,
        on_failed_job: str = "new",
        roboflow_conn_id: str = "roboflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.workflow_id = workflow_id
        self.media = media
        self.workflow_parameters = workflow_parameters
        self.machine = machine
        self.max_image_failure_rate = max_image_failure_rate
        self.aggregation = aggregation
        self.persist_images = persist_images
        self.definition = definition or {}
        self.job_name = job_name
        self.notify = notify
        self.on_failed_job = on_failed_job
        self.roboflow_conn_id = roboflow_conn_id
        self._identity = ""

    @property
    def remote_conn_id(self) -> str:
        """The connection of the workspace."""
        return self.roboflow_conn_id

    @property
    def _ref(self) -> str:
        return str(self._run.job_id) if self._run is not None else ""

    def _client(self) -> Roboflow:
        from airflow_visionbatch.hooks.roboflow import RoboflowHook
        from visionbatch import Pace

        return RoboflowHook(self.roboflow_conn_id, Pace(**self._pace())).get_conn()

    def _run_over(self, client: Roboflow, store: RunStore, **told: Any) -> RoboflowJobRun:
        from visionbatch import OnFailedJob, RoboflowJobRun

        return RoboflowJobRun(client, store, self._identity, on_failed_job=OnFailedJob(self.on_failed_job), **told)

    def _new_run(self, client: Roboflow, context: Any) -> RoboflowJobRun:
        from airflow_visionbatch.state import run_identity

        self._identity = run_identity(context["ti"])
        run: RoboflowJobRun = super()._new_run(client, context)
        return run

    def _submit(self, client: Roboflow, context: Any) -> Submitted:
        from airflow_visionbatch.ownership import was_cleared

        ti = context["ti"]
        definition = self._definition()
        deadline = None if self.timeout is None else time.time() + self.timeout
        return self._new_run(client, context).submit(
            definition,
            name=self.job_name or f"{ti.dag_id} {ti.task_id}",
            deadline=deadline,
            cleared=was_cleared(ti),
            ready_ref=ready_ref_in(self.batch),
        )

    def _definition(self) -> JobDefinition:
        """What the arguments ask for, judged before the first request.

        :raises visionbatch.errors.ConfigError: naming every rule that is broken.
        """
        from visionbatch import JobDefinition, JobKind, Media, settings_from
        from visionbatch.errors import ConfigError

        further = dict(self.definition)
        told = {
            "workflow_id": self.workflow_id,
            "workflow_parameters": self.workflow_parameters,
            "machine": self.machine,
            "max_image_failure_rate": self.max_image_failure_rate,
            "aggregation": self.aggregation,
            "persist_images": self.persist_images,
        }
        if twice := sorted((GIVEN_APART | told.keys()) & further.keys()):
            raise ConfigError(f"definition: {', '.join(twice)} has an argument of its own")
        if self.media not in tuple(Media):
            raise ConfigError(f"media is images or videos, not {self.media!r}")
        kind = JobKind.VIDEOS if self.media == Media.VIDEOS else JobKind.IMAGES
        whole = {"kind": kind, "batch_id": batch_in(self.batch), **told, **further, **self._receiver()}
        return settings_from(JobDefinition, whole, where="the job")

    def _receiver(self) -> dict[str, Any]:
        """Where the end of the job is told of: the receiver of this connection, whose address is a secret."""
        if not self.notify:
            return {}
        from airflow_visionbatch.receiver.addresses import receiver_url

        return {"notifications_url": receiver_url(self.service, self.roboflow_conn_id)}

    def _inputs(self) -> list[str]:
        from airflow_visionbatch.assets import remote_uri

        return [remote_uri(self.service, self.roboflow_conn_id, batch_in(self.batch))]
