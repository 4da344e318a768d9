"""What every service's client has: a plane, a clock, and the patience to wait for one or for many."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from visionbatch.config import TransferSettings
from visionbatch.flow.effects import Flow
from visionbatch.flow.pace import Pace
from visionbatch.flow.retry import RetryPolicy, persist
from visionbatch.io.clock import Clock, SystemClock
from visionbatch.io.closing import Closable
from visionbatch.io.control import Credentials, Origin
from visionbatch.io.drive import drive
from visionbatch.io.plane_pool import PlanePool
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.site import Watched

if TYPE_CHECKING:
    from visionbatch.model.tally import Tally

T = TypeVar("T")

DAY_S = 24 * 3600.0
"""How long a run may take unless its caller says otherwise."""


@dataclass(frozen=True)
class Tuning:
    """How patient and how fast everything is; the defaults suit production.

    :param retry: patience of control-plane calls.
    :param pace: how often a waiting batch is looked at.
    :param transfer: how archives travel.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pace: Pace = field(default_factory=Pace)
    transfer: TransferSettings = field(default_factory=TransferSettings)


class Client(Closable):
    """One service at one origin; use as a context manager.

    What a service's client adds is its settings and its operations.

    :param credentials: gives what authenticates, see `visionbatch.io.control.Credentials`.
    """

    def __init__(
        self, origin: Origin, credentials: Credentials, *, tuning: Tuning | None = None, clock: Clock | None = None
    ) -> None:
        self.tuning = tuning or Tuning()
        self.clock = clock or SystemClock()
        self._planes = PlanePool(origin, credentials, now=self.clock.now)

    def close(self) -> None:
        """Close the connections."""
        self._planes.close()

    def perform(self, flow: Flow[T]) -> T:
        """Run a flow of the service's operations with this client's planes and clock; many threads may call it."""
        with self._planes.plane() as plane:
            return drive(flow, plane, self.clock)


class WaitingClient(Client):
    """A client of a service that works on batches or jobs, for which one waits."""

    @property
    @abstractmethod
    def api(self) -> Watched:
        """The operations as flows, for `perform`."""

    def status(self, ref: str) -> Snapshot:
        """The state of a batch or job, now; a look alone has the patience that a wait has between its looks."""
        return self.perform(persist(lambda: self.api.look(ref), self.tuning.retry))

    def wait(
        self, ref: str, *, deadline: float | None = None, observe: Callable[[Snapshot], None] | None = None
    ) -> Snapshot:
        """Wait until a batch or job has ended; see `visionbatch.flow.watch.watch`.

        :param ref: its id, or what says more of what is waited for, such as `visionbatch.batch_ref`.
        :param deadline: Unix seconds.
        """
        return self.await_end(self.api, ref, deadline=deadline, observe=observe)

    def await_end(
        self,
        api: Watched,
        ref: str,
        *,
        deadline: float | None = None,
        observe: Callable[[Snapshot], None] | None = None,
    ) -> Snapshot:
        """`wait` for something that other operations than those of `api` look at."""
        # Most commands wait for nothing, and each pays for what it imports.
        from visionbatch.flow.watch import watch  # noqa: PLC0415

        return self.perform(
            watch(
                lambda: api.look(ref),
                subject=f"{api.name} {api.noun} {ref}",
                pace=self.tuning.pace,
                deadline=deadline,
                observe=observe,
            )
        )

    def wait_all(
        self, refs: Sequence[str], *, deadline: float | None = None, on_partial: OnPartial | None = None
    ) -> Tally:
        """Wait until all of them have ended, and tell what became of each; see `visionbatch.flow.gathering.gather`.

        :param refs: each once.
        :param deadline: Unix seconds; who has not ended by then counts as waiting.
        """
        from visionbatch.flow.gathering import gather  # noqa: PLC0415  # as above
        from visionbatch.flow.looking import Looking  # noqa: PLC0415

        return self.perform(
            gather(
                refs,
                Looking(self.api.look_all, self.api.look, subject=self.api.name),
                kind=f"{self.api.name} {self.api.noun}",
                pace=self.tuning.pace,
                deadline=deadline,
                on_partial=on_partial or OnPartial(),
            )
        )
