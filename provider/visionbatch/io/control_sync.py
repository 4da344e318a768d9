"""The control plane over requests, for workers and the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from visionbatch.errors import TimedOut, VisionBatchError
from visionbatch.flow.effects import Request, Response
from visionbatch.io.adapters import Quiet, SystemTrust, added_to_query
from visionbatch.io.closing import Closable
from visionbatch.io.control import (
    Credentials,
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
)
from visionbatch.io.network import proxy_for
from visionbatch.model.credential import Credential, Outgoing

Timeouts = tuple[float, float]


class Keyring:
    """The credential of all planes of one client: one thread looks it up, the others wait and use what it found.

    :param now: Unix seconds.
    """

    def __init__(self, credentials: Credentials, now: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._now = now
        self._held = HeldCredential()
        self._lock = Lock()

    def current(self, refused: int | None) -> tuple[Credential, int] | None:
        """The credential and its number; ``None`` when it was refused and there is no other."""
        with self._lock:
            if self._held.wants_another(refused, self._now()) and not self._renewed(refused):
                return None
            return self._held.credential, self._held.number

    def _renewed(self, refused: int | None) -> bool:
        try:
            found = self._credentials()
        except VisionBatchError as error:
            if not self._held.outlives(error, refused, self._now()):
                raise
            return True
        return self._held.take(found, refused)


class ControlPlane(Closable):
    """Sends control-plane requests with one credential to one origin; use as a context manager.

    Not for use from several threads at once, as little as the session it holds.

    :param credentials: gives the authenticating headers, when first needed and after a refusal.
    :param timeouts: seconds to connect, and seconds for the whole answer to arrive.
    :param now: Unix seconds, by which tokens run out and signatures are dated.
    :param keyring: of the planes that share one credential; one of its own without.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Credentials,
        *,
        timeouts: Timeouts = (10.0, 60.0),
        now: Callable[[], float] = time.time,
        keyring: Keyring | None = None,
    ) -> None:
        self._origin = origin
        self._keyring = keyring or Keyring(credentials, now)
        self._timeouts = timeouts
        self._now = now
        self._session = requests.Session()
        # Off, or requests would read .netrc; proxies and authorities are given below instead.
        self._session.trust_env = False
        # Only one origin is ever asked, and a trust store that is not needed costs more than a request.
        secure = origin.url.startswith("https:")
        self._session.mount("https://" if secure else "http://", SystemTrust() if secure else Quiet())

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        """Send one request; ``None`` when the credential was refused and there is no other.

        :raises TransportError: when there is no answer.
        :raises AnswerTooLarge: when the answer exceeds `BODY_CAP`.
        """
        current = self._keyring.current(refused)
        if current is None:
            return None
        credential, number = current
        url = self._origin.at(request)
        proxy, data = proxy_for(url), encoded(request.body) or None
        try:
            with (
                added_to_query(query_of(credential)),
                self._session.request(
                    request.method,
                    url,
                    headers=head_of(request),
                    data=data,
                    auth=_Authenticated(credential, self._now()),
                    timeout=self._timeouts,
                    allow_redirects=False,
                    stream=True,
                    proxies={"http": proxy, "https": proxy} if proxy else {},
                ) as answer,
            ):
                read = self._read(answer)
                return answered(answer.status_code, answer.headers, read, number, request, credential, proxy)
        except (requests.RequestException, HTTPError) as error:
            # The text of a requests error holds the whole URL, so the chain is cut here.
            raise transport_error(error, request, self._origin.host) from None
        except ValueError:
            raise unsendable(request) from None

    def _read(self, answer: requests.Response) -> bytes:
        # A read time-out only bounds the silence between two bytes; a dripping server needs this too.
        until = time.monotonic() + self._timeouts[1]
        body = bytearray()
        # What one receive gives: anything that waits for a full block would not see the time pass.
        while block := answer.raw.read1(64 * 1024, decode_content=True):
            add_capped(body, block, self._origin.host)
            if time.monotonic() > until:
                raise TimedOut(f"an answer of {self._origin.host} drips in too slowly")
        return bytes(body)


class _Authenticated(AuthBase):
    """Adds what authenticates to the request as it stands, its URL and body in their last form."""

    def __init__(self, credential: Credential, now: float) -> None:
        self._credential = credential
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body if isinstance(request.body, bytes) else b""
        given = {str(name): str(value) for name, value in request.headers.items()}
        outgoing = Outgoing(str(request.method), str(request.url), given, body, self._now)
        request.headers.update(authenticated(self._credential, outgoing))
        return request
