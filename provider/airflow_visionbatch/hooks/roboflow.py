"""Airflow's way to a Roboflow workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.connection_form import WEBHOOK_EXTRAS
from airflow_visionbatch.hooks.service import ServiceHook, base_url, filled_in

if TYPE_CHECKING:
    from visionbatch import Pace, Roboflow, RoboflowSettings, Secret, Site


class RoboflowHook(ServiceHook):
    """Reads a connection of type ``roboflow`` and opens the workspace it names.

    The host is the base URL, or the extra ``region`` stands for it; the password is the API key. Nothing is looked up
    before it is needed.

    :param roboflow_conn_id: id of the connection.
    :param pace: how often what is waited for is looked at.
    """

    conn_name_attr = "roboflow_conn_id"
    default_conn_name = "roboflow_default"
    conn_type = "roboflow"
    hook_name = "Roboflow"
    lists = frozenset({"upload_hosts", "download_hosts", "credit_words"})
    own_keys = WEBHOOK_EXTRAS | {"transfer", "region"}

    def __init__(self, roboflow_conn_id: str = default_conn_name, pace: Pace | None = None) -> None:
        super().__init__(roboflow_conn_id, pace)
        self.roboflow_conn_id = roboflow_conn_id

    def get_conn(self) -> Roboflow:
        """The workspace, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: when the connection is incomplete or has unknown extras.
        """
        from visionbatch import Roboflow

        connection = self.get_connection(self.conn_id)
        return Roboflow(self._settings(connection), self._credentials, tuning=self._tuning(connection))

    async def site(self) -> Site:
        """The workspace's jobs, for use on an event loop; the connection is looked up without blocking it."""
        from visionbatch import roboflow_site

        return roboflow_site(self._settings(await self._connection()), self._async_credentials)

    def _ping(self, client: Roboflow) -> str:
        return f"The key belongs to the workspace {client.workspace()}."

    def _authenticating(self, connection: Any) -> Mapping[str, Secret]:
        from visionbatch import roboflow_key

        return roboflow_key(self._password(connection, "API key"), self._settings(connection).key_in)

    def _settings(self, connection: Any) -> RoboflowSettings:
        from visionbatch import RoboflowSettings, roboflow_url, settings_from

        extra = filled_in(connection)
        values = self._extras(connection)
        told = {
            "base_url": base_url(connection) or roboflow_url(extra.get("region") or "us"),
            # Whoever lets the receiver be inside the network lets the service be told of it.
            "allow_inside": extra.get("webhook_inside") is True,
        }
        return settings_from(RoboflowSettings, {**told, **values}, where=f"{self._where}, extra")


class RoboflowBatchesHook(RoboflowHook):
    """The same workspace for those who wait until its batches can be processed."""

    async def site(self) -> Site:
        """The workspace's batches, for use on an event loop."""
        from visionbatch import roboflow_batches_site

        return roboflow_batches_site(self._settings(await self._connection()), self._async_credentials)
