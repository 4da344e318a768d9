"""The document of the control interface, and the interface, held against each other."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from jsonschema import Draft202012Validator

from support.mock_command import Served
from visionbatch_mock.openapi import _CALLS, PREFIX

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection",
)  # fmt: skip


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
    assert {(method, PREFIX + path) for method, path in _CALLS} <= routes
    names = [call["operationId"] for methods in document["paths"].values() for call in methods.values()]
    assert len(names) == len(set(names))
    assert all(call["summary"] for methods in document["paths"].values() for call in methods.values())


def test_hundreds_of_made_up_calls_are_answered_as_described(tmp_path):
    with Served("--speed", "0") as served:
        program = Path(sys.executable).with_name("schemathesis")
        ran = subprocess.run(
            [
                str(program), "run", f"{served.url}{PREFIX}/openapi.json", "--phases", "coverage,fuzzing",
                "--max-examples", "10", "--seed", "1", "--no-color", "--generation-database", "none",
                "--checks", ",".join(CHECKS), "--header", "Authorization: Token made-up",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        _, errors = served.end()
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert "Traceback" not in errors


class Described:
    """Calls the interface, and holds what goes in and comes out against the document."""

    def __init__(self, tenant, document) -> None:
        self._tenant = tenant
        self._document = document
        self.called: set[tuple[str, str]] = set()

    def __call__(self, method: str, path: str, body=None, **where: str):
        self.called.add((method, path))
        call = self._document["paths"][PREFIX + path][method]
        if body is not None:
            schema = call["requestBody"]["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(body)
        answer = self._tenant.call(method.upper(), PREFIX + path.format(**where), json=body)
        told = call["responses"][str(answer.status_code)]
        if "content" not in told:
            assert answer.content == b""
            return None
        Draft202012Validator(told["content"]["application/json"]["schema"]).validate(answer.json())
        return answer.json()


def test_calls_with_everything_in_them_are_as_described(tenant, archive, document):
    call = Described(tenant, document)
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
    assert call.called == set(_CALLS)
