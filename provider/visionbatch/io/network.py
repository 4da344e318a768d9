"""What the environment says about the network: proxies and certificate authorities.

Read in one place for both planes and both HTTP stacks, because each library would otherwise read more than it should,
such as a ``.netrc`` that replaces our token by a password.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from visionbatch.errors import ConfigError
from visionbatch.model.secret import Secret

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name a file or folder of certificate authorities, the first one set wins."""


def proxy_for(url: str) -> str | None:
    """The proxy to use for a URL by ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

    :raises ConfigError: for a proxy that is not http, for no SOCKS is spoken, and for one that cannot be read.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # Most machines need none, and urllib.request brings a tenth of what a short command imports.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _require_proxy(proxy)
    return proxy


def _require_proxy(proxy: str) -> None:
    try:
        parts = urlsplit(proxy)
        whole = parts.hostname and parts.port != 0
    except ValueError:
        # Its text would show what stands in the port's place, which may be half of a password.
        whole = False
    if not whole:
        raise ConfigError(
            "the environment names a proxy that cannot be read",
            next_step="Write it as http://user:password@host:port, what is special in a password as %23 and the like.",
        )
    if parts.scheme != "http":
        raise ConfigError("the environment names a proxy that is not http://; only those are supported")


def proxy_pair(proxy: str | None) -> str:
    """User and password of a proxy's address as they go to it, before their base64; empty without a user."""
    parts = urlsplit(proxy or "")
    return "" if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def proxy_secrets(proxy: str | None) -> tuple[Secret, ...]:
    """What of a proxy's address opens it: its password, or its user where that is all, and the pair of both."""
    pair = proxy_pair(proxy)
    user, _, password = pair.partition(":")
    return (Secret(pair), Secret(password or user)) if pair else ()


def ca_place() -> str | None:
    """File or folder of certificate authorities named by the environment, if one is.

    :raises ConfigError: when it names what is not there.
    """
    for variable in CA_VARIABLES:
        path = os.environ.get(variable)
        if path:
            if not os.path.exists(path):  # noqa: PTH110  # a plain string from the environment
                raise ConfigError(f"{variable} names {path}, which does not exist")
            return path
    return None


def tls_context() -> ssl.SSLContext:
    """A verifying context for the environment's authorities, made once for each of them.

    Loading a trust store costs some 40 ms of CPU, more than sending a chunk.
    """
    return _context(ca_place())


@lru_cache(maxsize=8)
def _context(place: str | None) -> ssl.SSLContext:
    is_folder = place is not None and os.path.isdir(place)  # noqa: PTH112  # a plain string from the environment
    context = ssl.create_default_context(cafile=None if is_folder else place, capath=place if is_folder else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Some gateways ask, and neither stack speaks another one.
    context.set_alpn_protocols(["http/1.1"])
    return context
