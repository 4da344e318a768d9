"""Junk in one place of a body that is good: refused, or taken, but never a failure of the mock."""

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from support.huawei import Account
from support.roboflow_wire import JOBS, STAGING, definition
from support.seeded import BEARER, KEY, TOKEN
from visionbatch_mock import MockServer
from visionbatch_mock.vias.codes import Code

JUNK = (
    None, True, 0, -1, 2**70, 1e308, float("inf"), float("nan"), "", "x", "a\r\nb: c", "\ud800", "\0", "http://[",
    "9" * 5000, [], [None], [[]], [{}], ["\ud800"], {}, {"a": 1}, {"a": []},
)  # fmt: skip
"""Values at the borders of what JSON can write, half characters and what Python adds to it included."""

GOOD: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "a work order": ("POST", "/v0.2/work-orders", {"name": "WO", "metadata": {"a": 1}, "tags": ["t"]}),
    "a batch": ("POST", "/v0.2/batches", {"filename": "a.zip"}),
    "a bucket": ("POST", "/storage/v1/b", {"name": "made"}),
    "an upload": (
        "POST", "/upload/storage/v1/b/seeded/o?uploadType=resumable",
        {"name": "o", "contentType": "text/plain", "metadata": {"a": "b"}, "md5Hash": "x", "crc32c": "y"},
    ),
    "a description": (
        "PATCH", "/storage/v1/b/seeded/o/a",
        {"contentType": "text/plain", "contentDisposition": "inline", "metadata": {"a": "b"}},
    ),
    "references": (
        "POST", f"{STAGING}/referred/bulk-upload/image-references",
        {
            "imageReferences": [{"name": "a.jpg", "url": "https://a.example/a.jpg"}], "ingestId": "i",
            "notificationsURL": "http://127.0.0.1:9/", "notificationCategories": ["ingest-status"],
        },
    ),
    "a list of references": (
        "POST", f"{STAGING}/listed/bulk-upload/image-references", {"imageReferencesURL": "https://a.example/"}
    ),
    "a query": ("POST", f"{STAGING}/asked/roboql-ingest", {"query": "q", "displayName": "d", "ingestId": "i"}),
    "a job": (
        "POST", f"{JOBS}/made",
        definition(
            "staged", notificationsURL="http://127.0.0.1:9/", maxImageFailureRate=0.5, maxParallelTasks=2,
            specification={"workflowParameters": {}, "imagesOutputsToBePersisted": ["a"], "aggregationFormat": "csv"},
        ),
    ),
    "an export": (
        "POST", "/_control/exports",
        {"connector_type": "email", "emails": ["a@example.com"], "interval": "monthly", "start": 1.9e9},
    ),
    "an export to a bucket": ("POST", "/_control/exports", {"storage_uri": "gs://to/there", "export_images": True}),
    "a run": ("POST", "/_control/exports/EXPORT/run", {"since": 0}),
    "a seed": (
        "POST", "/_control/exports/EXPORT/seed",
        {
            "generate": {"count": 2, "seed": 1, "days": 2, "first_day": 1e9, "oddities": ["absent"], "every": 1},
            "records": [{"id": "1", "name": "n", "work_items": [{"id": "2", "name": "w", "input": [{"id": "3"}]}]}],
            "lines": ["{}"],
        },
    ),
    "a fault": (
        "POST", "/_control/faults",
        {"instructions": {"iam.projects.list": [{"fault": "return-503", "retry_after": 1, "ttl": 1}]}, "seed": 1},
    ),
    "a retry test": (
        "POST", "/retry_test", {"instructions": {"storage.objects.get": ["return-503"]}, "transport": "HTTP"}
    ),
    "the clock": ("POST", "/_control/clock", {"advance": 1, "set": 1.7e9, "speed": 1, "freeze": True}),
    "a group of VIAS": ("POST", "/_control/vias/groups", {"name": "g", "sources": [{"name": "s", "type": "obs"}]}),
    "a service of VIAS": ("POST", "/_control/vias/services", {"api": "a", "title": "t", "output_types": ["OBS"]}),
}  # fmt: skip


def spoiled(good: Any) -> Iterator[Any]:
    """Copies of a value, each with junk in one place of it, the whole included."""
    yield from JUNK
    for key in [*good] if isinstance(good, dict) else range(len(good)) if isinstance(good, list) else []:
        for bad in spoiled(good[key]):
            told = copy.copy(good)
            told[key] = bad
            yield told


