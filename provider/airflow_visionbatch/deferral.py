"""What every deferral has in common."""

from __future__ import annotations

import time
from datetime import timedelta

BACKSTOP_S = 900.0
"""Seconds after our deadline at which Airflow's own ends the deferral, should the triggerer be stuck."""


def backstop(deadline: float | None) -> timedelta | None:
    """Airflow's own limit for a deferral: later than ours, because it fails the task without a word to the service.

    :param deadline: Unix seconds; ``None`` is no limit.
    """
    return None if deadline is None else timedelta(seconds=max(deadline - time.time(), 0) + BACKSTOP_S)
