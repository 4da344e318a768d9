"""Requests that the mock itself sends: no proxy, no redirect."""

import ipaddress
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener


class _NoRedirects(HTTPRedirectHandler):
    """A receiver must not send an event on, nor a trusted host lead elsewhere."""

    def redirect_request(self, *_: object) -> None:
        """Nowhere."""


OPENER = build_opener(ProxyHandler({}), _NoRedirects)


def on_this_machine(url: str) -> bool:
    """Whether a URL is http or https on loopback."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return False
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
