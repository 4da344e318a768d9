"""Waiting for what is at Roboflow: batches that can be processed, and jobs that something else has made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.links import RoboflowJobLink
from airflow_visionbatch.sensors.remote import RemoteSensor
from airflow_visionbatch.staged import job_in, ready_ref_in

if TYPE_CHECKING:
    from visionbatch import Roboflow, Snapshot


class _RoboflowSensor(RemoteSensor):
    """What both have in common: the workspace."""

    ui_color = "#ede7f6"

    def _client(self, *, grace_s: float) -> Roboflow:
        from airflow_visionbatch.hooks.roboflow import RoboflowHook
        from visionbatch import Pace

        return RoboflowHook(self.conn_id, Pace(grace_s=grace_s)).get_conn()


class RoboflowJobSensor(_RoboflowSensor):
    """Wait until a job has ended well; fails when it has ended otherwise. Returns the last state.

    How it waits, and what else it takes: `airflow_visionbatch.sensors.remote.RemoteSensor`.

    :param job: id of the job, or the manifest of `RoboflowRunJobOperator`. Templated.
    :param roboflow_conn_id: connection of type ``roboflow``. Templated.
    """

    service = "roboflow"
    noun = "job"
    id_key = "job_id"
    template_fields: Sequence[str] = (*RemoteSensor.template_fields, "job", "roboflow_conn_id")
    operator_extra_links = (RoboflowJobLink(),)

    def __init__(self, *, job: Any, roboflow_conn_id: str = "roboflow_default", **kwargs: Any) -> None:
        super().__init__(ref=job, conn_id=roboflow_conn_id, **kwargs)
        self.job = job
        self.roboflow_conn_id = roboflow_conn_id

    @property
    def _watched(self) -> str:
        return job_in(self.ref)

    @property
    def _name(self) -> str:
        return self._watched

    def _look(self, client: Roboflow) -> Snapshot:
        return client.wait(self._watched, deadline=client.clock.now())

    def _page(self, client: Roboflow) -> str:
        from visionbatch import VisionBatchError

        # The page is named by the workspace, which only the key may know; a link is not worth failing for.
        with suppress(VisionBatchError):
            client.workspace()
        return client.api.console_url(self._watched)


class RoboflowBatchReadySensor(_RoboflowSensor):
    """Wait until a batch can be processed: everything that was sent is there, and no shard is being ingested.

    Fails when shards have failed or files were turned away, as far as ``on_partial`` does not accept it. Returns the
    last state. How it waits, and what else it takes: `airflow_visionbatch.sensors.remote.RemoteSensor`.

    :param batch: the manifest of `RoboflowStageOperator`, which tells how much was sent; its ``ready_ref``, which is a
        text, as ``start_from_trigger`` needs it; or the id of a batch that something else has filled. Templated.
    :param expected: items that were sent, where only the id is given; without it any item will do, once no shard is
        being ingested. Templated.
    :param roboflow_conn_id: connection of type ``roboflow``. Templated.
    :raises ValueError: for a ``start_from_trigger`` with ``expected``.
    """

    service = "roboflow_batches"
    template_fields: Sequence[str] = (*RemoteSensor.template_fields, "batch", "expected", "roboflow_conn_id")

    def __init__(
        self, *, batch: Any, expected: Any = None, roboflow_conn_id: str = "roboflow_default", **kwargs: Any
    ) -> None:
        super().__init__(ref=batch, conn_id=roboflow_conn_id, **kwargs)
        self.batch = batch
        self.expected = expected
        self.roboflow_conn_id = roboflow_conn_id
        if self.start_from_trigger and expected is not None:
            raise ValueError(f"{self.task_id}: start_from_trigger takes what is expected as <batch>/<items>")

    @property
    def _watched(self) -> str:
        return ready_ref_in(self.ref, self.expected)

    @property
    def _name(self) -> str:
        return self._watched.partition("/")[0]

    def _look(self, client: Roboflow) -> Snapshot:
        return client.await_end(client.readiness, self._watched, deadline=client.clock.now())

    def _page(self, client: Roboflow) -> str:
        # Batches have no page of their own.
        return ""
