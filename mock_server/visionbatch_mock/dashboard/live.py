"""Server-sent events: a word to the browser whenever something of a customer has changed.

A stream is a connection, and with it a thread, that stays; so there is a limit to their number and to the life of
each, and a browser comes back by itself. It leaves at once when the mock stops or its state is being saved. Behind
another server than the mock's own a thread may be one of very few: there a stream ends with its first word.
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
"""Ours: streams at once; whoever comes later asks for the page now and then instead."""

LOOK_S = 0.25
BEAT_S = 10.0
LIFE_S = 300.0
"""Ours: real seconds between two looks, between two signs of life, and of a stream's whole life."""

_RECENT = 64
"""Ours: requests whose answers are watched for; an older one that is still open changes nothing to see."""


class Viewers:
    """Counts the streams of one application."""

    def __init__(self, most: int = MOST_VIEWERS) -> None:
        self._free = threading.BoundedSemaphore(most)

    def enter(self) -> bool:
        """Whether there was room."""
        return self._free.acquire(blocking=False)

    def leave(self) -> None:
        """Make room."""
        self._free.release()


def stream(tenant: Tenant) -> Response:
    """The events of a customer; 503 when too many look already."""
    viewers: Viewers = current_app.extensions[EXTENSION]
    if not viewers.enter():
        return Response("too many viewers\n", 503, {"Retry-After": "5"}, content_type="text/plain")
    own_server = request.environ.get("SERVER_SOFTWARE") == ConnectionHandler.server_version
    answer = Response(_events(world(), tenant, LIFE_S if own_server else 0.0), content_type="text/event-stream")
    # Runs too when the client has gone before the first word was asked for.
    answer.call_on_close(viewers.leave)
    return answer


def _events(where: World, tenant: Tenant, life_s: float) -> Iterator[str]:
    until, beat = time.monotonic() + life_s, time.monotonic()
    known = version(tenant)
    yield f"retry: 1000\n{_event(known)}"
    while time.monotonic() < until and not where.gate.closing and not where.stopping.wait(LOOK_S):
        if (seen := version(tenant)) != known:
            known = seen
            yield _event(known)
        elif time.monotonic() - beat > BEAT_S:
            beat = time.monotonic()
            yield ": still here\n\n"


def _event(seen: tuple[object, ...]) -> str:
    requests, effects, *rest = seen
    told = {"requests": requests, "effects": effects, "rest": rest}
    return f"event: change\ndata: {json.dumps(told)}\n\n"


def version(tenant: Tenant) -> tuple[object, ...]:
    """A value that differs whenever a page would; its first two are the numbers of requests and of effects."""
    effects, entries = tenant.ledger.entries(), tenant.journal.entries()
    states = [(batch.state, batch.held) for batch in tenant.batches.all()]
    held = [job.held for job in tenant.roboflow.jobs.all()]
    tasks = [(task.state, len(task.ahead)) for task in tenant.vias.tasks()]
    plans = [(plan.id, plan.waiting) for plan in tenant.faults.all()]
    clock = tenant.clock.as_json()
    recent = tuple((entry.status, entry.received) for entry in entries[-_RECENT:])
    sent = [event.due for event in tenant.roboflow.deliveries.events()]
    posted = [parcel.due for parcel in tenant.vias.outbox.parcels()]
    told = hash(str((recent, states, held, tasks, plans, sent, posted)))
    return len(entries), len(effects), told, clock["frozen"], clock["speed"]
