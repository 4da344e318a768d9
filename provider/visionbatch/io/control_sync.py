"""The control plane over requests, for workers and the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from visionbatch.errors import AnswerTooLarge, TimedOut
from visionbatch.flow.effects import Request, Response
from visionbatch.io.adapters import Quiet, SystemTrust
from visionbatch.io.closing import Closable
from visionbatch.io.control import (
    BODY_CAP,
    Credentials,
    Origin,
    head_of,
    lower_names,
    transport_error,
)
from visionbatch.io.network import proxy_for
from visionbatch.model.secret import Secret

Timeouts = tuple[float, float]


class ControlPlane(Closable):
    """Sends control-plane requests with one credential to one origin; use as a context manager.

    Not for use from several threads at once, as little as the session it holds.

    :param credentials: gives the authenticating headers, when first needed and after a refusal.
    :param timeouts: seconds to connect, and seconds for the whole answer to arrive.
    """

    def __init__(self, origin: Origin, credentials: Credentials, *, timeouts: Timeouts = (10.0, 60.0)) -> None:
        self._origin = origin
        self._credentials = credentials
        self._timeouts = timeouts
        self._credential: Mapping[str, Secret] | None = None
        self._number = 0
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
        if self._credential is None:
            self._credential = self._credentials()
        elif refused is not None and refused == self._number:
            renewed = self._credentials()
            if renewed == self._credential:
                return None
            self._credential, self._number = renewed, self._number + 1
        url = self._origin.at(request)
        proxy = proxy_for(url)
        try:
            with self._session.request(
                request.method,
                url,
                headers=head_of(self._credential),
                json=request.body,
                auth=_NoAuth(),
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
                proxies={"http": proxy, "https": proxy} if proxy else {},
            ) as answer:
                body = self._read(answer)
                return Response(answer.status_code, lower_names(answer.headers), body, self._number)
        except (requests.RequestException, HTTPError) as error:
            # The text of a requests error holds the whole URL, so the chain is cut here.
            raise transport_error(error, request, self._origin.host) from None

    def _read(self, answer: requests.Response) -> bytes:
        # A read time-out only bounds the silence between two bytes; a dripping server needs this too.
        until = time.monotonic() + self._timeouts[1]
        body = bytearray()
        # What one receive gives: anything that waits for a full block would not see the time pass.
        while block := answer.raw.read1(64 * 1024, decode_content=True):
            body += block
            if len(body) > BODY_CAP:
                raise AnswerTooLarge(f"an answer of {self._origin.host} exceeds {BODY_CAP} bytes")
            if time.monotonic() > until:
                raise TimedOut(f"an answer of {self._origin.host} drips in too slowly")
        return bytes(body)


class _NoAuth(AuthBase):
    """Explicitly nothing: our headers are complete."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
