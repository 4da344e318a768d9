"""A workspace of its own for each test, and folders of photos to fill batches from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clients import Clients
from support.clocks import TenantClock
from support.orders import photo
from support.runs import MemoryStore
from support.silence import Silence
from visionbatch import Secret, TransferSettings, Tuning
from visionbatch.flow.retry import RetryPolicy
from visionbatch.model.run import RunStore
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.pipelines.roboflow_stage import RoboflowStageRun
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch.roboflow.stage_settings import StageSettings
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

PUT, SIGN = "roboflow.files.put", "roboflow.shards.sign"


class Workspace(Clients):
    """Makes clients of this test's workspace, and reads its ledger; each client is closed at the end."""

    def __init__(self, mock: MockServer, tenant: Tenant, clock: TenantClock) -> None:
        super().__init__(mock, tenant, clock)
        self.inside = False

    def client(self, *, patience: int = 6, **transfer: Any) -> Roboflow:
        hosts = {"upload_hosts": (self.url,), "download_hosts": (self.url,)}
        settings = RoboflowSettings(self.url, allow_inside=self.inside, **hosts)
        client = Roboflow(
            settings,
            lambda: roboflow_key(Secret(self.tenant.token)),
            tuning=Tuning(RetryPolicy(attempts=patience), transfer=TransferSettings(**transfer)),
            clock=self.clock,
        )
        return self._kept(client)

    def run(
        self,
        store: RunStore | None = None,
        *,
        transfer: dict[str, Any] | None = None,
        sink: Any = None,
        **settings: Any,
    ) -> RoboflowStageRun:
        client = self.client(**(transfer or {}))
        return RoboflowStageRun(client, store or MemoryStore(), StageSettings(**settings), sink=sink, identity="a run")

    def effects(self, effect: str) -> list[Any]:
        return self.tenant.ledger.entries(f"roboflow.{effect}")

    def requests(self, operation: str = "") -> list[Any]:
        return self.tenant.journal.entries(operation) if operation else self.tenant.journal.entries()

    def indexed(self) -> Counter[str]:
        """What came of every shard, once all are indexed."""
        self.tenant.clock.advance(60)
        room = self.tenant.roboflow
        with room.lock:
            room.settle()
        ends: Counter[str] = Counter()
        for entry in self.effects("shard_ingested"):
            ends["ok"] += entry["ok"]
            ends["rejected"] += entry["rejected"]
        return ends

    def names(self, batch_id: str) -> list[str]:
        room = self.tenant.roboflow
        with room.lock:
            room.settle()
            return sorted(file.name for file in room.staging.get(batch_id).files())


@pytest.fixture
def workspace(mock: MockServer, tenant: Tenant, clock: TenantClock) -> Iterator[Workspace]:
    with Workspace(mock, tenant, clock) as made:
        yield made


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Path]:
    """A folder with so many photos, no two alike."""

    def made(count: int, folder: str = "photos") -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (place / f"{number:04}.jpg").write_bytes(photo(number, 60))
        return place

    return made


@pytest.fixture(autouse=True)
def signed_addresses_stay_secret(silence: Silence, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test here lets out, no signed address is in it."""
    grants = workspace.tenant.roboflow.staging.grants
    add = grants._add

    def guarded(grant: Any) -> Any:
        silence.guard(grant.signature)
        return add(grant)

    monkeypatch.setattr(grants, "_add", guarded)
