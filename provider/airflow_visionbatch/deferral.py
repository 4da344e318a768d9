"""What every deferral has in common."""

from __future__ import annotations

import time
from datetime import timedelta

BACKSTOP_S = 900.0
"""Seconds after our deadline at which Airflow's own ends the deferral, should the triggerer be stuck."""

SETTLED_S = 5.0
"""Seconds after the beginning of a deferral before which its trigger says nothing.

The scheduler hears of the worker's end from its executor, a loop or two after the task was deferred. A trigger that
fires at once has the task queued again by then, and the scheduler takes the old end for the new one: "finished with
state success, but the task instance's state attribute is queued", and fails the task (`process_executor_events` of
Airflow 3.3.2 spares the state "scheduled" only). A loop takes a second, and longer on a busy machine.
"""


def not_before() -> float:
    """The moment, in Unix seconds, before which the trigger of a deferral that begins now says nothing."""
    return time.time() + SETTLED_S


async def settled(moment: float | None) -> None:
    """Wait for that moment, in the trigger; ``None`` is now, for a trigger that no worker ran before."""
    from visionbatch import pause_until

    if moment is not None:
        await pause_until(moment, at_most=SETTLED_S)


def backstop(deadline: float | None) -> timedelta | None:
    """Airflow's own limit for a deferral: later than ours, because it fails the task without a word to the service.

    :param deadline: Unix seconds; ``None`` is no limit.
    """
    return None if deadline is None else timedelta(seconds=max(deadline - time.time(), 0) + BACKSTOP_S)
