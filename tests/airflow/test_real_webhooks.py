"""The receiver inside a real API server, found there as a plugin of the provider: what it serves, and what it logs."""

from __future__ import annotations

import json
import secrets
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from support.airflow_stack import AirflowStack

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(600)]

SECRET = secrets.token_urlsafe(32)
DAGS = """
    from airflow.sdk import DAG, task

    from airflow_visionbatch.receiver.assets import hook_asset

    with DAG("woken", schedule=[hook_asset("roboflow", "rf")], is_paused_upon_creation=False):

        @task
        def look(triggering_asset_events):
            return [event.extra["ref"] for events in triggering_asset_events.values() for event in events]

        look()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    home = tmp_path_factory.mktemp("stack")
    (home / "dags").mkdir()
    (home / "dags" / "woken.py").write_text(textwrap.dedent(DAGS))
    connections: dict[str, dict[str, Any]] = {
        "rf": {"conn_type": "roboflow", "extra": {"webhook_secret": SECRET}},
        "edge": {
            "conn_type": "huawei_vias",
            "extra": {"webhook_secret": SECRET, "webhook_folder": str(home / "landed")},
        },
    }
    with AirflowStack(home / "airflow", home / "dags", connections=connections) as running:
        yield running


def post(stack: AirflowStack, path: str, body: Any) -> requests.Response:
    return requests.post(f"{stack.url}/visionbatch/hooks/{path}", json=body, timeout=60)


def test_a_notification_starts_the_dag_that_is_scheduled_on_it(stack: AirflowStack) -> None:
    stack.wait_for(lambda: stack.rows("select 1 from asset"), "the asset to be known", 90)
    body = {
        "type": "roboflow-batch-job-notification-v1",
        "event_id": str(uuid.uuid4()),
        "job_id": "night-1",
        "job_state": "success",
        "delivery_attempt": 1,
    }
    answers = [post(stack, f"roboflow/rf/{SECRET}", body) for _ in range(3)]
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [
        (200, "taken"),
        (200, "seen"),
        (200, "seen"),
    ]
    ((run_id,),) = stack.wait_for(lambda: stack.rows("select run_id from dag_run where dag_id = 'woken'"), "a run", 120)
    assert stack.wait_run("woken", run_id) == "success"
    assert stack.xcom("woken", run_id, "look") == ["night-1"]


def test_a_connection_made_in_the_ui_has_an_address_too(stack: AirflowStack) -> None:
    secret = secrets.token_urlsafe(32)
    assert post(stack, f"roboflow/late/{secret}", {}).status_code == 404
    stack.connect("later", conn_type="roboflow", extra=json.dumps({"webhook_secret": secret}))
    assert post(stack, f"roboflow/later/{secret}", {"type": "none-of-ours"}).json() == {"detail": "ignored"}
    stack.guarded = [secret]  # type: ignore[attr-defined]  # looked for below


def test_results_are_landed_by_the_api_server(stack: AirflowStack) -> None:
    message = str(uuid.uuid4()).upper()
    event = {"event_type": 1, "task_id": "task-a", "timestamp": 1, "message_id": message, "data": {}}
    assert post(stack, f"huawei_vias/edge/{SECRET}", event).status_code == 200
    landed: Path = stack.home.parent / "landed" / "task-a" / f"{message}.jsonl"
    assert json.loads(landed.read_bytes()) == event


def test_without_the_secret_nothing_is_there(stack: AirflowStack) -> None:
    assert post(stack, "roboflow/rf/wrong", {}).status_code == 404
    assert requests.get(f"{stack.url}/visionbatch/hooks/roboflow/rf/{SECRET}", timeout=60).status_code == 405
    assert requests.get(f"{stack.url}/visionbatch/hooks/openapi.json", timeout=60).status_code == 404


def test_the_secret_is_in_no_log(stack: AirflowStack) -> None:
    """Runs last: what the others did was written down."""
    logs = {path: path.read_text(errors="replace") for path in stack.logs.glob("*.log")}
    served = logs[stack.logs / "api-server.log"]
    assert "/visionbatch/hooks/roboflow/rf/hidden" in served, "the access log has the request"
    for secret in (SECRET, *getattr(stack, "guarded", [])):
        assert not [path for path, text in logs.items() if secret in text]
