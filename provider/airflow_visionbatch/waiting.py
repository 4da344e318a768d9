"""What people see of a wait: before it in the task's log, and after it what the triggerer saw meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import Snapshot, Tally

CHANGES = 20
"""Changes of state that are kept of a wait, the last ones."""

CHANGE_CHARS = 120
"""Characters of one of them."""

EVENT_BYTES = 3900
"""Room of an event as JSON, the history included: events go through Airflow's database."""


def tell_wait(log: Any, what: str, *, link: str, state: Snapshot | None, poll_s: float, deadline: float | None) -> None:
    """Say in two lines what is waited for, how it stands, when it is looked at next and when it has to end.

    :param state: its last state; ``None`` when nobody has looked yet.
    :param poll_s: seconds within which the triggerer looks for the first time.
    :param deadline: Unix seconds; ``None`` is never.
    """
    log.info("%s: %s; %s", what, "not looked at yet" if state is None else state, link or "no page for people")
    left = 0.0 if deadline is None else max(deadline - time.time(), 0)
    end = "no deadline" if deadline is None else f"deadline {_utc(deadline)}, in {left:.0f} s"
    log.info("%s: waiting in the triggerer, next look within about %g s; %s", what, poll_s, end)


class History:
    """The last changes of state that a trigger saw; an `Observer`."""

    __slots__ = ("_changes", "_forgotten")

    def __init__(self) -> None:
        # Moments and states in turn: thousands are kept, each with its first state, and a list of pairs is thrice that.
        self._changes: tuple[int | str, ...] = ()
        self._forgotten = 0

    def __call__(self, state: Snapshot | Tally) -> None:
        """Take a change in."""
        self._changes += (_once(int(time.time())), intern(str(state)[:CHANGE_CHARS]))
        if len(self._changes) > 2 * CHANGES:
            self._forget_first()

    def added_to(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with as much of the history as there is room for."""
        whole = self._into(event)
        while self._changes and len(json.dumps(whole)) > EVENT_BYTES:
            self._forget_first()
            whole = self._into(event)
        return whole

    def _into(self, event: dict[str, Any]) -> dict[str, Any]:
        pairs = zip(self._changes[::2], self._changes[1::2], strict=True)
        changes = [{"at": at, "state": state} for at, state in pairs]
        return {**event, "history": changes, "forgotten": self._forgotten}

    def _forget_first(self) -> None:
        self._changes = self._changes[2:]
        self._forgotten += 1


@lru_cache(maxsize=8)
def _once(moment: int) -> int:
    """One number for all the thousands that see something in the same second."""
    return moment


def history_in(event: Mapping[str, Any]) -> list[tuple[float, str]]:
    """The changes in an event, with their moments in Unix seconds; an event of an older version has none."""
    changes = event.get("history")
    return [
        (float(change["at"]), str(change["state"]))
        for change in (changes if isinstance(changes, list) else ())
        if isinstance(change, dict) and isinstance(change.get("at"), (int, float)) and "state" in change
    ]


def replay(log: Any, what: str, history: list[tuple[float, str]], forgotten: int = 0) -> None:
    """Write what the triggerer saw into the task's log, where people look for it."""
    if forgotten:
        log.info("%s: %d earlier changes are not kept", what, forgotten)
    for at, state in history:
        log.info("%s: seen by the triggerer at %s: %s", what, _utc(at), state)


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
