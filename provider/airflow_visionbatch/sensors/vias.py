"""Waiting for a batch task of Huawei Cloud VIAS that something else has made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.batch_tasks import batch_id_in
from airflow_visionbatch.failures import failing_for_good
from airflow_visionbatch.links import ViasBatchLink
from airflow_visionbatch.sensors.remote import RemoteSensor
from airflow_visionbatch.state import KeptValue

if TYPE_CHECKING:
    from visionbatch import Snapshot, Vias


PATIENCE_KEY = "visionbatch_unwell_since"


class ViasBatchTaskSensor(RemoteSensor):
    """Wait until the tasks of a batch run, have finished, or are in one of some states. Returns the last state.

    It fails when tasks have ended otherwise, as far as ``on_partial`` does not accept it. Waiting for the end of live
    streams or of a weekly schedule is refused; with ``start_from_trigger`` nobody is there to ask, and it waits to its
    time-out. How it waits, and what else it takes: `airflow_visionbatch.sensors.remote.RemoteSensor`.

    :param batch_id: id of the batch, or the manifest of `ViasCreateBatchTaskOperator`; with ``start_from_trigger`` the
        id. Templated.
    :param wait_for: ``finished``, ``running``, or states with commas between. Templated.
    :param vias_conn_id: connection of type ``huawei_vias``. Templated.
    """

    service = "huawei_vias"
    template_fields: Sequence[str] = (*RemoteSensor.template_fields, "batch_id", "wait_for", "vias_conn_id")
    operator_extra_links = (ViasBatchLink(),)
    ui_color = "#fbe9e7"

    def __init__(
        self, *, batch_id: Any, wait_for: str = "finished", vias_conn_id: str = "huawei_vias_default", **kwargs: Any
    ) -> None:
        # A trigger that nobody runs before takes the two as one text.
        together = f"{batch_id}?wait_for={wait_for}" if kwargs.get("start_from_trigger") else batch_id
        super().__init__(ref=together, conn_id=vias_conn_id, **kwargs)
        self.batch_id = batch_id
        self.wait_for = wait_for
        self.vias_conn_id = vias_conn_id
        self._table: Any = None
        self._unwell_since: float | None = None

    @property
    def _watched(self) -> str:
        from visionbatch import batch_ref

        return batch_ref(self._name, self.wait_for, unwell_since=self._unwell_since)

    @property
    def _name(self) -> str:
        return batch_id_in(self.batch_id)

    def execute(self, context: Any) -> Any:
        """Refuse what never ends, then wait here or hand the wait to the triggerer."""
        if not (self.reschedule and context["ti"].get_first_reschedule_date(context)):
            with failing_for_good():
                self._require_finite()
        return super().execute(context)

    def poke(self, context: Any) -> Any:
        """One look; since when the batch is ABNORMAL is kept for the next, which another process may take."""
        kept = KeptValue(context, PATIENCE_KEY)
        before = self._unwell_since = kept.read() if self._unwell_since is None else self._unwell_since
        goes_on = False
        try:
            looked = super().poke(context)
            goes_on = not looked.is_done
            return looked
        finally:
            # Who has an end begins anew, should somebody clear it.
            now = self._unwell_since if goes_on else None
            if now != before:
                kept.write(now)

    def _require_finite(self) -> None:
        from visionbatch import VisionBatchError, require_finite
        from visionbatch.errors import ConfigError

        with self._client(grace_s=0) as client:
            try:
                require_finite(client, self._watched)
            except ConfigError:
                raise
            except VisionBatchError as error:
                self.log.info("whether it can end is not known: %s", error.what)

    def _client(self, *, grace_s: float) -> Vias:
        from airflow_visionbatch.hooks.vias import ViasHook
        from visionbatch import Pace

        return ViasHook(self.conn_id, Pace(grace_s=grace_s)).get_conn()

    def _look(self, client: Vias) -> Snapshot:
        from visionbatch import LoggedTable

        self._table = self._table or LoggedTable(self._name)
        api, watched = client.api, self._watched
        try:
            return client.wait(watched, deadline=client.clock.now(), observe=self._table)
        finally:
            self._unwell_since = api.unwell_since(watched)

    def _page(self, client: Vias) -> str:
        return client.api.console_url(self._name)
