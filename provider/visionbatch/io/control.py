"""The control plane: one pinned origin, one credential, no redirects, small answers.

What a service is asked goes through here. Its credential never goes anywhere else: a request can only name a path, a
redirect is an answer like any other, and ``.netrc`` is not read.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from visionbatch._version import __version__
from visionbatch.config import KIB, MIB
from visionbatch.errors import (
    AnswerTooLarge,
    ConfigError,
    TimedOut,
    TlsRefused,
    TransportError,
    Unreachable,
    VisionBatchError,
)
from visionbatch.flow.effects import Body, Request, Response
from visionbatch.io.network import proxy_secrets
from visionbatch.model.credential import Credential, InQuery, Outgoing, ends_at, headers_of, renew_at, secrets_of
from visionbatch.model.secret import Secret, scrubbed, secrets_in, written_out

log = logging.getLogger(__name__)

BODY_CAP = 8 * MIB
"""Bytes of a JSON answer: a thousand times what the documented ones have."""

REFUSAL_CAP = 256 * KIB
"""Bytes of a refusal that are looked at; what people are shown of it is far less."""

USER_AGENT = f"visionbatch/{__version__}"

RENEW_AGAIN_S = 60.0
"""Seconds between two tries to renew a credential that is still good."""

Credentials = Callable[[], Credential]
"""Gives what authenticates; called again when it was refused, in case it was rotated, and when it runs out."""


AsyncCredentials = Callable[[], Awaitable[Credential]]
"""The same, looked up without blocking an event loop."""


class HeldCredential:
    """The credential that a plane has, and the number by which an answer says which one was refused."""

    def __init__(self) -> None:
        self.credential: Credential = {}
        self.number = 0
        self._looked_up = False
        self._renew_at = inf

    def wants_another(self, refused: int | None, now: float) -> bool:
        """Whether it has to be looked up: for the first time, because this very one was refused, or as it runs out."""
        return not self._looked_up or refused == self.number or now >= self._renew_at

    def outlives(self, error: VisionBatchError, refused: int | None, now: float) -> bool:
        """Whether this one is good for a while though no other could be had; that is asked for again in a minute."""
        if not self._looked_up or refused == self.number or now >= ends_at(self.credential):
            return False
        log.warning("the credential is not renewed, and used until its end: %s", error)
        self._renew_at = now + RENEW_AGAIN_S
        return True

    def take(self, found: Credential, refused: int | None = None) -> bool:
        """Take what was looked up; false when that is the refused one again."""
        if self._looked_up and found == self.credential:
            return refused != self.number
        self.number += self._looked_up
        self.credential, self._looked_up, self._renew_at = found, True, renew_at(found)
        return True


def add_capped(body: bytearray, block: bytes, host: str) -> None:
    """Add a block to an answer.

    :raises AnswerTooLarge: when the answer exceeds `BODY_CAP`.
    """
    body += block
    if len(body) > BODY_CAP:
        raise AnswerTooLarge(f"an answer of {host} exceeds {BODY_CAP} bytes")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port that a plane is pinned to, with an optional path in front of every request's.

    :param url: such as ``https://api.site.customers.deepomatic.com``.
    :param allow_plain_http: accept ``http:`` beyond loopback, which shows the key to the network.
    :raises ConfigError: for anything else.
    """

    url: str
    allow_plain_http: bool = False

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            host = parts.hostname
            _ = parts.port
        except ValueError as error:
            raise ConfigError(f"base URL {self.url!r} cannot be parsed: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError(f"base URL {self.url!r} is not http(s)://host[:port]")
        if parts.username is not None or parts.query or parts.fragment:
            raise ConfigError("the base URL must carry no user information, query or fragment")
        loopback = host in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "http" or loopback:
            return
        if self.allow_plain_http:
            log.warning("%s is plain http: everybody on that network can read the key", host)
        else:
            raise ConfigError(
                f"base URL for {host} is plain http, which would send the key in clear",
                next_step="Use https, or set allow_plain_http if that network is trusted.",
            )

    @property
    def host(self) -> str:
        """Host name, for messages."""
        return urlsplit(self.url).hostname or ""

    def at(self, request: Request) -> str:
        """The whole URL of a request."""
        # A space is %20, not +: a signature covers the query, and services differ in how they read a +.
        query = f"?{urlencode(request.query, quote_via=quote, safe='')}" if request.query else ""
        return self.url.rstrip("/") + request.path + query


def head_of(request: Request) -> dict[str, str]:
    """The headers of a request, but for what authenticates it."""
    return {
        "Accept": "application/json",
        # An answer that is not compressed cannot be a decompression bomb.
        "Accept-Encoding": "identity",
        "Content-Type": request.kind,
        "User-Agent": USER_AGENT,
    }


def authenticated(credential: Credential, outgoing: Outgoing) -> dict[str, str]:
    """The headers of a request with those that authenticate it; only here and in `query_of` is a key written out."""
    added = headers_of(credential, outgoing)
    replaced = {name.lower() for name in added}
    kept = {name: value for name, value in outgoing.headers.items() if name.lower() not in replaced}
    return {**kept, **{name: secret.reveal() for name, secret in added.items()}}


def query_of(credential: Credential) -> str:
    """What a credential adds to the query; empty for one that does not go there."""
    if not isinstance(credential, InQuery):
        return ""
    return urlencode({name: secret.reveal() for name, secret in credential.items()}, quote_via=quote, safe="")


def with_query(url: str, query: str) -> str:
    """An address with more in its query."""
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def answered(
    status: int, headers: Any, body: bytes, number: int, request: Request, credential: Credential, proxy: str | None
) -> Response:
    """An answer; a refusal that repeats what was secret in the request, as gateways do with the whole of it, without
    that.

    :param number: of the credential.
    """  # noqa: D205  # one sentence
    # What follows the scheme's word, as in "Bearer", is the key.
    keys = [Secret(secret.reveal().rpartition(" ")[2]) for secret in secrets_of(credential)]
    secrets = (*keys, *secrets_in(request.body), *proxy_secrets(proxy))
    body = body if status < 300 else scrubbed(body[:REFUSAL_CAP], *secrets)
    return Response(status, lower_names(headers), body, number, secrets)


def encoded(body: Any) -> bytes:
    """A body as it is sent, `Secret` values in JSON written out; nothing for ``None``."""
    if isinstance(body, Body):
        return body.content
    return b"" if body is None else written_out(body)


def lower_names(headers: Any) -> dict[str, str]:
    """Response headers with names in lower case."""
    return {str(name).lower(): str(value) for name, value in headers.items()}


def unsendable(request: Request) -> ConfigError:
    """What is raised instead of a stack's refusal to send a header, whose text shows the header and so the key."""
    return ConfigError(
        f"{request.method} {request.path} was not sent: a header cannot carry what stands in the credential",
        next_step="Look for line breaks and letters beyond ASCII in key, token and user.",
    )


def transport_error(error: BaseException, request: Request, host: str, *, asked: bool = True) -> TransportError:
    """Translate a foreign exception without its text, which may hold a URL with a key in it.

    The chain of causes is searched, for each stack wraps the one below it.

    :param asked: false when it is known that there was no connection yet.
    """
    what = f"{request.method} {request.path} on {host}"
    chain = list(_causes(error))
    mismatch = next((link for link in chain if type(link).__name__ == "CertificateError"), None)
    if mismatch is not None:
        # botocore has urllib3 compare the names, whose error is none of ssl's.
        return TlsRefused(f"{what}: the certificate was refused ({mismatch})")
    if any(isinstance(link, ssl.SSLError) for link in chain):
        reason = next(link for link in chain if isinstance(link, ssl.SSLError))
        if isinstance(reason, ssl.SSLCertVerificationError):
            # aiohttp wraps it in one of its own that has not been told why.
            why = next((link.verify_message for link in chain if hasattr(link, "verify_message")), "no reason given")
            return TlsRefused(f"{what}: the certificate was refused ({why})")
        return Unreachable(f"{what}: TLS failed ({reason.reason or type(reason).__name__})", maybe_received=asked)
    never_sent = not asked or any(isinstance(link, _NEVER_SENT) or _is_connect(link) for link in chain)
    if any(isinstance(link, TimeoutError) or "Timeout" in type(link).__name__ for link in chain):
        return TimedOut(f"{what}: no answer in time", maybe_received=not never_sent)
    names = " from ".join(type(link).__name__ for link in chain[:2])
    return Unreachable(f"{what}: no connection, or it broke ({names})", maybe_received=not never_sent)


def certificate_refused(error: BaseException, method: str, url: str) -> TlsRefused | None:
    """That a certificate was refused, if an error of another library's comes from that.

    :param url: its path is told, its query is not.
    """
    parts = urlsplit(url)
    told = transport_error(error, Request(method, parts.path), parts.hostname or "")
    return told if isinstance(told, TlsRefused) else None


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(found) < 12:
        link = queue.pop(0)
        if isinstance(link, BaseException) and link not in found:
            found.append(link)
            queue += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return found


_NEVER_SENT = (ConnectionRefusedError,)
_CONNECT_NAMES = frozenset(
    {"NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "gaierror", "ProxyError",
     "ClientConnectorError", "ClientConnectorDNSError", "ConnectionTimeoutError", "ConnectTimeout"}
)  # fmt: skip


def _is_connect(error: BaseException) -> bool:
    return type(error).__name__ in _CONNECT_NAMES
