"""What authenticates a control-plane request: headers, a key in the query, a token that runs out, or a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol, TypeAlias

from visionbatch.model.secret import Secret

Headers: TypeAlias = Mapping[str, Secret]


@dataclass(frozen=True)
class Outgoing:
    """A request as it goes on the wire, but for what authenticates it.

    :param url: whole and encoded, exactly as it will be sent.
    :param headers: those that are set so far.
    :param body: exact bytes; empty for none.
    :param now: Unix seconds, for signatures that carry the time.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    now: float


class Signer(Protocol):
    """A credential that is a key: it gives each request headers of its own. Two that hold the same key are equal."""

    def sign(self, outgoing: Outgoing) -> Headers:
        """The headers to add to this very request, replacing those of the same name."""

    def sent(self) -> list[Secret]:
        """What of it goes along as it is, such as a temporary key's token."""


@dataclass(frozen=True)
class Token:
    """A credential that runs out.

    :param headers: what every request carries.
    :param renew_at: Unix seconds from which a new one is fetched before the next request.
    :param ends_at: Unix seconds until which this one is good, should there be no new one.
    """

    headers: Headers = field(default_factory=dict)
    renew_at: float = inf
    ends_at: float = inf


class InQuery(dict[str, Secret]):
    """A credential that goes into the query of every request, for services that take it nowhere else.

    It is added to the address at the last moment, so that no stack that logs or complains has seen it.
    """


Credential: TypeAlias = Headers | InQuery | Token | Signer


def headers_of(credential: Credential, outgoing: Outgoing) -> Headers:
    """What a credential adds to a request."""
    if isinstance(credential, Token):
        return credential.headers
    if isinstance(credential, InQuery):
        return {}
    return credential if isinstance(credential, Mapping) else credential.sign(outgoing)


def secrets_of(credential: Credential) -> list[Secret]:
    """What of a credential is sent as it is, and must not be printed when an answer repeats it."""
    held = credential.headers if isinstance(credential, Token) else credential
    return list(held.values()) if isinstance(held, Mapping) else held.sent()


def renew_at(credential: Credential) -> float:
    """Unix seconds from which it should be replaced; infinity for one that is only replaced when it is refused."""
    return credential.renew_at if isinstance(credential, Token) else inf


def ends_at(credential: Credential) -> float:
    """Unix seconds until which it is good."""
    return credential.ends_at if isinstance(credential, Token) else inf
