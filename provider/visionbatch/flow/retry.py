"""When to try again, and how long to wait: pure arithmetic, and the one loop that uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from visionbatch.errors import Throttled, TransportError, VisionBatchError
from visionbatch.flow.effects import Flow, Now, Pause

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Truncated exponential backoff; attempts and total time are separate bounds.

    The wait after failure *n* (from 1) lies between ``(1 - jitter)`` and 1 times
    ``min(cap_s, first_s * factor ** (n - 1))``. A ``Retry-After`` up to ``retry_after_cap_s`` replaces it as the lower
    bound; a longer one ends the retries at once, for a worker slot is not the place to sleep for hours.

    :param attempts: tries in all, the first included.
    :param total_s: seconds from the first try after which no new one begins.
    """

    attempts: int = 6
    total_s: float = 300.0
    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 60.0
    jitter: float = 0.5
    retry_after_cap_s: float = 120.0

    def pause_after(self, failures: int, retry_after_s: float | None = None) -> Pause:
        """How long to wait after that many failures in a row.

        :param retry_after_s: what the service asked for, if it did.
        """
        # The exponent is bounded so that a day of failures does not overflow a float.
        longest = min(self.cap_s, self.first_s * self.factor ** min(failures - 1, 64))
        if retry_after_s is not None:
            least = min(retry_after_s, self.retry_after_cap_s)
            return Pause(least, least + longest * self.jitter)
        return Pause(longest * (1 - self.jitter), longest)

    def gives_up(self, failures: int, elapsed_s: float, retry_after_s: float | None = None) -> bool:
        """Whether no further try is allowed after that many failures and that much time."""
        too_long = retry_after_s is not None and retry_after_s > self.retry_after_cap_s
        return failures >= self.attempts or elapsed_s >= self.total_s or too_long


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, in either form; ``None`` when absent or garbage.

    :param value: seconds, or an HTTP date.
    :param now: Unix seconds, for the date form; a date in the past asks for 0.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def transient(error: VisionBatchError) -> bool:
    """Whether waiting may mend it: no connection, throttled, or the service's own fault."""
    if isinstance(error, TransportError):
        return error.retry_safe
    return isinstance(error, Throttled)


def wait_asked_by(error: VisionBatchError) -> float | None:
    """Seconds the service asked us to stay away, when it did."""
    return error.retry_after_s if isinstance(error, Throttled) else None


def persist(
    attempt: Callable[[], Flow[T]],
    policy: RetryPolicy,
    *,
    on: Callable[[VisionBatchError], bool] = transient,
) -> Flow[T]:
    """Run a flow until it returns, waiting between failures; the last failure is raised as it came.

    :param attempt: makes a fresh flow for every try.
    :param on: which failures are worth another try; there is one default, `transient`.
    """
    began: float = yield Now()
    failures = 0
    while True:
        try:
            return (yield from attempt())
        except VisionBatchError as error:
            failures += 1
            now: float = yield Now()
            asked = wait_asked_by(error)
            if not on(error) or policy.gives_up(failures, now - began, asked):
                raise
            pause = policy.pause_after(failures, asked)
        yield pause
