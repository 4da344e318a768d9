"""The documents of the mock's services, and the services, held against each other."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from jsonschema import Draft202012Validator

from support.receiver import Receiver
from support.seeded import KEY, SEEDS
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.control_calls import CALLS, PREFIX
from visionbatch_mock.openapi import SERVICES, key_of
from visionbatch_mock.roboflow.control_calls import CALLS as ROBOFLOW
from visionbatch_mock.vias.control_calls import CALLS as VIAS

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection",
)  # fmt: skip
ALLOWED_500 = frozenset({"vias"})
"""Who says 500 to what is not allowed just now: the document has that answer, and no other 500."""

EXAMPLES = os.environ.get("MADE_UP_CALLS")
"""`make openapi` sets it: so many calls of chance for each operation, beside those at the borders of every schema."""

OWN_METHODS = {"HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def document(mock):
    return requests.get(f"{mock.url}{PREFIX}/openapi.json", timeout=20).json()


def described(mock, name: str) -> dict:
    return requests.get(f"{mock.url}{PREFIX}/openapi/{name}.json", timeout=20).json()


def test_every_route_is_in_one_document(mock):
    rooms = [room for service in SERVICES.values() for room in service.blueprints]
    assert len(rooms) == len(set(rooms))
    served = {rule.endpoint.partition(".")[0] for rule in mock.app.url_map.iter_rules()}
    assert served - {"dashboard"} == set(rooms)
    assert requests.get(f"{mock.url}{PREFIX}/openapi/other.json", timeout=20).status_code == 404


@pytest.mark.parametrize("name", SERVICES)
def test_every_route_is_described_and_nothing_else_is(mock, name):
    service, told = SERVICES[name], described(mock, name)
    rules = [each for each in mock.app.url_map.iter_rules() if each.endpoint.partition(".")[0] in service.blueprints]
    routes = [(rule, method.lower()) for rule in rules for method in rule.methods - OWN_METHODS]
    assert sum(len(methods) for methods in told["paths"].values()) == len(routes)
    assert {key_of(mock.app, *route, service) for route in routes} == set(service.calls)
    calls = [call for methods in told["paths"].values() for call in methods.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert all(call["summary"] for call in calls)


@pytest.mark.parametrize("name", SERVICES)
def test_hundreds_of_made_up_calls_are_answered_as_described(name, tmp_path, caplog):
    """Some seconds each: what schemathesis makes up is dear, not what the mock does with it."""
    with MockServer(MockConfig(seed=1, profile="rich")) as mock, caplog.at_level(logging.ERROR):
        inside = mock.world.tenant(KEY)
        inside.clock.freeze()
        inside.configure(error_report="json")
        ran = made_up_calls(mock, name, tmp_path)
        answered = [entry for entry in inside.journal.entries() if entry.status in range(200, 300)]
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert not caplog.records
    assert name == "control" or len({entry.operation for entry in answered}) > len(SERVICES[name].calls) // 2


def made_up_calls(mock: MockServer, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    seeds = SEEDS[name](mock)
    (folder / "schemathesis.toml").write_text(seeds.configuration(chance=EXAMPLES is not None))
    phases = "coverage,fuzzing,stateful" if EXAMPLES else "coverage"
    chance = ("--phases", phases, *(("--max-examples", EXAMPLES) if EXAMPLES else ()))
    checks = [check for check in CHECKS if name not in ALLOWED_500 or check != "not_a_server_error"]
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{mock.url}{PREFIX}/openapi/{name}.json",
            *chance, "--seed", "1", "--no-color", "--no-shrink", "--generation-database", "none",
            "--suppress-health-check", "all",
            "--checks", ",".join(checks),
            *(word for header, value in seeds.headers.items() for word in ("--header", f"{header}: {value}")),
        ],
        cwd=folder, capture_output=True, text=True, timeout=2400 if EXAMPLES else 200, check=False,
    )  # fmt: skip


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
    call("get", "/openapi/{service}.json", service="vias")
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
    assert call("post", "/batches/{batch_id}", {"stall": True}, batch_id=batch_id)["stalled"]
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
    assert call.called == {*CALLS} - {*ROBOFLOW} - {*VIAS}


def test_calls_about_roboflow_are_as_described(workspace, photos, document):
    call = Described(workspace.call, {"Authorization": f"Bearer {workspace.key}"}, document)
    workspace.shard("b", photos(3))
    assert call("get", "/roboflow/batches")[0]["shards"]
    call("post", "/roboflow/batches/{batch_id}", {"ingest": True}, batch_id="b")
    assert call("get", "/roboflow/batches/{batch_id}", batch_id="b")["count"] == 3
    with Receiver() as receiver:
        workspace.start("j", "b", notificationsURL=receiver.url)
        moved = call("post", "/roboflow/jobs/{job_id}", {"advance": True}, job_id="j")
        assert call("post", "/roboflow/jobs/{job_id}", {"stall": True}, job_id="j")["stalled"]
        workspace.inside.clock.advance(3600)
        assert call("get", "/roboflow/jobs/{job_id}", job_id="j")["state"] == moved["state"]
        call("post", "/roboflow/jobs/{job_id}", {"outcome": "success"}, job_id="j")
        call("post", "/roboflow/jobs/{job_id}", {"force": "succeeded"}, job_id="j")
        receiver.wait_for(1)
        (sent,) = call("post", "/roboflow/deliveries")
        assert call("post", "/roboflow/deliveries/{event_id}", event_id=sent["event_id"])[0]["attempts"][1:]
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
        stays = call("post", "/vias/tasks/{task_id}", {"stall": True}, task_id=task["id"])
        account.inside.clock.advance(86_400)
        assert call("get", "/vias/tasks")[0]["state"] == stays["state"]
        call("post", "/vias/tasks/{task_id}", {"advance": True}, task_id=task["id"])
        call("post", "/vias/tasks/{task_id}", {"force": "ABNORMAL"}, task_id=task["id"])
        sent = call("post", "/vias/deliveries")[0]
        where = {"way": "webhook", "message_id": sent["message_id"]}
        assert call("post", "/vias/deliveries/{way}/{message_id}", **where)[0]["attempts"][1:]
    assert call("get", "/vias/deliveries")
    call("post", "/vias/tokens/revoke")
    assert call.called == set(VIAS)
