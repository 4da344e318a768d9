"""What a run's own wishes cannot change, and what an older version has left in Airflow's database."""

from __future__ import annotations

import asyncio
import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from support.books import CREATE
from support.listener import Silent
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

GOLDEN = Path(__file__).parent / "golden" / "triggers-0.1.json"
WRITTEN = json.loads(GOLDEN.read_text())

LEADING_ELSEWHERE = {"url", "host", "hosts", "site", "region", "schema", "port", "extra", "password"}
"""Words in the names of settings that say where to, or who."""


@pytest.fixture
def ours() -> Any:
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    return DeepomaticRunBatchOperator, DeepomaticBatchSensor


@pytest.mark.fault("SC5")
@pytest.mark.parametrize("way", ["conf-alone", "an-address-for-the-connection", "a-setting-of-the-check"])
def test_the_conf_of_a_run_cannot_lead_it_to_another_host(
    airflow: Any, connection: Any, ours: Any, books: Any, orders: Path, archive: bytes, way: str
) -> None:
    """A template may name another connection, which an administrator has made; it cannot make one."""
    operator, sensor = ours
    for kind in ours:
        names = {*kind.template_fields, *inspect.signature(kind.__init__).parameters} - {"deepomatic_conn_id"}
        assert not [name for name in names if LEADING_ELSEWHERE & set(name.split("_"))]

    with Silent() as elsewhere:
        address = f"http://127.0.0.1:{elsewhere.port}"
        conf = {
            **dict.fromkeys(("host", "base_url", "upload_hosts", "deepomatic_host", "site"), address),
            "deepomatic_conn_id": address,
            "extra": {"upload_hosts": address},
        }
        templates: dict[str, Any] = {
            "conf-alone": {},
            "an-address-for-the-connection": {"deepomatic_conn_id": "{{ dag_run.conf['base_url'] }}"},
            "a-setting-of-the-check": {"check": {"base_url": "{{ dag_run.conf['base_url'] }}"}},
        }[way]
        run = airflow.run(operator, source=str(orders), poll_interval=0.05, conf=conf, **templates)
        assert elsewhere.connections == 0
        if way == "an-address-for-the-connection":
            looked = airflow.run(sensor, batch_id="some-batch", timeout=5.0, poke_interval=0.1, conf=conf, **templates)
            assert looked.state == "failed"
            assert elsewhere.connections == 0

    if way == "conf-alone":
        assert run.state == "success"
        books.processed_once(archive)
    else:
        assert run.state == "failed"
        assert not books.requests(CREATE)
    if way == "a-setting-of-the-check":
        assert "unknown keys ['base_url']" in str(run.error)


def read_back(written: dict[str, Any], **changes: Any) -> Any:
    """The trigger that a triggerer makes of a row."""
    module, _, name = written["classpath"].rpartition(".")
    return getattr(import_module(module), name)(**{**written["kwargs"], **changes})


def names_with_defaults(kind: type) -> list[str]:
    return [name for name, it in inspect.signature(kind).parameters.items() if it.default is not it.empty]


@pytest.mark.fault("SE18")
@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written["classpath"].rpartition(".")[2])
def test_a_trigger_of_an_earlier_or_later_version_is_read_back(written: dict[str, Any]) -> None:
    same = read_back(written)
    path, kwargs = same.serialize()
    assert path == written["classpath"]
    assert {name: kwargs[name] for name in written["kwargs"]} == written["kwargs"], "nothing is renamed or dropped"
    added = set(kwargs) - set(written["kwargs"])
    assert added <= set(names_with_defaults(type(same))), "what came later has a default"

    later = read_back(written, of_a_later_version={"x": [1, None]})
    assert later.serialize()[1] == {**kwargs, "of_a_later_version": {"x": [1, None]}}

    # Each argument with a default may once have been new.
    for name in names_with_defaults(type(same)):
        without = {key: value for key, value in written["kwargs"].items() if key != name}
        again = read_back({**written, "kwargs": without})
        assert again.serialize()[1].keys() == kwargs.keys()
    fewest = {key: value for key, value in written["kwargs"].items() if key not in names_with_defaults(type(same))}
    assert read_back({**written, "kwargs": fewest}).serialize()[1].keys() == kwargs.keys()


async def test_a_trigger_of_an_earlier_version_still_waits(connection: Any, tenant: Any) -> None:
    tenant.configure(lifecycle="manual")
    batch = tenant.batches.create("made elsewhere")
    batch.force(BatchState.SUCCESS)
    async with asyncio.timeout(20):
        trigger = read_back(WRITTEN[0], ref=batch.id, of_a_later_version=True)
        (event,) = [event.payload async for event in trigger.run()]
    assert event["snapshot"]["phase"] == "succeeded"
    assert event["carry"] == WRITTEN[0]["kwargs"]["carry"]
