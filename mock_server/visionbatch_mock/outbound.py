"""Requests that the mock itself sends: no proxy, no redirect, and events to this machine only.

A mock must not knock at anybody else's door.
"""

import ipaddress
from collections.abc import Mapping
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener


class _NoRedirects(HTTPRedirectHandler):
    """A receiver must not send an event on, nor a trusted host lead elsewhere."""

    def redirect_request(self, *_: object) -> None:
        """Nowhere."""


OPENER = build_opener(ProxyHandler({}), _NoRedirects)


def split(url: str) -> SplitResult | None:
    """The parts of a URL; None for a text that is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def on_this_machine(url: str) -> bool:
    """Whether a URL is http or https on loopback."""
    parts = split(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        return False
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def post(url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> tuple[int | None, str | None]:
    """Send JSON to the receiver of a webhook: the status of the answer, or None and what went wrong."""
    if not on_this_machine(url):
        return None, "the mock delivers to this machine only"
    told = {"Content-Type": "application/json", **headers}
    request = Request(url, body, told, method="POST")  # noqa: S310 - checked above
    try:
        with OPENER.open(request, timeout=timeout_s) as answer:
            return answer.status, None
    except HTTPError as refused:
        with refused:
            return refused.code, None
    except (URLError, OSError, ValueError) as cause:
        return None, f"{type(cause).__name__}: {cause}"
