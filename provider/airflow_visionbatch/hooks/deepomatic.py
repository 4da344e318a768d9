"""Airflow's way to a Deepomatic site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.hooks.service import ServiceHook, base_url, filled_in

if TYPE_CHECKING:
    from visionbatch import Deepomatic, DeepomaticSettings, Pace, Secret, Site


class DeepomaticHook(ServiceHook):
    """Reads a connection of type ``deepomatic`` and opens the site it names.

    The host is the base URL, or the extra ``site`` and ``region`` stand for it; the password is the API key. Nothing is
    looked up before it is needed.

    :param deepomatic_conn_id: id of the connection.
    :param pace: how often a waiting batch is looked at.
    """

    conn_name_attr = "deepomatic_conn_id"
    default_conn_name = "deepomatic_default"
    conn_type = "deepomatic"
    hook_name = "Deepomatic"
    lists = frozenset({"upload_hosts"})
    own_keys = frozenset({"transfer", "site", "region"})

    def __init__(self, deepomatic_conn_id: str = default_conn_name, pace: Pace | None = None) -> None:
        super().__init__(deepomatic_conn_id, pace)
        self.deepomatic_conn_id = deepomatic_conn_id

    def get_conn(self) -> Deepomatic:
        """The site, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: when the connection is incomplete or has unknown extras.
        """
        from visionbatch import Deepomatic

        connection = self.get_connection(self.conn_id)
        return Deepomatic(self._settings(connection), self._credentials, tuning=self._tuning(connection))

    async def site(self) -> Site:
        """The site, for use on an event loop; the connection is looked up without blocking it."""
        from visionbatch import deepomatic_site

        return deepomatic_site(self._settings(await self._connection()), self._async_credentials)

    def _ping(self, client: Deepomatic) -> str:
        client.perform(client.api.ping())
        return "The site answers and accepts the key."

    def _authenticating(self, connection: Any) -> Mapping[str, Secret]:
        from visionbatch import token_header

        return token_header(self._password(connection, "API key"))

    def _settings(self, connection: Any) -> DeepomaticSettings:
        from visionbatch import DeepomaticSettings, settings_from, site_url
        from visionbatch.errors import ConfigError

        extra = filled_in(connection)
        url = base_url(connection)
        if not url and extra.get("site"):
            url = site_url(extra["site"], extra.get("region") or "eu")
        if not url:
            raise ConfigError(f"{self._where} has neither a base URL nor a site")
        values = self._extras(connection)
        return settings_from(DeepomaticSettings, {"base_url": url, **values}, where=f"{self._where}, extra")
