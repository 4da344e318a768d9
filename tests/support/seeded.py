"""A mock with one thing of each kind in it, so that calls with made-up values get somewhere."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from PIL import Image

from support.huawei import Account
from support.roboflow_wire import JOBS, STAGING, Workspace
from visionbatch_mock import MockServer

KEY = "made-up"
TOKEN, BEARER = {"Authorization": f"Token {KEY}"}, {"Authorization": f"Bearer {KEY}"}
DEADLINE_S = 20


@dataclass(frozen=True)
class Seeds:
    """The headers that open a service, and by the names of parameters what is there; `only` is for one method."""

    headers: Mapping[str, str]
    known: Mapping[str, list[str]]
    only: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)

    def configuration(self, *, chance: bool) -> str:
        """As schemathesis reads it: these parameters have their first known value, or by chance any, known or not.

        Nothing known is deleted: what comes after has to find it.
        """
        lines = ["[phases.coverage]", "unexpected-methods = []"]
        for method in ("GET", "POST", "PUT", "PATCH"):
            known = {**self.known, **self.only.get(method, {})}
            if chance:
                lines += [f"[dictionaries.{method}-{name}]\nvalues = {json.dumps(of)}" for name, of in known.items()]
            lines += ["[[operations]]", f'include-method = "{method}"', "[operations.parameters]"]
            lines += [f"{name} = {_bound(method, name, of, chance=chance)}" for name, of in known.items()]
        return "\n".join(lines)


def _bound(method: str, name: str, values: list[str], *, chance: bool) -> str:
    return f'{{ dictionary = "{method}-{name}", probability = 0.8 }}' if chance else json.dumps(values[0])


def photo() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (32, 24), (90, 90, 90)).save(held, "JPEG")
    return held.getvalue()


def deepomatic(mock: MockServer) -> Seeds:
    inside, api = mock.world.tenant(KEY), _caller(mock, TOKEN)
    batch = api("POST", "/v0.2/batches").json()
    requests.put(batch["upload_url"], data=b"no archive", timeout=DEADLINE_S)
    inside.clock.advance(3600)
    order_id = api("POST", "/v0.2/work-orders", json={"name": "WO_1"}).json()["id"]
    shown = f"data:image/jpeg;base64,{base64.b64encode(photo()).decode()}"
    inputs = [
        {"name": "image_input", "data": {"type": "image", "value": shown}},
        {"name": "context", "data": {"value": "cabinet"}},
    ]
    (task,) = api("POST", f"/v0.2/work-orders/{order_id}/analyze", json={"inputs": inputs}).json()["tasks"]
    batches = [batch["batch_id"], inside.batches.create(None).id]
    return Seeds(TOKEN, {"batch_id": batches, "order_id": [order_id], "task_id": [task["id"]]})


def storage(mock: MockServer) -> Seeds:
    inside, api = mock.world.tenant(KEY), _caller(mock, BEARER)
    inside.store("seeded", "a/b.txt", [b"content"])
    begun = api("POST", "/upload/storage/v1/b/seeded/o?uploadType=resumable&name=new", json={})
    upload_id = parse_qs(urlsplit(begun.headers["Location"]).query)["upload_id"]
    inside.exports.create(connector_type="email", emails=["a@example.com"]).run()
    link = [inside.exports.mails[0].link.token]
    known = {"bucket": ["seeded"], "to_bucket": ["seeded"], "name": ["a/b.txt"], "to_name": ["copy"], "link": link}
    return Seeds(BEARER, known, {"PUT": {"upload_id": upload_id}})


def roboflow(mock: MockServer) -> Seeds:
    space = Workspace(mock, KEY)
    space.upload("staged", "p.jpg", photo())
    signed = space.sign("shards")
    space.start("job", "staged")
    space.control("POST", "jobs/job", {"force": "succeeded"})
    stages = space.get(f"{JOBS}/job/stages").json()["stages"]
    link = space.get(f"{STAGING}/staged/list").json()["filesMetadata"][0]["downloadURL"]
    space.http.close()
    jobs = {"job_id": ["job"], "stage_id": [stage["processingStageId"] for stage in stages]}
    read = {"batch_id": ["staged", "shards", "job-processing"], **_link(link)}
    return Seeds({**BEARER, **signed["extensionHeaders"]}, jobs, {"GET": read, "PUT": _link(signed["uploadURL"])})


def _link(url: str) -> dict[str, list[str]]:
    parts = urlsplit(url)
    return {"link": [parts.path.rpartition("/")[2]], "X-Mock-Signature": parse_qs(parts.query)["X-Mock-Signature"]}


def vias(mock: MockServer) -> Seeds:
    account = Account(mock, KEY)
    group, sources = account.group("cam-a", "cam-b")
    batch_id = account.ok("POST", "/batch-tasks", account.request(group, sources))["id"]
    places = account.inside.vias.places
    (service,) = places.services.values()
    token = account.token()
    account.http.close()
    return Seeds(
        {**TOKEN, "X-Auth-Token": token},
        {
            "batch_id": [batch_id],
            "task_id": [task.id for task in account.inside.vias.tasks()],
            "group_id": [group],
            "source_id": sources,
            "service_id": [service.id],
            "alg_id": [service.algorithm_id],
            "pool_id": [places.add_pool("pool", ("node",)).id],
            "service_name": ["fire"],
        },
    )


def control(mock: MockServer) -> Seeds:
    inside, api = mock.world.tenant(KEY), _caller(mock, TOKEN)
    batches, jobs, tasks = deepomatic(mock).known, roboflow(mock), vias(mock).known
    plan = inside.faults.plan({"preset": "UP6"}).id
    google = {"instructions": {"storage.objects.get": ["return-503"]}}
    export = inside.exports.create(connector_type="email", emails=["a@example.com"])
    export.run()
    known = {
        "batch_id": [*batches["batch_id"], *jobs.only["GET"]["batch_id"]],
        "job_id": jobs.known["job_id"],
        "task_id": tasks["task_id"],
        "plan_id": [plan, api("POST", "/retry_test", json=google).json()["id"]],
        "export_id": [export.id],
        "token": [inside.exports.mails[0].link.token],
        "snapshot_id": [api("POST", "/_control/snapshots").json()["id"]],
        "service": ["deepomatic", "vias"],
        "act": ["expire", "terminate"],
    }
    return Seeds(TOKEN, known)


SEEDS: Mapping[str, Callable[[MockServer], Seeds]] = {
    "control": control,
    "deepomatic": deepomatic,
    "roboflow": roboflow,
    "storage": storage,
    "vias": vias,
}
"""By the names of the documents."""


def _caller(mock: MockServer, headers: Mapping[str, str]) -> Callable[..., requests.Response]:
    def call(method: str, path: str, **options: Any) -> requests.Response:
        answer = requests.request(method, mock.url + path, headers=headers, timeout=DEADLINE_S, **options)
        answer.raise_for_status()
        return answer

    return call
