"""One body to one signed address: whole, in one request, or not at all.

A signed PUT cannot be gone on with, so a failure sends the body again from its beginning. That does no harm: the second
body takes the place of the first, for both have the same address. A fresh address may be another object, which is why
one is only asked for while it is certain that the old one took nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from visionbatch.config import KIB, TransferSettings
from visionbatch.errors import (
    InvalidInput,
    ProtocolError,
    Redirected,
    SessionLost,
    SessionRejected,
    TlsRefused,
    TransportError,
    UploadRefused,
    UploadStalled,
)
from visionbatch.flow.call import TRANSIENT_STATUSES
from visionbatch.flow.retry import RetryPolicy, retry_after_seconds
from visionbatch.io.body import Piece
from visionbatch.io.clock import Clock
from visionbatch.io.wire import Wire, WireAnswer
from visionbatch.model.secret import SecretUrl, scrubbed
from visionbatch.model.text import excerpt, printable
from visionbatch.transfer.read_ahead import in_turn, readable
from visionbatch.transfer.source import Source

if TYPE_CHECKING:
    from visionbatch.transfer.upload import Progress

log = logging.getLogger(__name__)

HEADER_FAMILIES = ("x-goog-", "x-amz-", "x-ms-")
"""Beginnings of the headers that the three stores let a signature cover."""

HEADER_NAMES = frozenset(
    {"cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type"}
)
"""Further ones, which describe the object and nothing else."""

BLOCK_BYTES = 256 * KIB
"""Most bytes that are read at a time: many bodies leave at once, and larger blocks make none of them faster."""

HEADERS_AT_MOST = 32
HEADER_CHARS = 4096

EXPIRED_WORDS = (b"ExpiredToken", b"Request has expired", b"AuthenticationFailed")
"""What stores write into a refusal that a fresh address mends, whatever its status: Google's is a 400."""


class SignedAddress(Protocol):
    """Where a body may be sent."""

    @property
    def url(self) -> SecretUrl:
        """The address, already known to lead to an allowed host."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the signature covers besides the address, and so has to be sent along."""


@dataclass(frozen=True)
class SignedUpload:
    """A body that has arrived.

    :param size: its bytes.
    :param sent_bytes: bytes handed to the network, those sent twice counted twice.
    :param requests: how often it was tried.
    :param renewed: whether that took a fresh address.
    """

    size: int
    sent_bytes: int
    requests: int
    renewed: bool


