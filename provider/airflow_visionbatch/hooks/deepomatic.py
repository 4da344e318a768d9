"""Airflow's way to a Deepomatic site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import BaseHook

if TYPE_CHECKING:
    from visionbatch import Deepomatic, DeepomaticSettings, Pace, Secret, Site, TransferSettings

_OWN_KEYS = frozenset({"site", "region", "transfer", "upload_hosts"})


class DeepomaticHook(BaseHook):
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

    def __init__(self, deepomatic_conn_id: str = default_conn_name, pace: Pace | None = None) -> None:
        super().__init__()
        self.deepomatic_conn_id = deepomatic_conn_id
        self._pace = pace

    def get_conn(self) -> Deepomatic:
        """The site, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: when the connection is incomplete or has unknown extras.
        """
        from visionbatch import Deepomatic, Pace, Tuning

        connection = self.get_connection(self.deepomatic_conn_id)
        tuning = Tuning(pace=self._pace or Pace(), transfer=_transfer(connection))
        return Deepomatic(self._settings(connection), self._credentials, tuning=tuning)

    async def site(self) -> Site:
        """The site, for use on an event loop; the connection is looked up without blocking it."""
        from visionbatch import deepomatic_site

        return deepomatic_site(self._settings(await self._connection()), self._async_credentials)

    def test_connection(self) -> tuple[bool, str]:
        """Whether this is a site that takes the key: asks for a batch that cannot exist."""
        from visionbatch import VisionBatchError

        try:
            with self.get_conn() as site:
                site.perform(site.api.ping())
        except VisionBatchError as error:
            return False, str(error)
        return True, "The site answers and accepts the key."

    def _credentials(self) -> Mapping[str, Secret]:
        return _header(self.get_connection(self.deepomatic_conn_id))

    async def _async_credentials(self) -> Mapping[str, Secret]:
        return _header(await self._connection())

    async def _connection(self) -> Any:
        from airflow.providers.common.compat.connection import get_async_connection

        return await get_async_connection(self.deepomatic_conn_id, hook=self)

    def _settings(self, connection: Any) -> DeepomaticSettings:
        from visionbatch import DeepomaticSettings, settings_from, site_url
        from visionbatch.errors import ConfigError

        where = f"connection {self.deepomatic_conn_id}"
        extra = _extra(connection)
        base_url = connection.host or ""
        if not base_url and extra.get("site"):
            base_url = site_url(extra["site"], extra.get("region") or "eu")
        if not base_url:
            raise ConfigError(f"{where} has neither a base URL nor a site")
        if "://" not in base_url:
            base_url = f"{connection.schema or 'https'}://{base_url}"
        if connection.port:
            base_url = f"{base_url}:{connection.port}"
        values = {key: value for key, value in extra.items() if key not in _OWN_KEYS}
        if extra.get("upload_hosts"):
            values["upload_hosts"] = _as_list(extra["upload_hosts"])
        return settings_from(DeepomaticSettings, {"base_url": base_url, **values}, where=f"{where}, extra")


def _extra(connection: Any) -> dict[str, Any]:
    """The extras that are filled in: an empty field of the form means the default."""
    return {key: value for key, value in connection.extra_dejson.items() if value not in (None, "", {})}


def _as_list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value)


def _transfer(connection: Any) -> TransferSettings:
    from visionbatch import TransferSettings, settings_from

    return settings_from(TransferSettings, _extra(connection).get("transfer", {}), where="transfer")


def _header(connection: Any) -> Mapping[str, Secret]:
    from visionbatch import Secret, token_header
    from visionbatch.errors import ConfigError

    if not connection.password:
        raise ConfigError(f"connection {connection.conn_id} has no API key in its password")
    return token_header(Secret(connection.password))
