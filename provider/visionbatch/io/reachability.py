"""Whether a host can be reached, step by step, so that whoever cannot reach it knows which step fails."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

DAY_S = 24 * 3600
SOON_DAYS = 14
"""A certificate that ends sooner is worth a warning."""


@dataclass(frozen=True)
class Step:
    """One thing that was looked at.

    :param passed: ``None`` when it could not be looked at, because a step before it failed.
    """

    name: str
    passed: bool | None
    detail: str


def reach(url: str, timeout_s: float = 10.0) -> list[Step]:
    """Look a host up, connect, and shake hands; what comes after a failed step is not tried.

    Proxies are not asked: this says what the machine itself can reach.

    :param url: only its scheme, host and port matter.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        return [Step("name", False, f"{host} cannot be resolved: {error.strerror or error}")]
    steps = [Step("name", True, f"{host} is {', '.join(sorted(found))}")]
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            steps.append(Step("connection", True, f"{host}:{port} answers"))
            if parts.scheme == "https":
                steps.append(_handshake(connection, host))
    except OSError as error:
        steps.append(Step("connection", False, f"{host}:{port} does not answer: {error.strerror or error}"))
    return steps


def skew(date_header: str | None) -> Step:
    """How far this machine's clock is from a server's.

    :param date_header: the ``Date`` of an answer that has just come.
    """
    try:
        there = parsedate_to_datetime(date_header or "").timestamp()
    except ValueError:
        return Step("clock", None, "the service does not say what time it is")
    seconds = time.time() - there
    return Step("clock", abs(seconds) < 60, f"{seconds:+.0f} s to the service's")


def _handshake(connection: socket.socket, host: str) -> Step:
    try:
        with ssl.create_default_context().wrap_socket(connection, server_hostname=host) as secure:
            certificate, version = secure.getpeercert() or {}, secure.version()
    except ssl.SSLCertVerificationError as error:
        return Step("certificate", False, f"{error.verify_message}; SSL_CERT_FILE names other authorities")
    ends = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "")))
    days = int((ends - time.time()) // DAY_S)
    return Step("certificate", days >= SOON_DAYS, f"{version}, valid for {days} more days")
