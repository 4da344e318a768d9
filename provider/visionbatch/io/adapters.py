"""How requests, with which Google's libraries send, makes its connections here: on the terms of our own planes."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from visionbatch.io.control import certificate_refused
from visionbatch.io.network import tls_context


class _QuietConnection(HTTPSConnection):
    debuglevel = 0


class _QuietPool(HTTPSConnectionPool):
    ConnectionCls = _QuietConnection


_POOLS = {"http": HTTPConnectionPool, "https": _QuietPool}


class OnOurTerms(HTTPAdapter):
    """Trusts what our own planes trust, and ends it when a certificate is refused.

    It keeps out of the debug output of ``http.client``, which prints every header and so the token.
    """

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Pools that verify with the shared context."""
        super().init_poolmanager(*arguments, **options, ssl_context=tls_context())
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same through a proxy."""
        manager = super().proxy_manager_for(proxy, **options, ssl_context=tls_context())
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context has its authorities, and it verifies."""

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send, as requests does.

        :raises TlsRefused: when the certificate was refused, which no library takes for a broken line.
        """
        try:
            return super().send(request, *arguments, **options)
        except SSLError as error:
            raise certificate_refused(error, request.method, request.url) or error from None
