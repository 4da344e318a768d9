"""One server for a run of tests, and what each of them has of it."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from visionbatch_mock.clock import TenantClock
from visionbatch_mock.config import MockConfig
from visionbatch_mock.faults import FaultPlan
from visionbatch_mock.journal import Journal, JournalEntry
from visionbatch_mock.ledger import Ledger
from visionbatch_mock.near_miss import nearest
from visionbatch_mock.server import MockServer
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.text import printable

DEFAULT_SEED = 1
"""Ours: the same ids in every run of a test, whichever others run beside it."""


class Faults:
    """Plans faults of one customer."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def __call__(self, operation: str, *instructions: Any) -> FaultPlan:
        """Let the next requests for an operation meet these, in order; raises `UnknownInstruction`."""
        return self.plan({operation: list(instructions)})

    def plan(self, instructions: dict[str, list[Any]]) -> FaultPlan:
        """The same for several operations."""
        return self._tenant.faults.plan({"instructions": instructions})

    def preset(self, name: str) -> FaultPlan:
        """A plan that stands ready, named after a row of the fault matrix."""
        return self._tenant.faults.plan({"preset": name})


class VisionMock:
    """What a test has: the server's address, and a customer that nobody else uses."""

    def __init__(self, session: "MockSession", tenant: Tenant, *, allow_unmatched: bool, allow_unmet: bool) -> None:
        self.url = session.server.url
        self.key = tenant.token
        self.tenant = tenant
        self.faults = Faults(tenant)
        self._session = session
        self._allow_unmatched = allow_unmatched
        self._allow_unmet = allow_unmet

    @property
    def clock(self) -> TenantClock:
        """The customer's clock."""
        return self.tenant.clock

    @property
    def ledger(self) -> Ledger:
        """What the services did for the customer."""
        return self.tenant.ledger

    @property
    def journal(self) -> Journal:
        """The requests that the customer sent."""
        return self.tenant.journal

    def configure(self, **settings: Any) -> None:
        """Change the services' behaviour towards this customer; raises `SettingError`."""
        self.tenant.configure(**settings)

    def complaints(self) -> list[str]:
        """Why the test has to fail, a line each: requests without a route, faults that were not met."""
        unmatched = [] if self._allow_unmatched else self._session.unmatched(self.tenant)
        plans = [] if self._allow_unmet else self.tenant.faults.all()
        unmet = [plan for plan in plans if not plan.completed]
        return [
            *(f"unmatched request: {self._session.explain(entry)}" for entry in unmatched),
            *(f"planned fault that was never met: {plan.unmet}" for plan in unmet),
        ]


class MockSession:
    """The server of a run. With xdist each worker process has its own, on a port of its own."""

    def __init__(self, config: MockConfig | None = None) -> None:
        self.server = MockServer(config or MockConfig(seed=DEFAULT_SEED))
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()
        self._active: set[str] = set()
        self._claimed: set[tuple[str, int]] = set()

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    @contextmanager
    def customer(
        self, test: str, *, allow_unmatched: bool = False, allow_unmet: bool = False, **settings: Any
    ) -> Iterator[VisionMock]:
        """A customer for one run of a test; its key follows from the test's name."""
        tenant = self.server.world.tenant(self._key(test))
        tenant.configure(**settings)
        with self._lock:
            self._active.add(tenant.token)
        try:
            yield VisionMock(self, tenant, allow_unmatched=allow_unmatched, allow_unmet=allow_unmet)
        finally:
            self._forget(tenant)

    def _forget(self, tenant: Tenant) -> None:
        """Free what a test has left; with the last of those that run at once go the strangers too."""
        with self._lock:
            self._active.discard(tenant.token)
            last = not self._active
            if last:
                self._claimed.clear()
        self.server.world.reset(None if last else tenant)

    def unmatched(self, tenant: Tenant) -> list[JournalEntry]:
        """Requests without a route that were the customer's, or nobody's: those with a wrong key or with none."""
        strangers = [each for each in self.server.world.tenants() if each.token not in self._active]
        own = [entry for entry in tenant.journal.entries() if not entry.matched]
        stray = [(each.token, entry) for each in strangers for entry in each.journal.entries() if not entry.matched]
        return own + [entry for token, entry in stray if self._claim(token, entry.seq)]

    def explain(self, entry: JournalEntry) -> str:
        """The request, and the route that it came closest to."""
        near = nearest(self.server.app.url_map, entry.method, entry.path)
        return f"{entry.method} {printable(entry.path)} was answered {entry.status}; {near}"

    def _key(self, test: str) -> str:
        """Readable in a journal, and new for each run of a test that is run several times."""
        with self._lock:
            self._uses[test] += 1
            name = re.sub(r"[^A-Za-z0-9]+", "-", test).strip("-")
            return f"{name}-{self._uses[test]}"

    def _claim(self, token: str, seq: int) -> bool:
        """True for the first who asks: a stray request is one test's fault."""
        with self._lock:
            fresh = (token, seq) not in self._claimed
            self._claimed.add((token, seq))
            return fresh
