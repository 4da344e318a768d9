"""How requests makes its connections: without telling secrets, and with the trust that all our planes share."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from visionbatch.io.network import tls_context


class _QuietConnection(HTTPConnection):
    debuglevel = 0


class _QuietSecureConnection(HTTPSConnection):
    debuglevel = 0


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
