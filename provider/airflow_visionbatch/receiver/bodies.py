"""Bodies from anybody, read within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

READ_S = 10.0
"""Seconds for a whole body, however it trickles."""


class Refusal(Exception):
    """An answer that ends a request.

    :param status: of HTTP.
    :param detail: for who sends; names nothing of ours.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def check_head(headers: Mapping[str, str], most: int) -> None:
    """Refuse by the head alone what would be refused anyway.

    :param most: bytes of a body.
    :raises Refusal: 413 or 415.
    """
    kind, _, parameters = headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace('"', "").strip()
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Refusal(415, "the body has to be application/json in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "the body must not be encoded")
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > most:
        raise _too_large(most)


async def read_body(request: Request, most: int, seconds: float = READ_S) -> bytes:
    """The body.

    :raises Refusal: 408 when it takes too long, 413 when it is too large, 400 when the sender has gone.
    """
    from starlette.requests import ClientDisconnect

    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for block in request.stream():
                body += block
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise Refusal(408, "the body took too long", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refusal(400, "the sender has gone") from None
    return bytes(body)


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"the body is larger than {most} bytes", {"Connection": "close"})
