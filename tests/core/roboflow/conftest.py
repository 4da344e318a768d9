"""A client of this test's workspace, and batches in it to run jobs over."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from PIL import Image

from support.clients import Clients
from support.clocks import TenantClock
from visionbatch import JobDefinition, JobKind, Roboflow, RoboflowSettings, Secret, Tuning, roboflow_key
from visionbatch.flow.effects import Body
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant


class Workspace(Clients):
    """Makes clients of this test's workspace; each is closed at the end."""

    def settings(self, **changes: Any) -> RoboflowSettings:
        hosts = {"upload_hosts": (self.url,), "download_hosts": (self.url,)}
        return RoboflowSettings(**{"base_url": self.url, **hosts, **changes})

    def __call__(
        self,
        *,
        credentials: Callable[[], Mapping[str, Secret]] | None = None,
        tuning: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Roboflow:
        settings = self.settings(**changes)
        key = credentials or (lambda: roboflow_key(Secret(self.tenant.token), settings.key_in))
        return self._kept(Roboflow(settings, key, tuning=Tuning(**(tuning or {})), clock=self.clock))


@pytest.fixture
def workspace(mock: MockServer, tenant: Tenant, clock: TenantClock) -> Iterator[Workspace]:
    with Workspace(mock, tenant, clock) as factory:
        yield factory


@pytest.fixture(scope="session")
def photo() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (8, 8), "gray").save(held, "JPEG")
    return held.getvalue()


@pytest.fixture
def stage(workspace: Workspace, photo: bytes) -> Callable[..., JobDefinition]:
    """Puts photos into a simple batch, one at a time, and gives a job over it."""

    def stage(batch_id: str = "photos", count: int = 4, **more: Any) -> JobDefinition:
        client = workspace()
        for number in range(count):
            client.perform(client.api.staging.put_image(batch_id, f"{number}.jpg", form_of(f"{number}.jpg", photo)))
        return JobDefinition(kind=JobKind.IMAGES, batch_id=batch_id, workflow_id="inspect", **more)

    return stage


def form_of(name: str, content: bytes) -> Body:
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return Body(head + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge")


@pytest.fixture
def refer(workspace: Workspace, tenant: Tenant) -> Callable[..., int]:
    """Has references ingested into a sharded batch, one request for each shard; gives the number of items."""
    tenant.configure(roboflow_trusted_hosts=None)

    def refer(batch_id: str, *sizes: int) -> int:
        client = workspace()
        for shard, size in enumerate(sizes):
            names = [f"s{shard}-{number}.jpg" for number in range(size)]
            references = [{"name": name, "url": f"https://photos.example/{name}"} for name in names]
            body = {"imageReferences": references, "ingestId": f"i-{shard}"}
            client.perform(client.api.staging.ingest_images(batch_id, body))
        return sum(sizes)

    return refer
