"""The control plane over aiohttp, for triggerers and notebooks."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from visionbatch.errors import VisionBatchError
from visionbatch.flow.effects import Request, Response
from visionbatch.flow.retry import retry_after_seconds
from visionbatch.io.control import (
    AsyncCredentials,
    HeldCredential,
    Origin,
    add_capped,
    answered,
    authenticated,
    encoded,
    head_of,
    query_of,
    transport_error,
    unsendable,
    with_query,
)
from visionbatch.io.network import proxy_for, tls_context
from visionbatch.io.rate import Rate
from visionbatch.model.credential import Outgoing


@dataclass
class _Lease:
    session: aiohttp.ClientSession
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lease] = WeakKeyDictionary()


@asynccontextmanager
async def shared_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The one session of the running loop: made for its first holder, closed behind its last.

    A session for each of thousands of triggers would cost a descriptor and 20 KiB each.
    """
    loop = asyncio.get_running_loop()
    lease = _leases.get(loop)
    if lease is None:
        # trust_env stays off, for it would read .netrc; cookies of one tenant are not another's.
        session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        lease = _leases[loop] = _Lease(session)
    lease.holders += 1
    try:
        yield lease.session
    finally:
        lease.holders -= 1
        if lease.holders == 0:
            _leases.pop(loop, None)
            await lease.session.close()


@dataclass
class AsyncControlPlane:
    """`ControlPlane` on an event loop: may be shared by any number of tasks of that loop.

    All who share it keep to one rate, and stay away together when the service asks one of them to.

    :param session: from `shared_session`.
    :param timeout_s: seconds for a whole exchange, however slowly it drips.
    :param rate: of requests; 200 a second is what one connection pool takes without queueing.
    :param now: Unix seconds, by which tokens run out and signatures are dated.
    """

    origin: Origin
    credentials: AsyncCredentials
    session: aiohttp.ClientSession
    timeout_s: float = 60.0
    rate: Rate = field(default_factory=lambda: Rate(per_s=200.0))
    now: Callable[[], float] = time.time
    _held: HeldCredential = field(default_factory=HeldCredential)
    # Proxy and authorities, looked up once: reading the environment costs a third of a request, and loading a trust
    # store would hold the loop up for 50 ms.
    _way: tuple[str | None, ssl.SSLContext] | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @cached_property
    def _timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self.timeout_s)

    async def send(self, request: Request, refused: int | None = None) -> Response | None:
        """Send one request; ``None`` when the credential was refused and there is no other.

        :raises TransportError: when there is no answer.
        :raises AnswerTooLarge: when the answer exceeds `BODY_CAP`.
        """
        if not await self._has_credential(refused):
            return None
        # Before the turn: while this one waits, another may renew the credential.
        credential, number = self._held.credential, self._held.number
        await self.rate.turn()
        if self._way is None:
            self._way = await asyncio.to_thread(lambda: (proxy_for(self.origin.url), tls_context()))
        proxy, tls = self._way
        url, body = self.origin.at(request), encoded(request.body)
        outgoing = Outgoing(request.method, url, head_of(request), body, self.now())
        try:
            async with self.session.request(
                request.method,
                # What is signed is what is sent: aiohttp would write the URL in its own way.
                URL(with_query(url, query_of(credential)), encoded=True),
                headers=authenticated(credential, outgoing),
                data=body or None,
                allow_redirects=False,
                proxy=proxy,
                ssl=tls,
                timeout=self._timeout,
            ) as answer:
                read = await self._read(answer)
                response = answered(answer.status, answer.headers, read, number, request, credential, proxy)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise transport_error(error, request, self.origin.host) from None
        except ValueError:
            raise unsendable(request) from None
        self._obey(response)
        return response

    def _obey(self, response: Response) -> None:
        """Close the plane for as long as a 429 or 503 asks."""
        if response.status in (429, 503):
            asked = retry_after_seconds(response.headers.get("retry-after"), self.now())
            if asked is not None:
                self.rate.close_for(asked)

    async def _has_credential(self, refused: int | None) -> bool:
        """See to it that there is one to use; one caller looks it up, the others wait and use what it found."""
        async with self._renewing:
            if not self._held.wants_another(refused, self.now()):
                return True
            try:
                found = await self.credentials()
            except VisionBatchError as error:
                if not self._held.outlives(error, refused, self.now()):
                    raise
                return True
            return self._held.take(found, refused)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for block in answer.content.iter_chunked(64 * 1024):
            add_capped(body, block, self.origin.host)
        return bytes(body)
