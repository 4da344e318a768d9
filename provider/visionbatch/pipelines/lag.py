"""Patience with a service that does not show yet what it has made, so that nothing is made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.clock import Clock

T = TypeVar("T")

LOOKS = RetryPolicy(first_s=2.0, cap_s=10.0)
"""Pauses between looks at what does not show."""


def shown(look: Callable[[], T | None], clock: Clock, patience_s: float) -> T | None:
    """What a look finds; while it finds nothing it is repeated, the last time when the patience is over.

    :param patience_s: seconds; 0 for a single look.
    """
    found, looks, until = look(), 0, clock.now() + patience_s
    while found is None and (left := until - clock.now()) > 0:
        looks += 1
        clock.pause(LOOKS.pause_after(looks).capped(left))
        found = look()
    return found