@pytest.fixture
def failures(caplog) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.ERROR)
    return caplog


@pytest.fixture
def served() -> Iterator[MockServer]:
    """A mock with a few things in it. Junk may break it, so that each test has one of its own."""
    with MockServer() as mock:
        inside = mock.world.tenant(KEY)
        inside.clock.freeze()
        inside.configure(roboflow_trusted_hosts=None)
        inside.store("seeded", "a", [b"content"])
        yield mock


def send(mock: MockServer, method: str, path: str, body: Any, headers: Mapping[str, str]) -> None:
    answer = mock.app.test_client().open(
        path, method=method, data=json.dumps(body), content_type="application/json", headers=headers
    )
    told = answer.get_json(silent=True)
    not_allowed = isinstance(told, dict) and told.get("error_code") == Code.NOT_ALLOWED
    assert answer.status_code < 500 or not_allowed, (path, body, answer.data)


SETTLED = ("/_control/settings", "/_control/exports", "/storage/v1/b", JOBS)
SHOWN = (
    *SETTLED, STAGING, "/_control/ledger", "/_control/roboflow/batches", "/_control/vias/tasks", "/_control/journal",
    "/v0.2/task-groups", "/storage/v1/b/seeded/o", "/storage/v1/b/seeded/o/a?alt=media", "/_dashboard/webhooks",
)  # fmt: skip


def look_around(mock: MockServer, headers: Mapping[str, str], *paths: str) -> None:
    """What was taken has to be shown, and must not fail when the clock makes it due."""
    client = mock.app.test_client()
    mock.world.tenant(KEY).clock.set(2e9)
    for path in paths or SHOWN:
        answer = client.get(path, headers=headers)
        assert answer.status_code < 500, (path, answer.data)


@pytest.mark.parametrize("what", GOOD)
def test_junk_in_a_body_is_no_failure_of_the_mock(what, served, failures):
    method, path, good = GOOD[what]
    export = served.world.tenant(KEY).exports.create(connector_type="email", emails=["a@example.com"])
    headers = BEARER if "/storage/" in path or "external" in path else TOKEN
    for body in [good, *spoiled(good)]:
        send(served, method, path.replace("EXPORT", export.id), body, headers)
    look_around(served, BEARER)
    assert not failures.records


def test_junk_in_a_setting_is_no_failure_of_the_mock(served, failures):
    names = served.world.tenant(KEY).behaviour.as_json()
    for name in names:
        for value in JUNK:
            send(served, "PATCH", "/_control/settings", {name: value}, TOKEN)
        look_around(served, BEARER, *SETTLED)
        served.world.reset()
    assert not failures.records


def test_junk_in_a_body_is_no_failure_of_vias(served, failures):
    account = Account(served, KEY)
    group, sources = account.group("cam-a")
    good = account.request(
        group, sources, description="d", config={"common": {}}, is_saved_as_template=False,
        schedule={
            "type": "weekly", "timezone": "+01:00", "days_of_week": [1],
            "periods": [[{"begin_at": "01:00:00", "end_at": "02:00:00"}]],
        },
        output={
            "obs": {"bucket": "bucket", "path": "a/b"},
            "webhook": {"url": "http://127.0.0.1:9/", "headers": {"a": "b"}},
        },
    )  # fmt: skip
    headers = {**TOKEN, "X-Auth-Token": account.token()}
    account.http.close()
    bodies = {
        f"/v2/{account.project}/batch-tasks": good,
        f"/v2/{account.project}/services/fire/tasks": {
            **good, "input": {"type": "video_source", "data": [{"video_source_id": sources[0]}]}
        },
        f"/v2/{account.project}/source": {
            "video_source_name": "n", "type": "obs", "access_type": "cloud", "type_config": "c",
            "latitude": "1.5", "tag": ["t"], "video_group_ids": [group],
        },
        f"/v2/{account.project}/video-group": {
            "video_group_name": "n", "access_type": "cloud", "description": "d", "video_source_ids": sources
        },
        f"/v2/{account.project}/edge-pools": {"name": "pool", "node_ids": ["node"]},
        "/v3/auth/tokens": {
            "auth": {"identity": {"password": {"user": {"name": KEY, "password": "password"}}}, "scope": {}}
        },
    }  # fmt: skip
    for path, body in bodies.items():
        for bad in spoiled(body):
            send(served, "POST", path, bad, headers)
    look_around(served, headers)
    assert not failures.records
