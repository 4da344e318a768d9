"""What every deferral has in common."""

from __future__ import annotations

import time
from datetime import timedelta

BACKSTOP_S = 900.0
"""Seconds after our deadline at which Airflow's own ends the deferral, should the triggerer be stuck."""

SETTLED_S = 5.0
"""Seconds that a trigger has been at work before it says anything.

The scheduler hears of the worker's end from its executor, a loop or two after the task was deferred. A trigger that
fires at once has the task queued again by then, and the scheduler takes the old end for the new one: "finished with
state success, but the task instance's state attribute is queued", and fails the task (`process_executor_events` of
Airflow 3.3.2 spares the state "scheduled" only). A loop takes a second, and longer on a busy machine.

They count from the trigger's own beginning, which is never before the deferral, and by one machine's even clock: worker
and triggerer need not agree on the time of day.
"""


def not_before() -> float:
    """What a trigger is given when a worker ran before it.

    Unix seconds by the worker's clock, for a row of this version may be read by an earlier one, which waits until then.
    """
    return time.time() + SETTLED_S


def at_work_since() -> float:
    """The beginning of a trigger's ``run()``, for `scheduler_has_heard`."""
    return time.monotonic()


async def scheduler_has_heard(not_before: float | None, since: float) -> None:
    """Wait, in the trigger, until the scheduler must have heard of the worker's end.

    :param not_before: from `not_before`; ``None`` for a trigger that no worker ran before, which need not wait.
    :param since: from `at_work_since`.
    """
    from visionbatch import pause_until

    if not_before is not None:
        await pause_until(since + SETTLED_S)


def backstop(deadline: float | None) -> timedelta | None:
    """Airflow's own limit for a deferral: later than ours, because it fails the task without a word to the service.

    :param deadline: Unix seconds; ``None`` is no limit.
    """
    return None if deadline is None else timedelta(seconds=max(deadline - time.time(), 0) + BACKSTOP_S)
