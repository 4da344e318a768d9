"""A service as an event loop sees it, without anything that has to be installed for waiting on one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from visionbatch.flow.effects import Flow
from visionbatch.io.control import AsyncCredentials, Origin

if TYPE_CHECKING:
    from visionbatch.flow.listing import Enough
    from visionbatch.flow.roster import Roster
    from visionbatch.model.listed import Listed
    from visionbatch.model.snapshot import Snapshot

T = TypeVar("T")


class Watched(Protocol):
    """What every service's operations offer to those who wait."""

    @property
    def name(self) -> str:
        """The service."""

    @property
    def noun(self) -> str:
        """What is looked at: a batch, or a job."""

    def look(self, ref: str) -> Flow[Snapshot]:
        """The state of a batch or job, asked for once."""

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at everything on the roster, asked for together.

        :raises BulkUnsupported: when the service has no way to ask for many.
        """

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        """The list of batches or jobs, newest first, until that is enough.

        :raises BulkUnsupported: when the service has none.
        """

    def cancel(self, ref: str) -> Flow[None]:
        """Cancel it; one that is gone counts as cancelled."""


@dataclass(frozen=True)
class Site:
    """One service at one origin.

    :param credentials: looked up without blocking the loop.
    """

    api: Watched
    origin: Origin
    credentials: AsyncCredentials


def told_at_once(found: Callable[[], T]) -> Callable[[], Awaitable[T]]:
    """For an event loop, what is looked up without waiting for anybody."""

    async def told() -> T:
        return found()

    return told
