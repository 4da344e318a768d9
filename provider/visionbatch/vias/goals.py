"""What somebody waits for: that a batch runs, that it has finished, or a set of states."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from visionbatch.errors import ConfigError

ID = re.compile(r"[a-z0-9_-]{4,36}")
"""What every id in a path has to match (the vendor's API definition)."""

FAILURES = frozenset({"FAILED", "CREATE_FAILED", "START_FAILED", "LACK_OF_RESOURCES", "STOPPED_NO_SERVICE"})
"""States from which no task gets on by itself."""

_STATE = re.compile(r"[A-Z][A-Z_]{1,59}")


@dataclass(frozen=True)
class Goal:
    """States that are waited for, and states that count as failed unless they are wanted.

    :param name: as it was written: ``running``, ``finished``, or states with commas between.
    """

    name: str
    wanted: frozenset[str]
    failed: frozenset[str]

    @classmethod
    def parse(cls, text: str | Iterable[str] | Goal) -> Goal:
        """Read the written form, or a list of states.

        ``running`` is there when every task runs or has succeeded, ``finished`` when every task has ended; a task
        that was stopped ends that wait as a failed one.

        :raises ConfigError: when it is neither of the two words nor states in upper case.
        """
        if isinstance(text, Goal):
            return text
        name = text if isinstance(text, str) else ",".join(text)
        if name in _GOALS:
            return _GOALS[name]
        states = [state.strip() for state in name.split(",")]
        if not all(_STATE.fullmatch(state) for state in states):
            raise ConfigError(
                f"wait_for is running, finished, or states in upper case with commas between, not {name!r}"
            )
        return cls(",".join(states), frozenset(states), FAILURES)

    def __str__(self) -> str:
        """The written form."""
        return self.name


RUNNING = Goal("running", frozenset({"RUNNING", "SUCCEEDED"}), FAILURES)
FINISHED = Goal("finished", frozenset({"SUCCEEDED"}), FAILURES | {"STOPPED"})
_GOALS = {goal.name: goal for goal in (RUNNING, FINISHED)}


LEAVE = "leave"
"""What cancelling does to a batch that somebody else made; nobody can ask for it."""


def require_cancel(word: str) -> None:
    """Refuse another way to cancel than there are.

    :raises ConfigError: unless it is ``stop``, ``delete``, or empty for what the settings say.
    """
    if word not in ("", "stop", "delete"):
        raise ConfigError(f"on_cancel is stop or delete, not {word!r}")


@dataclass(frozen=True)
class BatchRef:
    """A batch and what is waited for, as one text: ``<id>``, ``<id>?wait_for=running``.

    :param name: the batch's exact name, with which one is found in a long list.
    :param on_cancel: what cancelling does, ``stop``, ``delete`` or `LEAVE`; what the settings say when empty.
    :param unwell_since: Unix seconds since when it was unwell when somebody looked before, see
        `visionbatch.vias.patience.Patience`; ``None`` when it was not, or nobody has.
    """

    batch_id: str
    goal: Goal = FINISHED
    name: str = ""
    on_cancel: str = ""
    unwell_since: float | None = None

    def __post_init__(self) -> None:
        if self.on_cancel != LEAVE:
            require_cancel(self.on_cancel)

    @classmethod
    def parse(cls, text: str) -> BatchRef:
        """Read the written form.

        :raises ConfigError: when the id cannot be one, before it gets into a path, or the moment is none.
        """
        batch_id, _, rest = text.partition("?")
        if not ID.fullmatch(batch_id):
            raise ConfigError(f"batch id {batch_id!r} is not 4 to 36 of a-z, 0-9, - and _")
        facts = dict(parse_qsl(rest))
        goal = Goal.parse(facts.get("wait_for", FINISHED.name))
        since = facts.get("unwell_since", "")
        if since and not since.isdecimal():
            raise ConfigError(f"unwell_since is whole seconds, not {since!r}")
        return cls(batch_id, goal, facts.get("name", ""), facts.get("on_cancel", ""), float(since) if since else None)

    def __str__(self) -> str:
        """The written form; what is default is left out."""
        goal = self.goal.name if self.goal != FINISHED else ""
        since = "" if self.unwell_since is None else str(int(self.unwell_since))
        facts = {"wait_for": goal, "name": self.name, "on_cancel": self.on_cancel, "unwell_since": since}
        rest = urlencode({key: value for key, value in facts.items() if value}, quote_via=quote, safe=",")
        return f"{self.batch_id}?{rest}" if rest else self.batch_id
