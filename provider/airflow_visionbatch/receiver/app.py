"""The receiver as a FastAPI application: checks address and shape, takes each event once, lands results, and wakes.

It never decides what became of a job. Whatever is wrong with a request is answered with a 4xx, and what is wrong here
with a 503, so that the service delivers again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from airflow_visionbatch._compat import count
from airflow_visionbatch.receiver.addresses import Address, AddressBook
from airflow_visionbatch.receiver.bodies import READ_S, Refusal, check_head, read_body
from airflow_visionbatch.receiver.limits import Rate, RateLimit
from airflow_visionbatch.receiver.wake import wake
from visionbatch import (
    Claim,
    Notice,
    NoticeKind,
    SeenEvents,
    json_object,
    roboflow_notice,
    vias_event_line,
    vias_notice,
)

log = logging.getLogger(__name__)

MIB = 1024 * 1024
AT_ONCE = 16
"""Bodies held at a time; times the largest body, and what is made of it, this bounds the memory."""

AGAIN = {"Retry-After": "1"}


@dataclass(frozen=True)
class Sender:
    """What one service sends.

    :param read: from the object to a notice, ``None`` for what is none of ours.
    :param most: bytes of a body.
    :param rate: notifications of one connection.
    """

    read: Callable[[dict[str, Any]], Notice | None]
    most: int
    rate: Rate


SENDERS = {
    # A list of failed files is cut by the vendor; the longest notification that it documents has a few hundred bytes.
    "roboflow": Sender(roboflow_notice, MIB, Rate(10, 100)),
    # An event carries its picture: a full-HD photo in base64 is about a megabyte.
    "huawei_vias": Sender(vias_notice, 4 * MIB, Rate(50, 500)),
}


@dataclass(frozen=True)
class Limits:
    """Bounds that a test makes smaller.

    :param read_s: seconds for a whole body.
    :param lookups: look-ups of connections that are not known, by anybody who knows the receiver's host.
    :param renewals: look-ups of one that is.
    :param results_s: seconds between two asset events for the results of one task: they come by the second.
    """

    read_s: float = READ_S
    lookups: Rate = field(default_factory=lambda: Rate(5, 50))
    renewals: Rate = field(default_factory=lambda: Rate(1, 5))
    results_s: float = 60.0


class Receiver:
    """Takes notifications for one process."""

    def __init__(self, limits: Limits | None = None, book: AddressBook | None = None) -> None:
        self._limits = limits or Limits()
        self._book = book or AddressBook()
        self._lookups = RateLimit(self._limits.lookups)
        self._renewals = RateLimit(self._limits.renewals)
        self._rates = {service: RateLimit(sender.rate) for service, sender in SENDERS.items()}
        self._seen = SeenEvents()
        self._results = RateLimit(Rate(1 / self._limits.results_s, 1))
        self._held = 0

    async def receive(self, request: Request) -> JSONResponse:
        """One request: the answer, whatever it is."""
        place = {name: request.path_params[name] for name in ("service", "conn_id")}
        began = time.monotonic()
        try:
            address = await self._address(secret=request.path_params["secret"], **place)
            with self._slot():
                notice, value = await self._read(request, address)
                said = "ignored" if notice is None else await self._take(address, notice, value)
        except Refusal as refusal:
            log.info("webhook refused with %d: %s, after %.1f s", refusal.status, refusal.detail, _since(began))
            count("visionbatch.webhook", {"outcome": str(refusal.status)})
            return JSONResponse({"detail": refusal.detail}, refusal.status, refusal.headers)
        count("visionbatch.webhook", {"outcome": said})
        return JSONResponse({"detail": said})

    async def _address(self, service: str, conn_id: str, secret: str) -> Address:
        """The address that is meant, if its secret is right; of a wrong one nothing is told."""
        fresh, address = self._book.known(service, conn_id)
        if not fresh and self._may_look_up(conn_id, known=address is not None):
            address = await self._looked_up(service, conn_id)
        elif not fresh and address is None:
            raise Refusal(429, "too many at once", AGAIN)
        elif not fresh and not self._book.usable(service, conn_id):
            raise Refusal(503, "not now", AGAIN)
        if address is None or not address.admits(secret):
            raise Refusal(404, "not found")
        if not self._rates[service].take(conn_id):
            raise Refusal(429, "too many at once", AGAIN)
        return address

    def _may_look_up(self, conn_id: str, *, known: bool) -> bool:
        """Whether a look-up is in order: guesses share a budget, each known connection has one of its own."""
        return self._renewals.take(conn_id) if known else self._lookups.take(None)

    async def _looked_up(self, service: str, conn_id: str) -> Address | None:
        try:
            address = await run_in_threadpool(self._book.fresh, service, conn_id)
        except Exception as error:  # noqa: BLE001  # a secrets backend or a database raises what it likes
            log.warning("webhook: connection %s cannot be looked up (%s)", conn_id, type(error).__name__)
            raise Refusal(503, "not now", AGAIN) from None
        self._book.keep(service, conn_id, address)
        return address

    async def _read(self, request: Request, address: Address) -> tuple[Notice | None, dict[str, Any]]:
        sender = SENDERS[address.service]
        check_head(request.headers, sender.most)
        try:
            body = await read_body(request, sender.most, self._limits.read_s)
            return await run_in_threadpool(_understood, sender, body)
        except ValueError as error:
            raise Refusal(400, str(error)) from None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Room for one body, until its effect is there: a slow folder keeps bodies as long as a slow sender."""
        if self._held >= AT_ONCE:
            raise Refusal(503, "not now", AGAIN)
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    async def _take(self, address: Address, notice: Notice, value: dict[str, Any]) -> str:
        """Let an event have its effect, if it is new."""
        event = f"{address.service} {address.conn_id} {notice.event_id}"
        claim = self._seen.claim(event)
        if claim is Claim.SEEN:
            return "seen"
        if claim is Claim.BUSY:
            raise Refusal(503, "another delivery is at work", AGAIN)
        try:
            said = await self._effect(address, notice, value)
        except Exception as error:
            self._seen.failed(event)
            log.warning("webhook: %s %s: no effect (%s)", address.conn_id, notice.ref, error, exc_info=True)
            raise Refusal(503, "not now", AGAIN) from None
        except BaseException:
            self._seen.failed(event)
            raise
        self._seen.done(event)
        return said

    async def _effect(self, address: Address, notice: Notice, value: dict[str, Any]) -> str:
        if notice.kind is not NoticeKind.RESULT:
            return await self._wake(address, notice)
        is_new = await run_in_threadpool(_land, address, notice, value)
        task = (address.conn_id, notice.ref)
        if not self._results.take(task):
            return "landed" if is_new else "seen"
        try:
            return await self._wake(address, notice)
        except BaseException:
            self._results.forget(task)
            raise

    async def _wake(self, address: Address, notice: Notice) -> str:
        events = await run_in_threadpool(wake, address.conn_id, notice)
        what = (notice.kind.value, notice.ref, events)
        log.info("webhook: %s %s: %s of %s, %d asset events", address.service, address.conn_id, *what)
        return "taken"


def _understood(sender: Sender, body: bytes) -> tuple[Notice | None, dict[str, Any]]:
    value = json_object(body)
    return sender.read(value), value


def _land(address: Address, notice: Notice, value: dict[str, Any]) -> bool:
    """Write an event down, where there is a folder for it; whether it was new there."""
    landing = address.landing()
    return landing is None or landing.land(notice.ref, f"{notice.event_id}.jsonl", vias_event_line(value))


def _since(began: float) -> float:
    return time.monotonic() - began


def create_app(limits: Limits | None = None) -> FastAPI:
    """The application, with a `Receiver` of its own."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_api_route(
        "/{service}/{conn_id}/{secret}", Receiver(limits).receive, methods=["POST"], response_class=JSONResponse
    )
    return app
