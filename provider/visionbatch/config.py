"""Settings that do not belong to one service, each with the reason for its default."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from visionbatch.errors import ConfigError, UnsafeUrl
from visionbatch.model.secret import SecretUrl

KIB = 1024
MIB = 1024 * KIB

CHUNK_UNIT = 256 * KIB
"""Every chunk of a resumable upload but the last is a multiple of this (Google's upload documentation)."""

_S = TypeVar("_S")


def settings_from(cls: type[_S], values: Mapping[str, Any], *, where: str) -> _S:
    """Build a settings value from a mapping, refusing keys it does not have.

    A misspelt key would otherwise leave a default in force without a word.

    :param where: what to call the mapping in the error, such as ``connection extra``.
    :raises ConfigError: for an unknown key or a value of the wrong kind.
    """
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]  # any dataclass will do
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{where} has unknown keys {unknown}; known are {sorted(known)}")
    for name, kind in get_type_hints(cls).items():
        if name in values and not _fits(values[name], kind):
            raise ConfigError(f"{where}: {name} is {values[name]!r}, which is not {_named(kind)}")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} has a value of a wrong kind: {error}") from error


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the kind that a field is declared to hold; a number may be whole where it need not."""
    alternatives = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    for one in alternatives:
        plain = get_origin(one) or one
        if plain is float and isinstance(value, int) and not isinstance(value, bool):
            return True
        if plain is tuple and isinstance(value, list):
            return True
        if isinstance(value, plain) and (plain is bool or not isinstance(value, bool)):
            return True
    return False


def _named(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind)).replace("collections.abc.", "")


@dataclass(frozen=True)
class TransferSettings:
    """How an archive travels over an upload session.

    :param chunk_bytes: longest PUT, a multiple of 256 KiB; 0 is no limit: one request carries all there is. Every
        request waits for an answer, and a break costs nothing, for the server keeps what it has.
    :param block_bytes: bytes read and handed to the socket at a time.
    :param max_bytes_per_s: what all uploads of one client may send in a second together; 0 is no limit.
    :param parallel_uploads: uploads of one client at a time; who comes later waits.
    :param connect_timeout_s: seconds to make a connection.
    :param read_timeout_s: seconds without a byte in either direction.
    :param deadline_s: seconds for the whole upload, pauses included.
    :param min_bytes_per_s: a request slower than this over ``slow_after_s`` is broken off and resumed.
    :param slow_after_s: length of the window in which that speed is measured, in seconds.
    :param attempts: failures in a row, without one more byte acknowledged, before giving up.
    :param checkpoint_s: seconds between two checkpoints of the run record.
    """

    chunk_bytes: int = 0
    block_bytes: int = 1 * MIB
    max_bytes_per_s: int = 0
    parallel_uploads: int = 8
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    deadline_s: float = 24 * 3600.0
    min_bytes_per_s: int = 1 * KIB
    slow_after_s: float = 30.0
    attempts: int = 8
    checkpoint_s: float = 5.0

    def __post_init__(self) -> None:
        if self.chunk_bytes < 0 or self.chunk_bytes % CHUNK_UNIT:
            raise ConfigError(f"chunk_bytes is {self.chunk_bytes}: it must be 0 or a multiple of {CHUNK_UNIT}")
        if self.max_bytes_per_s < 0:
            raise ConfigError(f"max_bytes_per_s is {self.max_bytes_per_s}: it must be 0 or more")
        for name in (
            "block_bytes",
            "parallel_uploads",
            "connect_timeout_s",
            "read_timeout_s",
            "deadline_s",
            "attempts",
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be greater than 0")


@dataclass(frozen=True)
class DownloadSettings:
    """How files are fetched.

    Memory is ``connections`` times ``block_bytes``, whatever the size of the files.

    :param connections: requests at a time; more than one pay where one stream does not fill the line, and for many
        small files.
    :param enough_bytes_per_s: a connection that brings so much fetches its file alone: others would only be in its way.
    :param part_bytes: a file of more than this is asked for in parts of this size, several at a time.
    :param block_bytes: bytes written at a time, at most; on some machines larger ones cost three times the CPU.
    :param connect_timeout_s: seconds to make a connection.
    :param read_timeout_s: seconds without a byte.
    :param min_bytes_per_s: an answer slower than this over ``slow_after_s`` is broken off and gone on with.
    :param slow_after_s: length of the window in which that speed is measured, in seconds.
    :param attempts: failures in a row, without one more byte, before giving up.
    :param checkpoint_s: seconds between two notes of what has arrived: so much is asked for again after a kill.
    """

    connections: int = 4
    enough_bytes_per_s: int = 250_000_000
    part_bytes: int = 64 * MIB
    block_bytes: int = 256 * KIB
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    min_bytes_per_s: int = 1 * KIB
    slow_after_s: float = 30.0
    attempts: int = 6
    checkpoint_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("connections", "part_bytes", "block_bytes", "connect_timeout_s", "read_timeout_s", "attempts"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be greater than 0")


class AllowedHosts:
    """The only places to which the data plane sends.

    Written as a list of ``host``, ``host:port``, ``*.domain`` or a whole origin such as
    ``http://127.0.0.1:8080``. Without a scheme it is https; plain http, which is what mock servers speak, has to be
    written out; port ``*`` is any port.

    :param what: what leads there, for messages.
    """

    def __init__(self, patterns: tuple[str, ...] | list[str], what: str = "upload URL") -> None:
        self.patterns = tuple(patterns)
        self._what = what
        self._rules = [_host_rule(pattern) for pattern in self.patterns]

    def __repr__(self) -> str:
        return f"AllowedHosts({list(self.patterns)!r})"

    def admit(self, url: object) -> SecretUrl:
        """Wrap a URL from a service's answer if it leads to an allowed host.

        The message names scheme and host only: the rest of the URL is its credential.

        :raises UnsafeUrl: for another scheme or host, user information, or control characters.
        """
        if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
            raise UnsafeUrl(f"the {self._what} is not a printable ASCII string")
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise UnsafeUrl(f"the {self._what} cannot be parsed") from error
        if parts.username is not None or parts.password is not None:
            raise UnsafeUrl(f"the {self._what} for {host} carries user information")
        if "\\" in url:
            raise UnsafeUrl(f"the {self._what} for {host} holds a backslash")
        port = {"https": 443, "http": 80}.get(parts.scheme) if port is None else port
        if not any(_admits(rule, parts.scheme, host, port) for rule in self._rules):
            raise UnsafeUrl(
                f"the {self._what} leads to {parts.scheme}://{host}:{port}, "
                f"allowed are {', '.join(self.patterns) or 'none'}"
            )
        return SecretUrl(url)


@dataclass(frozen=True)
class _HostRule:
    scheme: str
    host: str
    port: int | None


def _host_rule(pattern: str) -> _HostRule:
    match = re.fullmatch(r"(?:(https?)://)?(\[[0-9a-fA-F:]+\]|(?:\*\.)?[A-Za-z0-9._-]+)(?::(\d+|\*))?/?", pattern)
    if match is None:
        raise ConfigError(f"allowed host {pattern!r} is not host, host:port, *.domain or scheme://host:port")
    scheme = match[1] or "https"
    standard = 443 if scheme == "https" else 80
    port = None if match[3] == "*" else int(match[3] or standard)
    return _HostRule(scheme, match[2].strip("[]").lower(), port)


def _admits(rule: _HostRule, scheme: str, host: str, port: int | None) -> bool:
    named = host.endswith(rule.host[1:]) and not _is_address(host) if rule.host.startswith("*.") else host == rule.host
    return named and scheme == rule.scheme and rule.port in (None, port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
