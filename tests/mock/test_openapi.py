"""The document of the control interface, and the interface, held against each other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from jsonschema import Draft202012Validator

from support.receiver import Receiver
from support.served import Served
from visionbatch_mock.openapi import CALLS, PREFIX
from visionbatch_mock.roboflow.control_calls import CALLS as ROBOFLOW
from visionbatch_mock.vias.control_calls import CALLS as VIAS

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection",
)  # fmt: skip

EXAMPLES = os.environ.get("MADE_UP_CALLS")
"""`make openapi` sets it: so many calls of chance for each operation, beside those at the borders of every schema."""


@pytest.fixture(scope="module")
def document(mock):
    return requests.get(f"{mock.url}{PREFIX}/openapi.json", timeout=20).json()


def test_every_control_route_is_described_and_nothing_else_is(mock, document):
    routes = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in mock.app.url_map.iter_rules()
        if rule.rule.startswith(f"{PREFIX}/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == routes
    assert {(method, PREFIX + path) for method, path in CALLS} == routes
    names = [call["operationId"] for methods in document["paths"].values() for call in methods.values()]
    assert len(names) == len(set(names))
    assert all(call["summary"] for methods in document["paths"].values() for call in methods.values())


def test_hundreds_of_made_up_calls_are_answered_as_described(tmp_path):
    chance = ("--phases", "coverage,fuzzing", "--max-examples", EXAMPLES) if EXAMPLES else ("--phases", "coverage")
    with Served("--speed", "0") as served:
        program = Path(sys.executable).with_name("schemathesis")
        ran = subprocess.run(
            [
                str(program), "run", f"{served.url}{PREFIX}/openapi.json", *chance, "--seed", "1", "--no-color",
                "--no-shrink", "--generation-database", "none",
                "--checks", ",".join(CHECKS), "--header", "Authorization: Token made-up",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=1200 if EXAMPLES else 200, check=False,
        )  # fmt: skip
        _, errors = served.end()
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert "Traceback" not in errors


class Described:
    """Calls the interface, and holds what goes in and comes out against the document."""

    def __init__(self, send, headers, document) -> None:
        self._send = send
        self._headers = headers
        self._document = document
        self.called: set[tuple[str, str]] = set()

    def __call__(self, method: str, path: str, body=None, *, query=None, data=None, **where: str):
        self.called.add((method, path))
        call = self._document["paths"][PREFIX + path][method]
        if body is not None:
            schema = call["requestBody"]["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(body)
        answer = self._send(
            method.upper(), PREFIX + path.format(**where), json=body, params=query, data=data, headers=self._headers
        )
        told = call["responses"][str(answer.status_code)]
        if "content" not in told:
            assert answer.content == b""
            return None
        Draft202012Validator(told["content"]["application/json"]["schema"]).validate(answer.json())
        return answer.json()


def test_calls_with_everything_in_them_are_as_described(tenant, archive, document):
    call = Described(tenant.call, {}, document)
    call("get", "/health")
    call("get", "/openapi.json")
    call("get", "/clock")
    call("post", "/clock", {"freeze": True, "advance": 2, "speed": 0.5})
    call("patch", "/settings", {"profile": "rich", "analysis_failures": {"WO_1": "blurred"}})
    call("get", "/settings")
    plan = call(
        "post", "/faults", {"instructions": {"deepomatic.batches.get": [{"fault": "return-503", "retry_after": 1}]}}
    )
    call("get", "/faults/presets")
    call("post", "/faults", {"preset": "UP6"})
    batch_id, upload = tenant.new_batch()
    with pytest.raises(requests.ConnectionError):
        upload.put(body=archive)
    tenant.get(f"/v0.2/batches/{batch_id}")
    tenant.get("/v0.2/batch")
    assert call("get", "/faults")[0]["completed"]
    call("get", "/faults/{plan_id}", plan_id=plan["id"])
    assert call("get", "/journal")[-1]["nearest"]
    call("post", "/batches/{batch_id}", {"advance": True}, batch_id=batch_id)
    call("post", "/batches/{batch_id}", {"force": "error"}, batch_id=batch_id)
    assert call("get", "/batches/{batch_id}", batch_id=batch_id)["errors"]
    assert call("get", "/ledger")
    made = call("post", "/batches", {"filename": None})["batch_id"]
    call("post", "/sessions/{batch_id}/{act}", batch_id=made, act="expire")
    snapshot = call("post", "/snapshots")["id"]
    call("get", "/snapshots")
    call("post", "/snapshots/{snapshot_id}/restore", snapshot_id=snapshot)
    call("delete", "/snapshots/{snapshot_id}", snapshot_id=snapshot)
    export = call("post", "/exports", {"connector_type": "email", "emails": ["a@example.com"], "interval": "daily"})[
        "id"
    ]
    call("post", "/exports/{export_id}/seed", {"generate": {"count": 2}}, export_id=export)
    call("post", "/exports/{export_id}/run", {"since": 0}, export_id=export)
    call("get", "/exports")
    call("get", "/exports/{export_id}", export_id=export)
    (mail,) = call("get", "/mails")
    link = mail["link"].rpartition("/")[2]
    call("post", "/links/{token}/renew", token=link)
    call("post", "/links/{token}/expire", token=link)
    call("delete", "/exports/{export_id}", export_id=export)
    call("post", "/buckets", {"name": f"bucket-of-{tenant.token}"})
    call("delete", "/faults/{plan_id}", plan_id=plan["id"])
    call("post", "/reset", {"all": False})
    call("post", "/tokens/revoke", {"token": tenant.token})
    assert call.called == set(CALLS) - set(ROBOFLOW) - set(VIAS)


def test_calls_about_roboflow_are_as_described(workspace, photos, document):
    call = Described(workspace.call, {"Authorization": f"Bearer {workspace.key}"}, document)
    workspace.shard("b", photos(3))
    assert call("get", "/roboflow/batches")[0]["shards"]
    call("post", "/roboflow/batches/{batch_id}", {"ingest": True}, batch_id="b")
    assert call("get", "/roboflow/batches/{batch_id}", batch_id="b")["count"] == 3
    with Receiver() as receiver:
        workspace.start("j", "b", notificationsURL=receiver.url)
        call("post", "/roboflow/jobs/{job_id}", {"advance": True}, job_id="j")
        call("post", "/roboflow/jobs/{job_id}", {"outcome": "success"}, job_id="j")
        call("post", "/roboflow/jobs/{job_id}", {"force": "succeeded"}, job_id="j")
        receiver.wait_for(1)
        assert call("post", "/roboflow/deliveries")[0]["attempts"]
    assert call("get", "/roboflow/jobs/{job_id}", job_id="j")["stages"]
    assert call("get", "/roboflow/deliveries")
    named = {"fileName": "../odd.tar", "partName": "extra"}
    made = call("put", "/roboflow/batches/{batch_id}/files", query=named, data=b"content", batch_id="planted")
    assert made["parts"] == {"extra": ["../odd.tar"]}
    call("post", "/roboflow/links/expire", {"method": "PUT"})
    call("post", "/roboflow/batches/{batch_id}", {"expire": True}, batch_id="b")
    assert call.called == set(ROBOFLOW)


def test_calls_about_vias_are_as_described(account, document):
    call = Described(account.at, {"Authorization": f"Bearer {account.key}"}, document)
    assert call("get", "/vias/project") == {"id": account.project}
    made = call("post", "/vias/groups", {"name": "yard", "sources": [{"name": "cam-a"}, {"name": "b", "type": "url"}]})
    call("post", "/vias/services", {"api": "fire", "version": "1.0", "output_types": ["Webhook"]})
    with Receiver() as receiver:
        output = {"webhook": {"url": receiver.url, "headers": {"x-key": "k"}}}
        request = account.request(made["video_group_id"], made["video_source_ids"], output=output)
        batch_id = account.ok("POST", "/batch-tasks", request)["id"]
        task, _ = call("get", "/vias/tasks", query={"batch_id": batch_id})
        call("post", "/vias/tasks/{task_id}", {"find": True}, task_id=task["id"])
        receiver.wait_for(1)
        call("post", "/vias/tasks/{task_id}", {"force": "ABNORMAL"}, task_id=task["id"])
        assert call("post", "/vias/deliveries")[0]["attempts"]
    assert call("get", "/vias/deliveries")
    call("post", "/vias/tokens/revoke")
    assert call.called == set(VIAS)