class SignedPut:
    """One body on its way.

    :param renew: gives a fresh address, and is asked once at most.
    :param repeatable: whether the body may be at two addresses, because the service takes both for the same file. If
        not, a fresh address is only used while it is certain that the old one took nothing.
    :param deadline: Unix seconds, should that come before ``settings.deadline_s`` has passed.
    """

    def __init__(
        self,
        source: Source,
        address: SignedAddress,
        *,
        wire: Wire,
        clock: Clock,
        settings: TransferSettings,
        renew: Callable[[], SignedAddress] | None = None,
        repeatable: bool = False,
        deadline: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._address = address
        self._wire = wire
        self._clock = clock
        self._settings = settings
        self._block_bytes = min(settings.block_bytes, BLOCK_BYTES)
        self._renew = renew
        self._repeatable = repeatable
        self._progress = progress
        self._retry = RetryPolicy(attempts=settings.attempts)
        own_deadline = clock.now() + settings.deadline_s
        self._deadline = own_deadline if deadline is None else min(own_deadline, deadline)
        self._renewed = False
        self._doubtful = False
        self._answered = False
        self._position = 0
        self._sent_bytes = 0
        self._requests = 0

    def run(self) -> SignedUpload:
        """Send until the store has it.

        :raises InvalidInput: when there are no bytes.
        :raises InputChanged: when the source is not what it was.
        :raises ProtocolError: for a header that no signature needs; nothing was sent.
        :raises SessionRejected: when the address is refused, and so is a fresh one.
        :raises SessionLost: when it is refused after the body may have arrived: the service knows more.
        :raises UploadRefused: when the store says that the request is wrong.
        :raises UploadStalled: when attempts or time are spent.
        """
        if self._source.size == 0:
            raise InvalidInput(f"{self._source.name} is empty")
        failures = 0
        while not self._arrived(failures):
            failures += 1
        return SignedUpload(self._source.size, self._sent_bytes, self._requests, self._renewed)

    @property
    def doubtful(self) -> bool:
        """Whether the store may have the body although it never said so."""
        return self._doubtful or (0 < self._source.size == self._position and not self._answered)

    def _arrived(self, failures: int) -> bool:
        """Try once; false when it was in vain and may be tried again, now."""
        self._requests += 1
        self._source.verify()
        why, answer = self._exchange()
        if answer is not None:
            if 200 <= answer.status < 300:
                return True
            why = f"the store answered {answer.status}"
            if self._expired(answer):
                self._take_a_fresh_address(answer)
                return False
            if answer.status not in TRANSIENT_STATUSES and answer.status < 500:
                raise self._refused(answer)
        log.warning("%s: %s; sending it again from its beginning", self._source.name, why)
        self._doubtful = self._doubtful or self._position == self._source.size
        self._wait(failures + 1, answer, why)
        return False

    def _exchange(self) -> tuple[str, WireAnswer | None]:
        headers = admitted(self._address.headers)
        self._position, self._answered = 0, False
        try:
            with closing(self._body()) as body:
                answer = self._wire.put(self._address.url, headers, body, self._source.size, self._left)
        except TlsRefused:
            raise
        except TransportError as error:
            return error.what, None
        self._answered = True
        return "", answer

    def _body(self) -> Generator[Piece]:
        """The bytes; the last ones only leave while the source still is what it was."""
        size = self._source.size
        start = max(size - self._block_bytes, 0)
        span = self._source.span(0, start) if start else None
        if span is None:
            start = 0
        else:
            yield span
        with closing(readable(self._source, start, size, self._block_bytes)) as blocks:
            for block in in_turn(blocks):
                start += len(block)
                if start == size:
                    self._source.verify()
                yield block

    def _left(self, count: int) -> None:
        self._position += count
        self._sent_bytes += count
        if self._progress is not None:
            self._progress(self._position, self._source.size)
        if self._clock.now() >= self._deadline:
            raise self._stalled("the upload has not ended by its deadline")

    def _expired(self, answer: WireAnswer) -> bool:
        if answer.status in (401, 403):
            return True
        return answer.status == 400 and any(word in answer.body for word in EXPIRED_WORDS)

    def _take_a_fresh_address(self, answer: WireAnswer) -> None:
        if self._doubtful and not self._repeatable:
            what = f"the address expired when all of {self._source.name} was sent, and nobody said what became of it"
            raise SessionLost(what, all_sent=True, total=self._source.size)
        if self._renewed or self._renew is None:
            raise SessionRejected(self._said(answer), total=self._source.size)
        log.warning("%s: the store answered %s; asking for a fresh address", self._source.name, answer.status)
        self._renewed = True
        self._address = self._renew()

    def _refused(self, answer: WireAnswer) -> Exception:
        if 300 <= answer.status < 400:
            return Redirected(f"the PUT of {self._source.name} was answered with redirect {answer.status}")
        return UploadRefused(self._said(answer), total=self._source.size)

    def _said(self, answer: WireAnswer) -> str:
        body = excerpt(scrubbed(answer.body, self._address.url))
        return f"the PUT of {self._source.name} was answered with {answer.status}: {body}"

    def _wait(self, failures: int, answer: WireAnswer | None, why: str) -> None:
        now = self._clock.now()
        asked = retry_after_seconds(answer.headers.get("retry-after"), now) if answer is not None else None
        if failures >= self._settings.attempts or (asked or 0) > self._retry.retry_after_cap_s:
            raise self._stalled(why, asked)
        pause = self._retry.pause_after(failures, asked)
        if pause.at_least >= self._deadline - now:
            raise self._stalled(f"{why}, and there is no time for another try")
        self._clock.pause(pause.capped(self._deadline - now))

    def _stalled(self, why: str, asked_s: float | None = None) -> UploadStalled:
        what = f"{self._source.name} was not sent in {self._requests} tries: {why}"
        return UploadStalled(what, total=self._source.size, retry_after_s=asked_s, next_step=FROM_THE_BEGINNING)


FROM_THE_BEGINNING = "Run again: a signed PUT cannot resume, so this file is sent from its beginning, and no other."


def admitted(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a signed address asks for, when all of them are harmless.

    One that is left out would break the signature, so what cannot be sent is refused.

    :raises ProtocolError: for one that is not on the list, such as ``Host`` or ``Authorization``, or that could end a
        line.
    """
    if len(headers) > HEADERS_AT_MOST:
        raise _unwanted(f"{len(headers)} headers where {HEADERS_AT_MOST} are the most")
    for name, value in headers.items():
        lower = name.lower()
        if not (lower.startswith(HEADER_FAMILIES) or lower in HEADER_NAMES) or not _is_token(name):
            raise _unwanted(f"the header {printable(name, 60)!r}, which is not one of a signature")
        if not (value.isascii() and value.isprintable() and len(value) <= HEADER_CHARS):
            raise _unwanted(f"a value of {name} that no header can carry")
    return dict(headers)


def _is_token(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalnum()


def _unwanted(what: str) -> ProtocolError:
    step = "Show this to the vendor: nothing was sent to that address."
    return ProtocolError(f"a signed address asks for {what}", retry_safe=False, next_step=step)
