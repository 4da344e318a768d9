"""Sending an archive over an upload session: the protocol's table with a wire, a clock and a source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from visionbatch.config import CHUNK_UNIT, TransferSettings
from visionbatch.errors import InvalidInput, TlsRefused, TransportError, UploadStalled
from visionbatch.flow.retry import RetryPolicy, retry_after_seconds
from visionbatch.io.body import Piece
from visionbatch.io.clock import Clock
from visionbatch.io.wire import Wire
from visionbatch.model.secret import SecretUrl, scrubbed
from visionbatch.transfer.prefix import SentPrefix
from visionbatch.transfer.request_size import RequestSize
from visionbatch.transfer.resumable import Probe, Put, ResumableUpload
from visionbatch.transfer.session_reply import Reply
from visionbatch.transfer.source import Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What a later process needs to go on with a session, besides the session itself.

    :param sent: bytes that the server had acknowledged: a hint, for it is asked again.
    :param checked: prefix of the archive that ``crc32c`` covers, in bytes.
    :param crc32c: CRC-32C of that prefix.
    """

    sent: int = 0
    checked: int = 0
    crc32c: int = 0


@dataclass(frozen=True)
class Uploaded:
    """A finished upload.

    :param size: bytes of the archive.
    :param crc32c: its CRC-32C; ``None`` when the upload turned out to be complete before all of it was read.
    :param sent_bytes: bytes handed to the network, those sent twice counted twice.
    :param requests: requests on the session, questions included.
    :param gaps: times the server refused a chunk for starting after its own count: always 0 with an honest server.
    """

    size: int
    crc32c: int | None
    sent_bytes: int
    requests: int
    gaps: int


Progress = Callable[[int, int], None]
"""Called with the position reached and the total. The position may go back when bytes have to be sent again; it never
passes the total."""


