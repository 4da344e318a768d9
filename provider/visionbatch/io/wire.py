"""The data plane: one keep-alive connection to an allowed host, without any credential.

It knows nothing of a protocol above HTTP.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from visionbatch.config import DownloadSettings, TransferSettings
from visionbatch.io.bandwidth import Bandwidth
from visionbatch.io.body import BodyPump, Piece, Slowness
from visionbatch.io.broken import translated
from visionbatch.io.closing import Closable
from visionbatch.io.control import USER_AGENT
from visionbatch.io.line import Line
from visionbatch.io.wire_body import BODY_READ, WireBody
from visionbatch.model.secret import SecretUrl


@dataclass(frozen=True)
class WireAnswer:
    """One answer, its body cut at `BODY_READ`.

    :param headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class WireLimits:
    """Bounds on one exchange.

    :param connect_timeout_s: seconds to make a connection.
    :param read_timeout_s: seconds without a byte in either direction.
    :param slowness: slowest body that is tolerated.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    slowness: Slowness = field(default_factory=Slowness)

    @classmethod
    def of(cls, settings: TransferSettings | DownloadSettings) -> WireLimits:
        """The limits that settings ask for."""
        slowness = Slowness(settings.min_bytes_per_s, settings.slow_after_s)
        return cls(settings.connect_timeout_s, settings.read_timeout_s, slowness)


class Wire(Closable):
    """Sends bodies to secret URLs over a connection that it keeps; use as a context manager.

    :param limits: bounds on every exchange.
    :param bandwidth: a limit that may be shared with other wires.
    :param outside_only: see `visionbatch.io.line.Line`.
    """

    def __init__(
        self, limits: WireLimits | None = None, bandwidth: Bandwidth | None = None, *, outside_only: bool = False
    ) -> None:
        self._limits = limits = limits or WireLimits()
        self._bandwidth = bandwidth
        self._line = Line(limits.connect_timeout_s, limits.read_timeout_s, outside_only=outside_only)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def put(
        self,
        url: SecretUrl,
        headers: Mapping[str, str],
        body: Iterable[Piece],
        length: int,
        sent: Callable[[int], None],
    ) -> WireAnswer:
        """PUT a body of known length and give the answer.

        An answer that comes before the body is through, such as 413, is given instead of the broken pipe that
        follows it.

        :param sent: called with every number of bytes that has left.
        :raises TransportError: when there is no answer.
        """
        connection = self._asked("PUT", url, {"Content-Length": str(length), **headers})
        whole = False
        try:
            whole = self._pump(connection, sent).send(body, length)
            return self._answer(connection, keep=whole)
        except (OSError, http.client.HTTPException) as error:
            early = None if whole else self._early_answer(connection)
            self.close()
            if early is not None:
                return early
            raise translated(error, url.host, maybe_received=True) from None
        except BaseException:
            # The connection is in the middle of a body: nothing else may be sent on it.
            self.close()
            raise

    @contextmanager
    def get(self, url: SecretUrl, headers: Mapping[str, str]) -> Iterator[WireBody]:
        """GET, and give the answer while its body is still to be read.

        The connection is kept when the body was read to its end, and closed when it was left.

        :raises TransportError: when there is no answer.
        """
        connection = self._asked("GET", url, headers)
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise translated(error, url.host, maybe_received=False) from None
        except BaseException:
            self.close()
            raise
        body = WireBody(response, url.host, self._limits.slowness)
        try:
            yield body
        finally:
            keep = body.whole and not response.will_close
            response.close()
            if not keep:
                self.close()

    def _asked(self, method: str, url: SecretUrl, headers: Mapping[str, str]) -> http.client.HTTPConnection:
        """A connection over which the head of a request has left."""
        try:
            return self._line.ask(method, url.reveal(), {"User-Agent": USER_AGENT, **headers})
        except (OSError, http.client.HTTPException) as error:
            raise translated(error, url.host, maybe_received=False) from None

    def _pump(self, connection: http.client.HTTPConnection, sent: Callable[[int], None]) -> BodyPump:
        limits = self._limits
        return BodyPump(
            connection.sock,
            timeout_s=limits.read_timeout_s,
            slowness=limits.slowness,
            bandwidth=self._bandwidth,
            sent=sent,
        )

    def _early_answer(self, connection: http.client.HTTPConnection) -> WireAnswer | None:
        if connection.sock is None:
            # Reading has failed already, and http.client closes behind a reset.
            return None
        with suppress(OSError, http.client.HTTPException):
            connection.sock.settimeout(min(2.0, self._limits.read_timeout_s))
            return self._answer(connection, keep=False)
        return None

    def _answer(self, connection: http.client.HTTPConnection, *, keep: bool) -> WireAnswer:
        with connection.getresponse() as response:
            body = response.read(BODY_READ)
            ended = response.isclosed()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.will_close or not (keep and ended):
                self.close()
            expected = response.length
        if expected and len(body) < BODY_READ and response.status < 300:
            # Shorter than its Content-Length: an end without its size and checksum is none. A refusal stays one.
            raise http.client.IncompleteRead(body, expected)
        return WireAnswer(response.status, headers, body)
