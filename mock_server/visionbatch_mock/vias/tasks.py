"""A task: one service on one source, and the way through its states by the tenant's clock.

As everywhere in the mock, time moves it lazily: whoever looks first commits what has become due, each
step dated with the moment at which it was due.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.scenes import Service
from visionbatch_mock.vias.states import AT_REST, OTHER_S, TaskState

Entered = Callable[["Task", float], None]
Duration = Callable[[str], float]


@dataclass(slots=True)
class Task:
    """Facts of a task, its state, and the states ahead of it. Times are epoch seconds."""

    id: str
    name: str
    batch_id: str | None
    source_id: str | None
    source_name: str
    group_id: str | None
    service: Service
    created: float
    input: dict[str, Any]
    settings: dict[str, Any]
    """The other fields of the request, as they came."""
    updated: float = 0.0
    state: str = ""
    since: float = 0.0
    ahead: list[str] = field(default_factory=list)
    vanishing: bool = False
    gone: bool = False
    error: tuple[Code, str] | None = None
    found: int = 0
    """Events so far."""
    found_until: float = 0.0
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def output(self) -> Mapping[str, Any]:
        """Where its results go, as the request said it."""
        return dict(self.settings.get("output") or {})

    def begin(self, life: Sequence[str], at: float, entered: Entered, *, vanish: bool = False) -> None:
        """Enter the first state of a life now; the others follow."""
        self.vanishing = vanish
        self.ahead = [str(state) for state in life]
        self._enter(at, entered)

    def settle(self, now: float, duration: Duration, entered: Entered) -> None:
        """Pass every state whose time is over."""
        while (self.ahead or self.vanishing) and not self.gone:
            due = self.since + duration(self.state)
            if due > now:
                return
            if self.ahead:
                self._enter(due, entered)
            else:
                self.gone = True
                entered(self, due)

    def force(self, state: str, at: float, entered: Entered) -> None:
        """Put it into a state, whatever its life says; it stays there."""
        self.begin([state], at, entered)

    def step(self, at: float, entered: Entered) -> None:
        """Enter the next state of its life now, if there is one."""
        if self.ahead:
            self._enter(at, entered)

    def _enter(self, at: float, entered: Entered) -> None:
        self.state = self.ahead.pop(0)
        self.since = self.updated = at
        self.history.append((at, self.state))
        entered(self, at)


@dataclass(slots=True)
class Batch:
    """A batch task: one request, and the tasks that were made of it."""

    id: str
    name: str
    service: Service
    created: float
    fields: dict[str, Any]
    """The request, as it came."""
    deleted: bool = False


def duration_of(told: Mapping[str, float], table: Mapping[str, float]) -> Duration:
    """Seconds in each state: as the tenant was told, or as the table says."""
    return lambda state: told.get(state, table.get(state, OTHER_S))


WORKING = frozenset(TaskState) - AT_REST - {TaskState.STOPPING, TaskState.DELETING, TaskState.FREEZING}


def works(state: str) -> bool:
    """Whether a task in this state is doing something that a stop would end; in a state of no table it does."""
    return state in WORKING or state not in TaskState.__members__
