"""What all sensors have in common: what they skip over, and how they look."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from support.airflow_runs import PaperTi, paper_context
from support.books import GET
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

SENSORS: dict[str, dict[str, Any]] = {
    "deepomatic.DeepomaticBatchSensor": {"batch_id": "b"},
    "deepomatic_batches.DeepomaticBatchesSensor": {"batch_ids": ["b"]},
    "deepomatic_export.DeepomaticExportSensor": {"storage_uri": "gs://exports"},
}
CONFIRM_S = 1.0
UNKNOWN = "7d0f5a52-3c11-4d8f-8f5c-2f6f5f0b9a11"


def sensor(path: str, **arguments: Any) -> Any:
    module, _, name = path.rpartition(".")
    kind = getattr(import_module(f"airflow_visionbatch.sensors.{module}"), name)
    return kind(**{"task_id": "task", "timeout": 60.0, "poke_interval": 1.0, **SENSORS[path], **arguments})


@pytest.mark.parametrize("path", SENSORS)
def test_soft_fail_skips_over_no_wrong_key_where_airflow_has_no_retry_policies(connection, monkeypatch, path):
    from airflow_visionbatch import failures  # noqa: PLC0415
    from airflow_visionbatch._compat import AirflowFailException  # noqa: PLC0415
    from visionbatch.errors import NotAuthorized  # noqa: PLC0415

    monkeypatch.setattr(failures, "has_retry_policies", lambda: False)
    task = sensor(path, soft_fail=True)
    event = {"schema": 1, "failure": NotAuthorized("the key is refused").to_json()}
    with pytest.raises(AirflowFailException, match="the key is refused"):
        task.resume_execution("execute_complete", {"event": event}, paper_context())


@pytest.mark.parametrize("path", SENSORS)
@pytest.mark.parametrize("interval", [0, timedelta(0), timedelta(seconds=-1)], ids=str)
def test_a_sensor_that_would_ask_without_a_pause_is_refused(path, interval):
    with pytest.raises(ValueError, match="poke_interval"):
        sensor(path, poke_interval=interval)


def looks(tenant: Any, path: str, ref: str, started_s_ago: float) -> tuple[Any, list[float]]:
    """What a look of a sensor gives, and the moments of its requests."""
    arguments = {"batch_id": ref} if path.endswith("BatchSensor") else {"batch_ids": [ref]}
    try:
        found = sensor(path, **arguments).poke(paper_context(PaperTi(started_s_ago=started_s_ago)))
    except Exception as error:  # noqa: BLE001  # given to the test
        found = error
    return found, [entry.at for entry in tenant.journal.entries(GET)]


ON_SERVICE = [path for path in SENSORS if "Export" not in path]


@pytest.mark.parametrize("path", ON_SERVICE)
@pytest.mark.parametrize("there", [True, False], ids=["an end", "nothing there"])
def test_a_second_look_comes_a_moment_after_the_first(tenant, batch, connection, path, there):
    tenant.configure(profile="strict")
    batch.force(BatchState.SUCCESS)
    _, moments = looks(tenant, path, batch.id if there else UNKNOWN, started_s_ago=90)
    first, second = moments
    assert second - first >= CONFIRM_S


@pytest.mark.parametrize("path", ON_SERVICE)
def test_a_single_404_is_not_believed(tenant, batch, connection, path):
    tenant.configure(profile="strict")
    plan = tenant.faults.plan({"instructions": {GET: ["return-404"]}})
    found, moments = looks(tenant, path, batch.id, started_s_ago=90)
    assert not found
    assert (len(moments), plan.completed) == (2, True)
