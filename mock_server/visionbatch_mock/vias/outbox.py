"""What leaves for the customer: each event on each way that its task's output names.

A failure on a way out never changes the state of a task. How often and how long a receiver is tried is
not documented, and therefore a setting.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.ledger import Effect
from visionbatch_mock.outbound import post
from visionbatch_mock.vias.bucket import NotWritten, files_of, write
from visionbatch_mock.vias.events import Event
from visionbatch_mock.vias.streams import Streams

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


class Way(StrEnum):
    """How an event leaves."""

    OBS = "obs"
    WEBHOOK = "webhook"
    DIS = "dis"
    """Into a stream that is read here."""


def pushes(output: Mapping[str, Any]) -> bool:
    """Whether anything leaves by this output; the event center has no way out."""
    return any(output.get(way) for way in Way)


@dataclass(slots=True)
class Parcel:
    """One event on one way: `due` is when it is tried next, None when it is over."""

    way: Way
    event: Event
    target: Mapping[str, Any] = field(repr=False)
    due: float | None
    attempts: list[int | None] = field(default_factory=list)
    """The status of each answer; None where there was none."""

    def as_json(self) -> dict[str, Any]:
        """The parcel as the control route shows it."""
        due = None if self.due is None else iso(self.due)
        event = self.event
        return {
            "way": self.way,
            "message_id": event.message_id,
            "task_id": event.task_id,
            "due": due,
            "attempts": self.attempts,
        }


class Outbox:
    """All parcels of one tenant."""

    def __init__(self, tenant: "Tenant") -> None:
        self._tenant = tenant
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._parcels: list[Parcel] = []
        self.streams = Streams()

    def put(self, event: Event, output: Mapping[str, Any]) -> None:
        """Send an event on every way of an output."""
        with self._lock:
            for way in Way:
                if output.get(way):
                    self._parcels.append(Parcel(way, event, output[way], event.at))

    def parcels(self) -> list[Parcel]:
        """Every parcel, oldest first."""
        with self._lock:
            return list(self._parcels)

    @property
    def waiting(self) -> bool:
        """Whether any parcel is still to be tried."""
        return any(parcel.due is not None for parcel in self.parcels())

    def resend(self, message_id: str, way: Way) -> bool:
        """Make an event due once more on one of its ways; False when it never had it."""
        wanted = (message_id, way)
        found = next((each for each in self.parcels() if (each.event.message_id, each.way) == wanted), None)
        if found is not None:
            # Whoever is trying it just now would else write over this.
            with self._sending:
                found.due = self._tenant.clock.now()
        return found is not None

    def deliver(self) -> None:
        """Try every parcel that is due, once.

        Called without any other lock, because a receiver may well ask the mock something.
        """
        tries: dict[Way, Callable[[Parcel], None]] = {
            Way.OBS: self._write,
            Way.WEBHOOK: self._post,
            Way.DIS: self._stream,
        }
        with self._sending:
            now = self._tenant.clock.now()
            for parcel in self.parcels():
                if parcel.due is not None and parcel.due <= now:
                    tries[parcel.way](parcel)

    def _write(self, parcel: Parcel) -> None:
        told, facts = self._tenant.behaviour, _facts(parcel)
        parcel.due = None
        for key, content in files_of(parcel.event, parcel.target["path"], told.vias_obs_layout):
            try:
                write(told, parcel.target["bucket"], key, content)
            except NotWritten as failed:
                self._tenant.ledger.commit(Effect.VIAS_RESULT_FAILED, **facts, key=key, error=str(failed))
                return
            where = {"bucket": parcel.target["bucket"], "key": key, "size": len(content)}
            self._tenant.ledger.commit(Effect.VIAS_RESULT_WRITTEN, **facts, **where)

    def _stream(self, parcel: Parcel) -> None:
        parcel.due, at = None, parcel.event.at
        stream, data = parcel.target["stream_name"], json.dumps(parcel.event.document).encode()
        for _ in range(self._tenant.behaviour.vias_webhook_copies):
            partition, sequence = self.streams.put(
                stream, parcel.event.task_id, data, at, self._tenant.behaviour.vias_stream_partitions
            )
            where = {"stream": stream, "partition": partition, "sequence": sequence}
            self._tenant.ledger.commit(Effect.VIAS_RESULT_STREAMED, **_facts(parcel), **where)

    def _post(self, parcel: Parcel) -> None:
        told, at = self._tenant.behaviour, self._tenant.clock.now()
        body = json.dumps(parcel.event.document).encode()
        status, error = post(parcel.target["url"], parcel.target["headers"], body, told.vias_webhook_timeout_s)
        parcel.attempts.append(status)
        parcel.due = self._next(parcel, at)
        answer = {"attempt": len(parcel.attempts), "status": status, "error": error}
        self._tenant.ledger.commit(Effect.VIAS_WEBHOOK_DELIVERED, at=at, **_facts(parcel), **answer)

    def _next(self, parcel: Parcel, at: float) -> float | None:
        told = self._tenant.behaviour
        taken = sum(status is not None and 200 <= status < 300 for status in parcel.attempts)
        refused = len(parcel.attempts) - taken
        if taken >= told.vias_webhook_copies or refused > told.vias_webhook_retries:
            return None
        return at if parcel.attempts[-1] is not None and parcel.attempts[-1] < 300 else at + told.vias_webhook_pause_s


def _facts(parcel: Parcel) -> dict[str, Any]:
    event = parcel.event
    return {"message_id": event.message_id, "task_id": event.task_id, "batch_id": event.batch_id}
