"""Huawei Cloud's AK/SK signature ``SDK-HMAC-SHA256``: one HMAC over the request as it is sent.

Facts from Huawei's guide to signing API requests, and from running its own SDK's signer. The derived variant
``V11-HMAC-SHA256`` and the SM ones are not used for ``*.myhuaweicloud.com``.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from visionbatch.model.credential import Outgoing
from visionbatch.model.secret import Secret, usable_key

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "x-sdk-date"
CONTENT_HEADER = "x-sdk-content-sha256"
TOKEN_HEADER = "X-Security-Token"  # noqa: S105  # a header's name

SIGNED = frozenset({"content-type", "host", CONTENT_HEADER, DATE_HEADER, "x-project-id", TOKEN_HEADER.lower()})
"""Headers that are signed when a request has them. Only the date has to be; what a proxy may change is left out."""


@dataclass(frozen=True)
class AccessKey:
    """An access key, as a credential that signs.

    :param access_key: AK, which is sent in clear.
    :param security_token: of a temporary key.
    :raises ConfigError: for a part that no header can carry, such as one pasted with a line break.
    """

    access_key: str
    secret_key: Secret
    security_token: Secret | None = None

    def __post_init__(self) -> None:
        # The first may be no secret, but the two are easily mixed up: none of them is shown.
        usable_key(Secret(self.access_key), "the access key")
        usable_key(self.secret_key, "the secret key")
        if self.security_token is not None:
            usable_key(self.security_token, "the security token")

    def sign(self, outgoing: Outgoing) -> dict[str, Secret]:
        """Host, date, token if there is one, and the signature over them and the request."""
        headers = {
            **outgoing.headers,
            "Host": urlsplit(outgoing.url).netloc,
            "X-Sdk-Date": sdk_date(outgoing.now),
            **({TOKEN_HEADER: self.security_token.reveal()} if self.security_token is not None else {}),
        }
        signed = {name: value for name, value in headers.items() if name.lower() in SIGNED}
        text = signature(
            outgoing.method, outgoing.url, signed, outgoing.body, self.access_key, self.secret_key, outgoing.now
        )
        added = ("Host", "X-Sdk-Date", TOKEN_HEADER)
        return {**{name: Secret(headers[name]) for name in added if name in headers}, "Authorization": Secret(text)}

    def sent(self) -> list[Secret]:
        """The token of a temporary key; the secret key itself is never sent."""
        return [] if self.security_token is None else [self.security_token]


def signature(method: str, url: str, headers: Mapping[str, str], body: bytes, ak: str, sk: Secret, now: float) -> str:
    """The value of ``Authorization`` for a request.

    :param url: raw and whole, percent-encoded as it is sent.
    :param headers: those to sign, ``Host`` as it is sent; the date is added when it is missing. Names with ``_`` are
        never signed, as by the vendor's SDK.
    :param body: exact bytes.
    :param now: Unix seconds; the gateway takes no more than 15 minutes of difference.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items() if "_" not in name}
    date = lower.setdefault(DATE_HEADER, sdk_date(now))
    names = ";".join(sorted(lower))
    digest = sha256(canonical_request(method, url, lower, body).encode()).hexdigest()
    mac = hmac.new(sk.reveal().encode(), f"{ALGORITHM}\n{date}\n{digest}".encode(), sha256).hexdigest()
    return f"{ALGORITHM} Access={ak}, SignedHeaders={names}, Signature={mac}"


def canonical_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """The six parts of a request that are signed.

    :param headers: names in lower case.
    """
    parts = urlsplit(url)
    names = sorted(headers)
    block = "".join(f"{name}:{headers[name]}\n" for name in names)
    # The vendor's SDK lets the header speak for a body only when there is one.
    digest = (headers.get(CONTENT_HEADER) if body else None) or sha256(body).hexdigest()
    lines = (method.upper(), _path(parts.path), _query(parts.query), block, ";".join(names), digest)
    return "\n".join(lines)


def sdk_date(now: float) -> str:
    """The time in the form of ``X-Sdk-Date``."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


def _path(raw: str) -> str:
    path = "/".join(_encoded(segment) for segment in unquote(raw).split("/"))
    # In the signed form only: the request keeps its path.
    return path if path.endswith("/") else f"{path}/"


def _query(raw: str) -> str:
    pairs = parse_qsl(raw, keep_blank_values=True)
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(text, safe="~")
