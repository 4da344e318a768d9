"""Where a batch came from and what became of it, as Airflow's lineage and OpenLineage hear it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from support.airflow_runs import paper_context
from support.books import CHUNKS
from support.orders import write_orders

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

PACE = {"first_s": 0.02, "longest_s": 0.05, "confirm_s": 0.02, "grace_s": 0.2}


@pytest.fixture
def operator(connection, orders) -> Any:
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    def make(**arguments: Any) -> Any:
        return DeepomaticRunBatchOperator(
            **{"task_id": "task", "source": str(orders), "poll_interval": 0.05, "deferrable": False, **arguments}
        )

    return make


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's collector, with somebody who listens."""
    from airflow.providers.common.compat.sdk import HookLineageCollector  # noqa: PLC0415

    from airflow_visionbatch import lineage  # noqa: PLC0415

    collector = HookLineageCollector()
    monkeypatch.setattr(lineage, "lineage_collector", lambda: collector)
    return collector


def collected(collector: Any) -> tuple[list[str], list[str]]:
    found = collector.collected_assets
    return [info.asset.uri for info in found.inputs], [info.asset.uri for info in found.outputs]


@pytest.mark.parametrize(
    ("place", "uri"),
    [
        ("/data/work orders", "file:///data/work%20orders"),
        ("file:///data/orders", "file:///data/orders"),
        ("s3://bucket/yesterday", "s3://bucket/yesterday"),
        ("s3://conn@bucket/yesterday", "s3://bucket/yesterday"),
        ("s3://user:secret@bucket/a?X-Signature=abc#part", "s3://bucket/a"),
    ],
)
def test_an_address_says_where_and_nothing_else(place, uri):
    from airflow_visionbatch.lineage import place_uri  # noqa: PLC0415

    assert place_uri(place) == uri


def test_a_relative_path_becomes_a_whole_one(tmp_path, monkeypatch):
    from airflow_visionbatch.lineage import place_uri  # noqa: PLC0415

    monkeypatch.chdir(tmp_path)
    assert place_uri("orders") == f"file://{tmp_path}/orders"


def test_source_batch_report_and_manifest_are_told(operator, collector, tenant, orders, tmp_path):
    tenant.configure(error_report="json", analysis_failures={"WO_2": "blurred"})
    manifest = operator(report_path=str(tmp_path)).execute(paper_context())
    batch = manifest["batch_id"]
    inputs, outputs = collected(collector)
    assert inputs == [f"file://{orders}"]
    assert outputs == [
        f"deepomatic://deepomatic_default/{batch}",
        f"file://{tmp_path}/{batch}.errors.json",
        f"file://{tmp_path}/{batch}.manifest.json",
    ]


async def test_after_a_deferral_they_are_told_too(operator, collector, tenant, orders):
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    context = paper_context()
    with pytest.raises(TaskDeferred) as caught:
        await asyncio.to_thread(operator(deferrable=True).execute, context)
    waits = caught.value.trigger
    waits.pace = PACE
    async with asyncio.timeout(20):
        (event,) = [event.payload async for event in waits.run()]
    await asyncio.to_thread(operator().execute_complete, context, event)
    (batch,) = tenant.batches.all()
    assert collected(collector) == ([f"file://{orders}"], [f"deepomatic://deepomatic_default/{batch.id}"])


def test_a_batch_that_is_not_waited_for_is_told(operator, collector, tenant, orders):
    manifest = operator(wait=False).execute(paper_context())
    assert collected(collector)[1] == [f"deepomatic://deepomatic_default/{manifest['batch_id']}"]


def test_a_collector_that_breaks_breaks_no_task(operator, monkeypatch):
    from airflow_visionbatch import lineage  # noqa: PLC0415

    def broken() -> Any:
        raise RuntimeError("another provider's handler")

    monkeypatch.setattr(lineage, "lineage_collector", broken)
    assert operator().execute(paper_context())["outcome"] == "done"


@pytest.fixture
def openlineage() -> None:
    pytest.importorskip("airflow.providers.openlineage.extractors")


def facet(lineage: Any) -> dict[str, Any]:
    """The run facet as it goes over the wire."""
    from openlineage.client.serde import Serde  # noqa: PLC0415

    value = json.loads(Serde.to_json(lineage.run_facets["visionbatch"]))
    return {key: item for key, item in value.items() if not key.startswith("_")}


