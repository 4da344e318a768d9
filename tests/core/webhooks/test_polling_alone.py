"""Waiting without the help of any webhook: it was lost, or never could arrive."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from core.vias.bodies import batch_task
from support.books import Books
from support.clocks import TenantClock
from support.orders import photo
from visionbatch import Phase, Secret, SecretUrl
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.pipelines.vias import Vias
from visionbatch.roboflow.job import JobDefinition, JobKind
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch.vias.outputs import Outputs, WebhookOutput
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.signing import AccessKey
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

WORKSPACE = "mock-workspace"
DELIVERED = "roboflow.webhook_delivered"


@pytest.fixture
def roboflow(mock: MockServer, tenant: Tenant, clock: TenantClock) -> Iterator[Roboflow]:
    settings = RoboflowSettings(mock.url, WORKSPACE, allow_inside=True)
    with Roboflow(settings, lambda: roboflow_key(Secret(tenant.token)), clock=clock) as client:
        yield client


@pytest.fixture
def batch(mock: MockServer, tenant: Tenant) -> str:
    """A staged batch of one image."""
    answer = requests.post(
        f"{mock.url}/data-staging/v1/external/{WORKSPACE}/batches/b-1/upload/image",
        params={"fileName": "a.jpg"},
        headers={"Authorization": f"Bearer {tenant.token}"},
        files={"file": photo(1)},
        timeout=30,
    )
    answer.raise_for_status()
    return "b-1"


def nobody_listens(service: str) -> str:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/visionbatch/hooks/{service}/it/{'s' * 32}"


@pytest.mark.fault("WH4")
def test_a_job_whose_notification_never_arrives_is_waited_for_to_its_end(roboflow, batch, tenant):
    definition = JobDefinition(
        kind=JobKind.IMAGES,
        batch_id=batch,
        workflow_id="any",
        notifications_url=SecretUrl(nobody_listens("roboflow")),
    )
    roboflow.perform(roboflow.api.jobs.create("night-1", definition))
    ended = roboflow.wait("night-1", deadline=roboflow.clock.now() + 3600)
    assert ended.phase is Phase.SUCCEEDED
    tenant.clock.advance(600)
    tenant.roboflow.deliver()
    attempts = Books(tenant).effects(DELIVERED)
    assert attempts, "it was tried"
    assert {attempt["status"] for attempt in attempts} == {None}, "and never arrived"


def test_a_batch_task_whose_events_never_arrive_is_waited_for_to_its_end(mock, tenant, clock):
    tenant.configure(vias_open_sources=True)
    settings = ViasSettings(base_url=mock.url, iam_url=mock.url)
    outputs = Outputs(webhook=WebhookOutput(nobody_listens("huawei_vias"), {"from": "yard"}, allow_inside=True))
    with Vias(settings, lambda: AccessKey(tenant.token, Secret("secret")), clock=clock) as vias:
        made = vias.create(batch_task(outputs=outputs))
        ended = vias.wait(made.batch_id, deadline=clock.now() + 3600)
    assert ended.phase is Phase.SUCCEEDED
    tenant.clock.advance(600)
    tenant.vias.deliver()
    attempts = Books(tenant).effects("vias.webhook_delivered")
    assert attempts, "it was tried"
    assert {attempt["status"] for attempt in attempts} == {None}, "and never arrived"
