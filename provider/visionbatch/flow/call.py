"""One control-plane request with its retries, and what each status means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from visionbatch.errors import (
    NotAuthorized,
    NotFound,
    PlanRefused,
    Redirected,
    Refused,
    ServiceError,
    Throttled,
    TransportError,
    Unavailable,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Now, Request, Response, Send
from visionbatch.flow.retry import RetryPolicy, persist, retry_after_seconds, transient

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that time may mend; what Google's and Deepomatic's own clients retry."""

Trouble: TypeAlias = Callable[[Request, Response, float], VisionBatchError]
"""Gives the error that an answer outside 2xx stands for, as `unhappy` does."""


def call(request: Request, retry: RetryPolicy, trouble: Trouble | None = None) -> Flow[Response]:
    """Send a request until it is answered with a 2xx status.

    A refused credential is renewed once, in case it was rotated while we waited. A request that is not
    repeatable is sent again only when the service cannot have acted on the first.

    :param trouble: how a service's unhappy answers are read, where statuses alone do not tell; `unhappy` without.

    :raises ServiceError: for an unhappy answer, after the retries.
    :raises TransportError: when the service cannot be reached, after the retries.
    """

    def worth_repeating(error: VisionBatchError) -> bool:
        return transient(error) and (request.repeatable or not _may_have_acted(error))

    return persist(lambda: _once(request, trouble or unhappy), retry, on=worth_repeating)


def _once(request: Request, trouble: Trouble) -> Flow[Response]:
    response: Response = yield Send(request)
    if response.status in (401, 403):
        again: Response | None = yield Send(request, refused=response.credential)
        response = again or response
    if 200 <= response.status < 300:
        return response
    now: float = yield Now()
    raise trouble(request, response, now)


def unhappy(request: Request, response: Response, now: float) -> VisionBatchError:
    """The error that an answer outside 2xx stands for.

    :param now: Unix seconds, to read a ``Retry-After`` that is a date.
    """
    status = response.status
    what = f"{request.method} {request.path} was answered {status}: {response.shown()}"
    if 300 <= status < 400:
        return Redirected(f"{request.method} {request.path} was answered with redirect {status}")
    if status in (401, 403):
        return NotAuthorized(what, status=status)
    if status == 402:
        return PlanRefused(what, status=status)
    if status == 404:
        return NotFound(what, status=status)
    if status in TRANSIENT_STATUSES or status >= 500:
        wait = retry_after_seconds(response.headers.get("retry-after"), now)
        kind = Throttled if status == 429 else Unavailable
        return kind(what, status=status, retry_after_s=wait)
    return Refused(what, status=status)


def _may_have_acted(error: VisionBatchError) -> bool:
    if isinstance(error, TransportError):
        return error.maybe_received
    # 429 and 503 come from in front of the service; other 5xx may come from behind the effect.
    return isinstance(error, ServiceError) and error.status not in (429, 503)