@pytest.mark.usefixtures("openlineage")
def test_openlineage_hears_of_counts_generation_and_batch(operator, tenant, orders, tmp_path):
    tenant.configure(profile="rich", error_report="json", analysis_failures={"WO_2": "blurred"})
    task = operator(report_path=str(tmp_path))
    manifest = task.execute(paper_context())
    lineage = task.get_openlineage_facets_on_complete(None)
    assert [(it.namespace, it.name) for it in lineage.inputs] == [("file", str(orders))]
    batch = manifest["batch_id"]
    assert [(it.namespace, it.name) for it in lineage.outputs] == [
        ("deepomatic://deepomatic_default", batch),
        ("file", f"{tmp_path}/{batch}.errors.json"),
        ("file", f"{tmp_path}/{batch}.manifest.json"),
    ]
    assert facet(lineage) == {
        "service": "deepomatic",
        "batch_id": batch,
        "generation": 1,
        "outcome": "partial",
        "counts": {"total": 2, "succeeded": 1, "failed": 1},
        "report": f"{tmp_path}/{batch}.errors.json",
    }
    query = lineage.run_facets["externalQuery"]
    assert (query.externalQueryId, query.source) == (batch, "deepomatic")


@pytest.mark.usefixtures("openlineage")
def test_openlineage_s_own_extractor_takes_it(operator, tmp_path):
    from airflow.providers.openlineage.extractors.base import DefaultExtractor  # noqa: PLC0415

    task = operator(report_path=str(tmp_path))
    task.execute(paper_context())
    found = DefaultExtractor(task).extract_on_complete(None)
    assert found.inputs
    assert set(found.run_facets) == {"visionbatch", "externalQuery"}


@pytest.mark.usefixtures("openlineage")
def test_a_refused_outcome_is_told_as_it_ended(operator, tenant):
    tenant.configure(analysis_failures={"WO_2": "blurred"})
    task = operator(on_partial="fail")
    with pytest.raises(Exception, match="on_partial=fail"):
        task.execute(paper_context())
    assert facet(task.get_openlineage_facets_on_failure(None))["outcome"] == "partial"


@pytest.mark.usefixtures("openlineage")
def test_a_task_that_failed_on_the_way_tells_how_far_it_came(operator, tenant, orders):
    tenant.faults.plan({"instructions": {CHUNKS: ["return-403"]}})
    task = operator()
    with pytest.raises(Exception, match="the session answered 403"):
        task.execute(paper_context())
    lineage = task.get_openlineage_facets_on_failure(None)
    (batch,) = tenant.batches.all()
    assert facet(lineage) == {"service": "deepomatic", "batch_id": batch.id}
    assert [it.name for it in lineage.inputs] == [str(orders)]


def test_a_task_that_never_began_has_no_lineage(operator):
    assert operator().get_openlineage_facets_on_failure(None) is None


@pytest.mark.usefixtures("openlineage")
def test_a_task_that_was_refused_before_there_was_a_batch_names_its_source(operator, tmp_path):
    (write_orders(tmp_path / "orders") / "stray.txt").write_text("x")
    task = operator(source=str(tmp_path / "orders"))
    with pytest.raises(Exception, match="was refused"):
        task.execute(paper_context())
    lineage = task.get_openlineage_facets_on_failure(None)
    assert (len(lineage.inputs), lineage.outputs) == (1, [])
    assert "externalQuery" not in lineage.run_facets


@pytest.mark.parametrize("missing", ["airflow.providers.openlineage.extractors", "airflow.providers.openlineage"])
def test_without_openlineage_there_is_nothing_and_no_error(operator, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "airflow.providers.openlineage":
        monkeypatch.delitem(sys.modules, "airflow.providers.openlineage.extractors", raising=False)
    task = operator()
    task.execute(paper_context())
    assert task.get_openlineage_facets_on_complete(None) is None


@pytest.mark.usefixtures("openlineage")
def test_no_secret_is_told(operator, collector, tenant, tmp_path):
    from openlineage.client.serde import Serde  # noqa: PLC0415

    task = operator(report_path=str(tmp_path))
    task.execute(paper_context())
    lineage = task.get_openlineage_facets_on_complete(None)
    told = f"{collected(collector)} {Serde.to_json(lineage.run_facets)} {lineage}"
    assert tenant.token not in told
    assert "upload_id" not in told
