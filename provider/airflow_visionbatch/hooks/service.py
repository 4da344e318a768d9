"""What the hooks of all services have in common: from a connection to settings, credentials and a client."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch._compat import BaseHook

if TYPE_CHECKING:
    from visionbatch import Pace, Secret, Site, Tuning


class ServiceHook(BaseHook):
    """Reads a connection of a service and opens what it names. Nothing is looked up before it is needed.

    What a hook of a service adds is how its settings and credentials follow from a connection.

    :param conn_id: id of the connection.
    :param pace: how often what is waited for is looked at.
    """

    lists: ClassVar[frozenset[str]] = frozenset()
    """Extras that hold several values: a list, or one text with commas."""
    own_keys: ClassVar[frozenset[str]] = frozenset({"transfer"})
    """Extras that are no settings of the service itself."""

    def __init__(self, conn_id: str, pace: Pace | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._pace = pace

    @abstractmethod
    def get_conn(self) -> Any:
        """The service's client, for use in a worker; a context manager."""

    @abstractmethod
    async def site(self) -> Site:
        """The service, for use on an event loop; the connection is looked up without blocking it."""

    @abstractmethod
    def _ping(self, client: Any) -> str:
        """Ask the service something that only a good credential gets an answer to, and say what a user should know.

        :raises VisionBatchError: what is wrong.
        """

    @abstractmethod
    def _authenticating(self, connection: Any) -> Any:
        """What authenticates with this connection: headers, or what signs."""

    def test_connection(self) -> tuple[bool, str]:
        """Whether the service answers and takes the credential."""
        from visionbatch import VisionBatchError

        try:
            with self.get_conn() as client:
                return True, self._ping(client)
        except VisionBatchError as error:
            return False, str(error)

    @property
    def _where(self) -> str:
        return f"connection {self.conn_id}"

    def _tuning(self, connection: Any) -> Tuning:
        from visionbatch import Pace, TransferSettings, Tuning, settings_from

        transfer = settings_from(TransferSettings, filled_in(connection).get("transfer", {}), where="transfer")
        return Tuning(pace=self._pace or Pace(), transfer=transfer)

    def _credentials(self) -> Any:
        return self._authenticating(self.get_connection(self.conn_id))

    async def _async_credentials(self) -> Any:
        return self._authenticating(await self._connection())

    async def _connection(self) -> Any:
        from airflow.providers.common.compat.connection import get_async_connection

        return await get_async_connection(self.conn_id, hook=self)

    def _password(self, connection: Any, what: str) -> Secret:
        """The connection's password.

        :param what: what it is to the service, such as ``API key``.
        :raises visionbatch.errors.ConfigError: when there is none.
        """
        from visionbatch import Secret
        from visionbatch.errors import ConfigError

        if not connection.password:
            raise ConfigError(f"{self._where} has no {what} in its password")
        return Secret(connection.password)

    def _extras(self, connection: Any) -> dict[str, Any]:
        """The extras that are settings of the service, lists as such."""
        extra = filled_in(connection)
        return {
            key: as_list(value) if key in self.lists else value
            for key, value in extra.items()
            if key not in self.own_keys
        }


def base_url(connection: Any) -> str:
    """The address in a connection's host, schema and port; empty when it has no host."""
    url: str = connection.host or ""
    if url and "://" not in url:
        url = f"{connection.schema or 'https'}://{url}"
    return f"{url}:{connection.port}" if url and connection.port else url


def filled_in(connection: Any) -> dict[str, Any]:
    """The extras that are filled in: an empty field of the form means the default."""
    return {key: value for key, value in connection.extra_dejson.items() if value not in (None, "", {})}


def as_list(value: Any) -> tuple[str, ...]:
    """Several values, as a list or as one text with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value)
