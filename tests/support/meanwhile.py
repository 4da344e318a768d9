"""What happens beside a test, as soon as something is so."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from support.airflow_runs import paper_context
from support.patience import wait_until

PATIENCE_S = 120.0
"""Seconds until it has to be so; the first task of a process takes long to begin on a busy machine."""


@contextmanager
def meanwhile(condition: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Act in a thread as soon as the condition holds, at the latest before the block is left.

    :raises TimeoutError: when it never holds.
    """

    def wait_and_act() -> None:
        wait_until(condition, PATIENCE_S)
        act()

    with ThreadPoolExecutor(1) as beside:
        acting = beside.submit(wait_and_act)
        yield
        acting.result()


def stopped(task: Any, condition: Callable[[], object]) -> None:
    """Run a task that is told to stop as soon as the condition holds, from a signal's handler as Airflow does it."""
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())
    try:
        with warnings.catch_warnings():
            # A request that is broken off in its middle leaves its socket to the collector.
            warnings.simplefilter("ignore", ResourceWarning)
            with (
                meanwhile(condition, lambda: os.kill(os.getpid(), signal.SIGUSR1)),
                pytest.raises(Exception, match="told this process to stop"),
            ):
                task.execute(paper_context())
            gc.collect()
    finally:
        signal.signal(signal.SIGUSR1, before)
