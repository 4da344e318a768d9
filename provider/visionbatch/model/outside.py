"""Addresses that are handed to a service, and so must not lead into our own network or its own.

A receiver's or a reference's address is called by somebody else, from where they are. One that leads inside reaches a
metadata service or a neighbour there, and tells the service how our network is built here. Only what is written is
judged: a name that a resolver answers from inside is found where the connection is made, with `why_address_inside`.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from visionbatch.errors import UnsafeUrl

INSIDE_SUFFIXES = ("localhost", "localdomain", "local", "internal", "home.arpa", "intranet", "lan", "corp", "home")
"""Ends of names that stay inside: RFC 6761 and 6762, RFC 8375, ICANN's ``internal``, which the metadata services of the
clouds have too, and what networks call themselves by custom."""

_UNICAST = IPv6Network("2000::/3")
"""What is routed on the Internet (RFC 4291, section 2.4): translated, local and multicast addresses lie elsewhere."""

_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NEXT_STEP = "Give an address that the service can reach over the Internet, or allow those inside if that is meant."


def outside_url(url: object, *, what: str, schemes: tuple[str, ...] = ("https",), allow_inside: bool = False) -> str:
    """The URL, if it leads to the Internet by its looks.

    The message names the host at most: the rest of the URL may be a signature or a receiver's secret.

    :param what: what to call it, such as ``notifications_url``.
    :param schemes: those that are accepted.
    :param allow_inside: let it lead inside, as a mock server's does; the other rules stay.
    :raises UnsafeUrl: with the rule that is broken: for another scheme, user information, what two parsers may read in
        two ways, a host that is loopback, private, link-local or otherwise not on the Internet in any of its spellings,
        or a name of the inside.
    """
    host = _host(url, what, schemes)
    reason = why_inside(host)
    if reason and not (allow_inside and _is_readable(host)):
        raise UnsafeUrl(f"{what} leads to {host}, {reason}", next_step=_NEXT_STEP)
    return str(url)


def why_inside(host: str) -> str:
    """Why a host is not on the Internet by its looks, such as ``which is loopback``; empty when it may be.

    :param host: name or address without brackets or port.
    """
    host = host.lower().removesuffix(".")
    if ":" in host:
        return _why_literal(host)
    last = host.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        return _why_number(host)
    if not _NAME.fullmatch(host):
        return "which is not the name of a host"
    if any(host == suffix or host.endswith(f".{suffix}") for suffix in INSIDE_SUFFIXES):
        return "a name that stays inside a network"
    return "" if "." in host else "a name without a domain, which only the inside of a network knows"


def why_address_inside(address: IPv4Address | IPv6Address | str) -> str:
    """The same for an address as a resolver gives it.

    :raises ValueError: for a text that is no address.
    """
    found = ip_address(address) if isinstance(address, str) else address
    if isinstance(found, IPv4Address):
        return _why_ipv4(found)
    inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
    if inner is not None:
        return _why_ipv4(inner)
    kinds = _kinds(found)
    if kinds:
        return f"which is {kinds}"
    return "" if found in _UNICAST and found.is_global else "which is not an address of the Internet"


def _host(url: object, what: str, schemes: tuple[str, ...]) -> str:
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UnsafeUrl(f"{what} is not printable ASCII without blanks and backslashes", next_step=_NEXT_STEP)
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise UnsafeUrl(f"{what} cannot be parsed as a URL", next_step=_NEXT_STEP) from error
    if parts.scheme not in schemes:
        raise UnsafeUrl(f"{what} is not one of {', '.join(schemes)}", next_step=_NEXT_STEP)
    if "@" in parts.netloc:
        raise UnsafeUrl(f"{what} carries user information", next_step=_NEXT_STEP)
    if not host or port == 0:
        raise UnsafeUrl(f"{what} names no host or port", next_step=_NEXT_STEP)
    return host


def _is_readable(host: str) -> bool:
    """Whether every parser reads a host in the same way: no address in hexadecimal, octal or short form."""
    host = host.removesuffix(".")
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _is_plain(host)
    return _NAME.fullmatch(host) is not None


def _why_number(host: str) -> str:
    """An IPv4 address in any spelling that a C library takes: ``127.1``, ``0x7f.1``, ``0177.0.0.1``, ``2130706433``."""
    address = _loose_ipv4(host)
    if address is None:
        return "which looks like an address and is none"
    reason = _why_ipv4(address)
    return reason or ("" if str(address) == host else "an address in a spelling that parsers read in different ways")


def _loose_ipv4(host: str) -> IPv4Address | None:
    pieces = host.split(".")
    if len(pieces) > 4 or not all(_NUMBER.fullmatch(piece) for piece in pieces):
        return None
    try:
        *heads, last = [_number(piece) for piece in pieces]
    except ValueError:
        return None
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    return IPv4Address(sum(head << 8 * (3 - place) for place, head in enumerate(heads)) + last)


def _number(piece: str) -> int:
    if piece.startswith("0x"):
        return int(piece[2:] or "0", 16)
    return int(piece, 8 if len(piece) > 1 and piece.startswith("0") else 10)


def _why_literal(host: str) -> str:
    if "%" in host:
        return "an address with a zone, which only its own machine knows"
    try:
        return why_address_inside(host)
    except ValueError:
        return "which looks like an address and is none"


def _why_ipv4(address: IPv4Address) -> str:
    kinds = _kinds(address)
    if kinds:
        return f"which is {kinds}"
    return "" if address.is_global else "which is not an address of the Internet"


def _kinds(address: IPv4Address | IPv6Address) -> str:
    """The kind that a person recognises first; a private address is many of them."""
    for kind in ("unspecified", "loopback", "link_local", "multicast", "private", "reserved"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    return ""


def _is_plain(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
