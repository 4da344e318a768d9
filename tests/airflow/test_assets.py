"""Batches as assets: their addresses, and what their events carry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.moved import runtime_providers
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]


def asset(uri: str, **arguments: Any) -> Any:
    from airflow.sdk import Asset  # noqa: PLC0415

    return Asset(uri=uri, **arguments)


def test_airflow_finds_handler_factory_and_converter():
    from airflow_visionbatch import assets  # noqa: PLC0415

    manager = runtime_providers()
    assert manager.asset_uri_handlers["deepomatic"] is assets.sanitize_uri
    assert manager.asset_factories["deepomatic"] is assets.create_asset
    assert manager.asset_to_openlineage_converters["deepomatic"] is assets.convert_asset_to_openlineage


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("deepomatic://site/5f1c7a52", "deepomatic://site/5f1c7a52"),
        ("DEEPOMATIC://site/5f1c7a52/", "deepomatic://site/5f1c7a52"),
        ("deepomatic://site/yesterday's%20work", "deepomatic://site/yesterday%27s%20work"),
        ("deepomatic://site/a/b", "deepomatic://site/a%2Fb"),
        ("deepomatic://site/label?token=secret#x", "deepomatic://site/label"),
    ],
)
def test_an_address_has_one_form(written, kept):
    assert asset(written).uri == kept
    assert asset(kept).uri == kept


@pytest.mark.parametrize(
    "written",
    ["deepomatic://site", "deepomatic:///label", "deepomatic://user@site/label", "deepomatic://site:80/label"],
)
def test_an_address_that_cannot_be_is_refused(written):
    with pytest.raises(ValueError, match="deepomatic://"):
        asset(written)


def test_label_and_connection_may_hold_anything():
    from airflow_visionbatch.assets import create_asset, named, remote_uri  # noqa: PLC0415

    made = create_asset(conn_id="site", batch="a/b ?#%é", extra={"x": 1})
    assert made.uri == remote_uri("deepomatic", "site", "a/b ?#%é")
    assert named(made.uri) == ("deepomatic://site", "a/b ?#%é")
    assert made.extra == {"x": 1}


def test_openlineage_gets_connection_and_batch():
    pytest.importorskip("airflow.providers.openlineage.utils.utils")
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset  # noqa: PLC0415

    dataset = translate_airflow_asset(asset("deepomatic://site/label"), None)
    assert (dataset.namespace, dataset.name) == ("deepomatic://site", "label")


@pytest.fixture
def events(airflow):
    """Run an operator with two outlets, and give the extra of the event of each."""

    def run(operator: Any, **arguments: Any) -> dict[str, Any]:
        name = f"asset_{len(done)}"
        outlets = [asset(f"deepomatic://site/{name}"), asset(f"file:///{name}")]
        done.append(airflow.run(operator, outlets=outlets, **arguments))
        rows = done[-1].rows(
            "select a.uri, e.extra from asset_event e join asset a on a.id = e.asset_id where e.source_dag_id = ?"
        )
        assert len(rows) in (0, 2)
        return {uri: json.loads(extra) for uri, extra in rows}

    done: list[Any] = []
    run.done = done
    return run


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_the_operator_s_events_carry_what_came_of_the_batch(events, connection, tenant, orders, tmp_path, deferrable):
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    tenant.configure(profile="rich", error_report="json", analysis_failures={"WO_2": "blurred"})
    found = events(
        DeepomaticRunBatchOperator,
        source=str(orders),
        report_path=str(tmp_path),
        poll_interval=0.05,
        deferrable=deferrable,
    )
    (batch,) = tenant.batches.all()
    expected = {
        "batch_id": batch.id,
        "generation": 1,
        "outcome": "partial",
        "counts": {"total": 2, "succeeded": 1, "failed": 1},
        "report": f"{tmp_path}/{batch.id}.errors.json",
    }
    assert events.done[-1].state == "success"
    assert list(found.values()) == [expected, expected]


def test_a_batch_that_is_not_waited_for_says_so(events, connection, tenant, orders):
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    found = events(DeepomaticRunBatchOperator, source=str(orders), wait=False)
    assert {extra["outcome"] for extra in found.values()} == {"submitted"}


def test_a_task_that_fails_makes_no_events(events, connection, tenant, orders):
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    tenant.configure(analysis_failures={"WO_2": "blurred"})
    assert events(DeepomaticRunBatchOperator, source=str(orders), on_partial="fail", poll_interval=0.05) == {}
    assert events.done[-1].state == "failed"


@pytest.mark.parametrize("way", [{}, {"mode": "reschedule"}, {"deferrable": True}], ids=str)
def test_the_sensor_s_events_carry_phase_and_counts(events, connection, tenant, way):
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    tenant.configure(profile="rich", lifecycle="manual")
    batch = tenant.batches.create("made elsewhere")
    batch.force(BatchState.SUCCESS)
    found = events(DeepomaticBatchSensor, batch_id=batch.id, poke_interval=0.1, timeout=30.0, **way)
    for extra in found.values():
        assert (extra["batch_id"], extra["outcome"], extra["phase"]) == (batch.id, "done", "succeeded")
        assert set(extra["counts"]) == {"total", "succeeded", "failed"}
    assert len(found) == 2