class Upload:
    """One archive on its way over one session.

    :param resume: go on with a session that was used before, from what is known of it.
    :param deadline: Unix seconds, should that come before ``settings.deadline_s`` has passed.
    :param checkpoint: called at most every ``settings.checkpoint_s`` seconds, and when the archive has arrived.
    """

    def __init__(
        self,
        source: Source,
        url: SecretUrl,
        *,
        wire: Wire,
        clock: Clock,
        settings: TransferSettings,
        resume: Checkpoint | None = None,
        deadline: float | None = None,
        progress: Progress | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> None:
        self._source = source
        self._url = url
        self._wire = wire
        self._clock = clock
        self._settings = settings
        self._resume = resume
        self._progress = progress
        self._checkpoint = checkpoint
        self._retry = RetryPolicy(attempts=settings.attempts)
        self._state = ResumableUpload(
            source.size,
            sizes=RequestSize(settings.chunk_bytes),
            attempts=settings.attempts,
            resumed=resume is not None,
        )
        self._prefix = SentPrefix(source, settings.block_bytes)
        self._saved = now = clock.now()
        own_deadline = now + settings.deadline_s
        self._deadline = own_deadline if deadline is None else min(own_deadline, deadline)
        self._position = 0
        self._sent_bytes = 0
        self._requests = 0

    def run(self) -> Uploaded:
        """Send until the server has the whole archive.

        :raises UploadError: as `visionbatch.transfer.resumable` says, and `Corrupted` for another CRC-32C.
        :raises InvalidInput: when the archive has no bytes.
        :raises InputChanged: when the source is not what it was, now or compared with what was sent before.
        :raises TlsRefused: when the server's certificate is not accepted.
        """
        if self._source.size == 0:
            # To the protocol no bytes at all are a complete object, which would start the processing of nothing.
            raise InvalidInput(f"{self._source.name} is empty")
        with self._prefix:
            if self._resume is not None and self._resume.checked:
                self._prefix.compare_with_earlier(self._resume.checked, self._resume.crc32c)
            while not self._state.done:
                self._take_a_step()
            self._source.verify()
            if self._resume is not None and self._resume.checked:
                self._prefix.settle()
            if self._state.stored.crc32c is not None:
                self._prefix.compare_with_stored(self._state.stored.crc32c)
        return Uploaded(self._source.size, self._prefix.whole, self._sent_bytes, self._requests, self._state.gaps)

    def _take_a_step(self) -> None:
        self._source.verify()
        failures = self._state.failures
        step = self._state.next_step()
        if isinstance(step, Put):
            self._prefix.starting(step.start)
            step = self._without_last_bytes(step)
        reply = self._exchange(step)
        self._save()
        if self._state.failures > failures:
            self._wait(reply)

    def _without_last_bytes(self, step: Put) -> Put:
        """The step, cut before the archive's end while that depends on what an earlier try has sent.

        It does in two ways: nothing may become whole before it is known that both sent the same bytes, and what sums up
        the bytes before can only be computed when they have been read.
        """
        last = min(step.total - 1, self._source.summary_start)
        if self._resume is None or step.stop <= last or not self._prefix.is_busy():
            return step
        stop = step.start + (last - step.start) // CHUNK_UNIT * CHUNK_UNIT
        if stop > step.start:
            return Put(step.start, stop, step.total)
        self._prefix.settle()
        return step

    def _exchange(self, step: Probe | Put) -> Reply | None:
        """Send one step and let the table take in what came back; ``None`` when nothing did."""
        self._requests += 1
        headers = {"Content-Type": "application/octet-stream", "Content-Range": step.content_range}
        length = step.stop - step.start if isinstance(step, Put) else 0
        try:
            with closing(self._body(step)) as body:
                answer = self._wire.put(self._url, headers, body, length, self._left)
        except TlsRefused:
            raise
        except TransportError as error:
            log.warning("upload: %s; asking where it stands", error.what)
            self._state.broke(step, error.what)
            return None
        reply = Reply(answer.status, answer.headers, scrubbed(answer.body, self._url))
        failures = self._state.failures
        self._state.answered(step, reply)
        if self._state.failures > failures:
            log.warning("upload: the session answered %s; asking where it stands", reply.status)
        self._report(self._state.offset)
        return reply

    def _body(self, step: Probe | Put) -> Generator[Piece]:
        """The bytes of one request; the archive's last ones only leave while the source still is what it was."""
        if isinstance(step, Probe):
            return
        self._position = start = step.start
        last = step.stop if step.stop < step.total else max(step.stop - self._settings.block_bytes, start)
        span = self._source.span(start, last)
        if span is not None and start < last:
            yield span
            start = last
        with closing(self._prefix.sending(start, step.stop)) as blocks:
            for block in blocks:
                start += len(block)
                if start == step.total:
                    self._source.verify()
                yield block

    def _left(self, count: int) -> None:
        self._sent_bytes += count
        self._position += count
        self._state.sending(self._position)
        self._report(self._position)
        self._save()
        self._within_deadline()

    def _report(self, position: int) -> None:
        if self._progress is not None:
            self._progress(position, self._source.size)

    def _save(self) -> None:
        now = self._clock.now()
        due = self._state.done or now - self._saved >= self._settings.checkpoint_s
        if not due:
            return
        self._saved = now
        if not self._state.done:
            self._prefix.follow(self._position)
        if self._checkpoint is not None:
            self._checkpoint(Checkpoint(self._state.best, *self._prefix.known))

    def _wait(self, reply: Reply | None) -> None:
        asked = None
        if reply is not None:
            asked = retry_after_seconds(reply.headers.get("retry-after"), self._clock.now())
        if asked is not None and asked > self._retry.retry_after_cap_s:
            raise self._stalled(f"the session asks to stay away for {asked:.0f} s", asked)
        pause, left = self._retry.pause_after(self._state.failures, asked), self._deadline - self._clock.now()
        if pause.at_least >= left:
            raise self._stalled("the upload cannot go on before its deadline")
        self._clock.pause(pause.capped(left))
        self._within_deadline()

    def _within_deadline(self) -> None:
        if self._clock.now() >= self._deadline:
            raise self._stalled("the upload has not ended by its deadline")

    def _stalled(self, why: str, asked_s: float | None = None) -> UploadStalled:
        done, total = self._state.best, self._source.size
        what = f"{why}, at {done} of {total} bytes"
        return UploadStalled(what, persisted=done, total=total, retry_after_s=asked_s)
