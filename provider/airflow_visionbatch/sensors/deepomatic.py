"""Waiting for a Deepomatic batch that something else has made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.links import DeepomaticBatchLink
from airflow_visionbatch.sensors.remote import RemoteSensor

if TYPE_CHECKING:
    from visionbatch import Deepomatic, Snapshot


class DeepomaticBatchSensor(RemoteSensor):
    """Wait until a batch has ended well; fails when it has ended otherwise. Returns the last state.

    How it waits, and what else it takes: `airflow_visionbatch.sensors.remote.RemoteSensor`.

    :param batch_id: the batch. Templated.
    :param deepomatic_conn_id: connection of type ``deepomatic``. Templated.
    """

    service = "deepomatic"
    template_fields: Sequence[str] = (*RemoteSensor.template_fields, "batch_id", "deepomatic_conn_id")
    operator_extra_links = (DeepomaticBatchLink(),)

    def __init__(self, *, batch_id: str, deepomatic_conn_id: str = "deepomatic_default", **kwargs: Any) -> None:
        super().__init__(ref=batch_id, conn_id=deepomatic_conn_id, **kwargs)
        self.batch_id = batch_id
        self.deepomatic_conn_id = deepomatic_conn_id

    def _client(self, *, grace_s: float) -> Deepomatic:
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook
        from visionbatch import Pace

        return DeepomaticHook(self.conn_id, Pace(grace_s=grace_s)).get_conn()

    def _look(self, client: Deepomatic) -> Snapshot:
        return client.wait(self.ref, deadline=client.clock.now())

    def _page(self, client: Deepomatic) -> str:
        return client.api.console_url(self.ref)
