"""How requests makes its connections: without telling secrets, and with the trust that all our planes share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from visionbatch.io.control import certificate_refused, with_query
from visionbatch.io.network import tls_context

_added: ContextVar[str] = ContextVar("visionbatch_query", default="")


@contextmanager
def added_to_query(secret: str) -> Iterator[None]:
    """Add to the query of what is sent in here; requests and urllib3, which log addresses and raise with them, never
    learn of it.

    :param secret: ``name=value``, encoded; may be empty.
    """  # noqa: D205  # one sentence
    before = _added.set(secret)
    try:
        yield
    finally:
        _added.reset(before)


class _QuietConnection(HTTPConnection):
    debuglevel = 0

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        super().putrequest(method, with_query(url, _added.get()), skip_host, skip_accept_encoding)


class _QuietSecureConnection(HTTPSConnection):
    debuglevel = 0

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        super().putrequest(method, with_query(url, _added.get()), skip_host, skip_accept_encoding)


class _QuietPool(HTTPConnectionPool):
    ConnectionCls = _QuietConnection


class _QuietSecurePool(HTTPSConnectionPool):
    ConnectionCls = _QuietSecureConnection


class Quiet(HTTPAdapter):
    """Keeps out of the debug output of ``http.client``, which prints every header and so the key."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Pools of quiet connections."""
        super().init_poolmanager(*arguments, **options)
        _quieten(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same through a proxy."""
        manager = super().proxy_manager_for(proxy, **options)
        _quieten(manager)
        return manager


def _quieten(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _QuietPool, "https": _QuietSecurePool}


class SystemTrust(Quiet):
    """Trusts what the other stacks trust: requests alone would bring authorities of its own."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Pools that verify with the shared context."""
        super().init_poolmanager(*arguments, **options, ssl_context=tls_context())

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same through a proxy."""
        return super().proxy_manager_for(proxy, **options, ssl_context=tls_context())

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context has its authorities, and it verifies."""


class FailClosed(SystemTrust):
    """Says of a refused certificate what no library takes for a broken line, to be tried again."""

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send, as requests does.

        :raises TlsRefused: when the certificate was refused.
        """
        try:
            return super().send(request, *arguments, **options)
        except SSLError as error:
            raise certificate_refused(error, request.method, request.url) or error from None
