"""A Google upload session in forty lines, written from the protocol's description and from nothing of ours.

Sizes are in units of one: the client under test takes any chunk length, so small numbers show the same as large ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from visionbatch.transfer.resumable import Probe, Put
from visionbatch.transfer.session_reply import Reply


class Mishap(StrEnum):
    """What happens to one request."""

    NONE = "none"
    NEVER_ARRIVES = "never arrives"
    BREAKS_OFF = "breaks off in the body"
    ANSWER_LOST = "answer lost"
    KEEPS_LESS = "keeps less than was sent"
    OMITS_RANGE = "omits the range"
    REFUSED_FOR_NOW = "a transient status before any effect"
    FAILS_AFTERWARDS = "a transient status after the effect"
    CUT_ANSWER = "the last answer is cut"
    EXPIRES = "the session is gone before any effect"
    DIES_AFTERWARDS = "the session is gone after the effect"


@dataclass(frozen=True)
class Event:
    """One line of a script."""

    mishap: Mishap = Mishap.NONE
    amount: int = 0
    status: int = 503


@dataclass
class GcsSession:
    """What one session has persisted; ``committed`` is the finished object."""

    persisted: bytearray = field(default_factory=bytearray)
    committed: bytes | None = None
    gone: int = 0
    gaps: int = 0

    def request(self, step: Probe | Put, body: bytes, event: Event) -> Reply | None:
        """Serve one request, mishap included; ``None`` when the client gets no answer."""
        if event.mishap is Mishap.NEVER_ARRIVES:
            return None
        if event.mishap is Mishap.REFUSED_FOR_NOW:
            return Reply(event.status, {}, b"busy")
        if event.mishap is Mishap.EXPIRES and self.committed is None:
            self.gone = self.gone or (404, 410)[event.amount % 2]
        reply = self._serve(step, body, event)
        if event.mishap is Mishap.DIES_AFTERWARDS:
            self.gone = self.gone or (404, 410)[event.amount % 2]
            return Reply(self.gone, {})
        if event.mishap in (Mishap.ANSWER_LOST, Mishap.BREAKS_OFF):
            return None
        if event.mishap is Mishap.FAILS_AFTERWARDS:
            return Reply(event.status, {}, b"busy")
        return reply

    def _serve(self, step: Probe | Put, body: bytes, event: Event) -> Reply:
        if self.gone:
            return Reply(self.gone, {})
        if self.committed is None and isinstance(step, Put):
            if step.start > len(self.persisted):
                self.gaps += 1
                return Reply(503, {"content-type": "text/plain"}, b"Content-Range starts behind the stored bytes")
            fresh = body[len(self.persisted) - step.start :]
            if event.mishap is Mishap.KEEPS_LESS:
                fresh = fresh[: max(len(fresh) - event.amount, 0)]
            self.persisted += fresh
        if self.committed is None and len(self.persisted) == step.total:
            self.committed = bytes(self.persisted)
        if self.committed is not None:
            resource = b'{"size": "%d"}' % len(self.committed)
            return Reply(200, {}, resource[: event.amount] if event.mishap is Mishap.CUT_ANSWER else resource)
        if not self.persisted or event.mishap is Mishap.OMITS_RANGE:
            return Reply(308, {})
        return Reply(308, {"range": f"bytes=0-{len(self.persisted) - 1}"})
