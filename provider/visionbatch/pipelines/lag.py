"""Patience with a service that does not show yet what it has made, so that nothing is made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.clock import Clock

T = TypeVar("T")

LOOKS = RetryPolicy(first_s=2.0, cap_s=10.0, jitter=0.0)
"""Pauses between looks at what does not show; they are added up, so that no clock that is set ends the patience."""


def shown(look: Callable[[], T | None], clock: Clock, patience_s: float) -> T | None:
    """What a look finds; while it finds nothing it is repeated, the last time when the patience is over.

    :param patience_s: seconds; 0 for a single look.
    """
    found, looks, left = look(), 0, patience_s
    while found is None and left > 0:
        looks += 1
        pause = LOOKS.pause_after(looks).capped(left)
        clock.pause(pause)
        left -= pause.at_least
        found = look()
    return found
