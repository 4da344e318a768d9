"""Server-sent events: a word to the browser whenever something of a customer has changed.

A stream is a connection, and with it a thread, that stays; so there is a limit to their number and to the life of
each, and a browser comes back by itself. One more than the limit ends the oldest, which is mostly that of a page that
nobody reads any more: a mock learns that a browser has left only when it says something to it. A stream leaves at once
when the mock stops or its state is being saved. Behind another server than the mock's own a thread may be one of very
few: there a stream ends with its first word.
"""

import json
import threading
import time
from collections.abc import Iterator

from flask import Response, current_app, request

from visionbatch_mock.connection import ConnectionHandler
from visionbatch_mock.exchange import world
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.world import World

EXTENSION = "visionbatch_mock_dashboard_viewers"

MOST_VIEWERS = 24
"""Ours: streams at once."""

LOOK_S = 0.25
BEAT_S = 5.0
LIFE_S = 300.0
"""Ours: real seconds between two looks, between two signs of life, and of a stream's whole life."""

BACK_MS = 2000
"""Ours: after how long a browser comes back."""

_RECENT = 64
"""Ours: requests whose answers are watched for; an older one that is still open changes nothing to see."""


class Viewers:
    """The streams of one application, oldest first."""

    def __init__(self, most: int = MOST_VIEWERS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._sent_away: list[threading.Event] = []

    def enter(self) -> threading.Event:
        """A place, which is lost once the event is set; the oldest loses its own when there are too many."""
        place = threading.Event()
        with self._lock:
            self._sent_away.append(place)
            while len(self._sent_away) > self._most:
                self._sent_away.pop(0).set()
        return place

    def leave(self, place: threading.Event) -> None:
        """Give the place back."""
        with self._lock:
            if place in self._sent_away:
                self._sent_away.remove(place)

    def __len__(self) -> int:
        with self._lock:
            return len(self._sent_away)


def stream(tenant: Tenant) -> Response:
    """The events of a customer."""
    viewers: Viewers = current_app.extensions[EXTENSION]
    own_server = request.environ.get("SERVER_SOFTWARE") == ConnectionHandler.server_version
    place = viewers.enter()
    events = _events(world(), tenant, place, LIFE_S if own_server else 0.0)
    answer = Response(events, content_type="text/event-stream")
    # Runs too when the client has gone before the first word was asked for.
    answer.call_on_close(lambda: viewers.leave(place))
    return answer


def _events(where: World, tenant: Tenant, place: threading.Event, life_s: float) -> Iterator[str]:
    until, beat = time.monotonic() + life_s, time.monotonic()
    known = version(tenant)
    yield f"retry: {BACK_MS}\n{_event(known)}"
    while time.monotonic() < until and not _ends(where, place):
        if (seen := version(tenant)) != known:
            known = seen
            yield _event(known)
        elif time.monotonic() - beat > BEAT_S:
            beat = time.monotonic()
            yield ": still here\n\n"


def _ends(where: World, place: threading.Event) -> bool:
    """Whether to leave, after a pause if not."""
    return place.is_set() or where.gate.closing or where.stopping.wait(LOOK_S)


def _event(seen: tuple[object, ...]) -> str:
    requests, effects, *rest = seen
    told = {"requests": requests, "effects": effects, "rest": rest}
    return f"event: change\ndata: {json.dumps(told)}\n\n"


def version(tenant: Tenant) -> tuple[object, ...]:
    """A value that differs whenever a page would; its first two are the numbers of requests and of effects."""
    with tenant.gate.passing():
        return _version(tenant)


def _version(tenant: Tenant) -> tuple[object, ...]:
    effects, entries = tenant.ledger.entries(), tenant.journal.entries()
    states = [(batch.state, batch.held) for batch in tenant.batches.all()]
    held = [job.held for job in tenant.roboflow.jobs.all()]
    tasks = [(task.state, len(task.ahead)) for task in tenant.vias.tasks()]
    plans = [(plan.id, plan.waiting) for plan in tenant.faults.all()]
    clock = tenant.clock.as_json()
    recent = tuple((entry.status, entry.received) for entry in entries[-_RECENT:])
    sent = [event.due for event in tenant.roboflow.deliveries.events()]
    posted = [parcel.due for parcel in tenant.vias.deliveries.parcels()]
    told = hash(str((recent, states, held, tasks, plans, sent, posted)))
    return len(entries), len(effects), told, clock["frozen"], clock["speed"]
