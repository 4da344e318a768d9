"""Airflow's way to a project of Huawei Cloud VIAS, and to the buckets that it writes into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_visionbatch.connection_form import WEBHOOK_EXTRAS
from airflow_visionbatch.hooks.service import ServiceHook, base_url, filled_in

if TYPE_CHECKING:
    from visionbatch import AccessKey, DownloadSettings, IamUser, Pace, S3Bucket, Site, Vias, ViasSettings, ViasStream


class ViasHook(ServiceHook):
    """Reads a connection of type ``huawei_vias`` and opens the project it names.

    Login and password are an access key and its secret key, or, with the extra ``auth`` set to ``user``, an IAM user
    and its password. The host is the base URL, or the extra ``region`` stands for it. Nothing is looked up before it
    is needed.

    :param vias_conn_id: id of the connection.
    :param pace: how often a waiting batch is looked at.
    """

    conn_name_attr = "vias_conn_id"
    default_conn_name = "huawei_vias_default"
    conn_type = "huawei_vias"
    hook_name = "Huawei Cloud VIAS"
    own_keys = WEBHOOK_EXTRAS | {"auth", "domain", "security_token"}
    lists = frozenset({"endless_types", "not_found_codes", "name_taken_codes", "not_allowed_codes"})

    def __init__(self, vias_conn_id: str = default_conn_name, pace: Pace | None = None) -> None:
        super().__init__(vias_conn_id, pace)
        self.vias_conn_id = vias_conn_id

    def get_conn(self) -> Vias:
        """The project, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: when the connection is incomplete or has unknown extras.
        """
        from visionbatch import Pace, Tuning, Vias

        connection = self.get_connection(self.conn_id)
        return Vias(self._settings(connection), self._credentials, tuning=Tuning(pace=self._pace or Pace()))

    def bucket(self, name: str, download: DownloadSettings | None = None) -> S3Bucket:
        """A bucket of OBS, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: where it is first used, when the connection is an IAM user's.
        """
        from visionbatch import result_bucket

        return result_bucket(self._settings(self.get_connection(self.conn_id)), self._credentials, name, download)

    def stream(self, name: str) -> ViasStream:
        """A stream of DIS, for use in a worker; a context manager.

        :raises visionbatch.errors.ConfigError: for a name that no stream can have.
        """
        from visionbatch import ViasStream

        return ViasStream(self._settings(self.get_connection(self.conn_id)), self._credentials, name)

    async def site(self) -> Site:
        """The project, for use on an event loop; the connection is looked up without blocking it."""
        from visionbatch import vias_site

        return await vias_site(self._settings(await self._connection()), self._async_credentials)

    def _ping(self, client: Vias) -> str:
        client.perform(client.api.ping())
        return f"Project {client.api.settings.project_id} answers and accepts the account."

    def _authenticating(self, connection: Any) -> AccessKey | IamUser:
        """The account.

        :raises visionbatch.errors.ConfigError: when the connection does not say all of it.
        """
        from visionbatch import AccessKey, IamUser, Secret
        from visionbatch.errors import ConfigError

        extra = filled_in(connection)
        auth, login = extra.get("auth", "access_key"), connection.login
        if auth not in ("access_key", "user"):
            raise ConfigError(f"{self._where}: auth is access_key or user, not {auth!r}")
        if not login:
            raise ConfigError(f"{self._where} has no {'access key' if auth == 'access_key' else 'user'} in its login")
        if auth == "user":
            return IamUser(login, self._password(connection, "password of the user"), extra.get("domain") or login)
        token = extra.get("security_token")
        return AccessKey(login, self._password(connection, "secret key"), Secret(token) if token else None)

    def _settings(self, connection: Any) -> ViasSettings:
        from visionbatch import ViasSettings, settings_from

        told = {"base_url": base_url(connection), **self._extras(connection)}
        return settings_from(ViasSettings, told, where=f"{self._where}, extra")
