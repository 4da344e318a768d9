"""The sender of webhooks: attempts with growing pauses, a counter, one event id for all of them.

What the vendor's page shows is the counter; schedule and end of the attempts are assumed. Events go to
this machine only, because a mock must not knock at anybody else's door.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.ids import IdSource
from visionbatch_mock.ledger import Effect
from visionbatch_mock.outbound import post

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

ANSWER_S = 5.0
"""Longest wait for a receiver."""


@dataclass(slots=True)
class Attempt:
    """One try: when, and the status of the answer or what went wrong."""

    at: float
    status: int | None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver said 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class Event:
    """One event on its way: `due` is when it is tried next, None when it is over."""

    id: str
    url: str = field(repr=False)
    payload: Mapping[str, Any]
    due: float | None
    attempts: list[Attempt] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The event as the control route shows it."""
        return {
            "event_id": self.id,
            "url": self.url,
            "payload": dict(self.payload),
            "due": None if self.due is None else iso(self.due),
            "attempts": [{"at": iso(a.at), "status": a.status, "error": a.error} for a in self.attempts],
        }


class Deliveries:
    """All events of one tenant."""

    def __init__(self, tenant: "Tenant", ids: IdSource) -> None:
        self._tenant = tenant
        self._ids = ids
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._events: list[Event] = []

    def send(self, url: str, payload: Mapping[str, Any], at: float) -> None:
        """Put an event on its way, due at once."""
        event = Event(self._ids.uuid(), url, payload, at)
        with self._lock:
            self._events.append(event)

    def events(self) -> list[Event]:
        """Every event, oldest first."""
        with self._lock:
            return list(self._events)

    @property
    def waiting(self) -> bool:
        """Whether any event is still to be tried."""
        return any(event.due is not None for event in self.events())

    def deliver(self) -> None:
        """Try every event that is due; returns when each was tried once.

        Called without any other lock, because a receiver may well ask the mock something.
        """
        with self._sending:
            told, now = self._tenant.behaviour, self._tenant.clock.now()
            due = [event for event in self.events() if event.due is not None and event.due <= now]
            for event in reversed(due) if told.roboflow_webhook_newest_first else due:
                self._try(event)

    def _try(self, event: Event) -> None:
        told, at = self._tenant.behaviour, self._tenant.clock.now()
        number = len(event.attempts) + 1
        body = {**event.payload, "event_id": event.id, "delivery_attempt": number}
        key = {"Authorization": f"Bearer rf_{told.roboflow_workspace}"}
        status, error = post(event.url, key, json.dumps(body).encode(), ANSWER_S)
        attempt = Attempt(at, status, error)
        event.attempts.append(attempt)
        event.due = self._next(event, at)
        facts = {"event_id": event.id, "attempt": number, "status": status, "error": error}
        self._tenant.ledger.commit(Effect.WEBHOOK_DELIVERED, at=at, type=event.payload["type"], **facts)

    def _next(self, event: Event, at: float) -> float | None:
        told = self._tenant.behaviour
        taken = sum(attempt.taken for attempt in event.attempts)
        if taken >= told.roboflow_webhook_copies or len(event.attempts) >= told.roboflow_webhook_attempts:
            return None
        refused = len(event.attempts) - taken
        return at if taken else at + told.roboflow_webhook_pause_s * 2 ** (refused - 1)
