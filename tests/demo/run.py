"""``make demo``: one work-order batch, end to end, on a real Airflow against the embedded mock.

Airflow runs as its own four processes (api-server, scheduler, dag-processor and triggerer over SQLite) rather than
through ``dag.test()``: the point to see is that the task gives its worker back and is resumed by the triggerer.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.demo.chaos import DAGS as CHAOS_DAGS
from tests.demo.chaos import TRANSFER, Chaos
from tests.demo.sample import make_work_orders
from tests.support.airflow_stack import AirflowStack

from visionbatch import CheckSettings
from visionbatch.errors import InputError
from visionbatch.pipelines.inputs import opened
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.tenant import Tenant

ROOT = Path(__file__).parents[2]
KEY = "demo-key-of-nobody"
DAG = "deepomatic_batch"


def main() -> int:
    """Run the demo and give its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-orders", type=Path, help="your folder of work orders; sample ones without")
    parser.add_argument("--chaos", action="store_true", help="kill the worker, refuse the upload, stop the triggerer")
    parser.add_argument("--home", type=Path, default=ROOT / ".demo", help="where everything is kept")
    arguments = parser.parse_args()
    home = arguments.home.resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    began = time.monotonic()
    source, blurred = _source(arguments.work_orders, home)
    try:
        _check(source)
    except InputError as error:
        print(error)
        return int(error.exit_code)
    with MockServer(MockConfig(queued_s=2, processing_s=6)) as mock:
        tenant = mock.world.tenant(KEY)
        tenant.configure(error_report="json", analysis_failures={blurred: "photo too dark"} if blurred else {})
        _say(f"3. The mock of Deepomatic listens on {mock.url}; Airflow starts (some 20 to 60 s) ...")
        if arguments.chaos:
            _survive(mock.url, tenant, source, home)
        else:
            with AirflowStack(home / "airflow", ROOT / "dags", connections=connections(mock.url)) as airflow:
                manifest = _run(airflow, source, home / "reports")
            _tell(manifest, tenant, home)
    _say(f"Done in {time.monotonic() - began:.0f} s.")
    return 0


def connections(url: str, **extra: Any) -> Mapping[str, Mapping[str, Any]]:
    """The connection a user would fill in, pointing at the mock."""
    default = {"conn_type": "deepomatic", "host": url, "password": KEY, "extra": {"upload_hosts": url, **extra}}
    return {"deepomatic_default": default}


def _source(given: Path | None, home: Path) -> tuple[Path, str]:
    if given is not None:
        _say(f"1. Work orders: {given.resolve()}")
        return given.resolve(), ""
    folder = home / "work_orders"
    names = make_work_orders(folder)
    _say(f"1. Drew {len(names)} sample work orders with photos: {folder}")
    return folder, names[2]


def _check(source: Path) -> None:
    with opened(source, CheckSettings()) as checked:
        _say(f"2. Checked: {checked.report.summary()}")
        for finding in checked.report.findings[:20]:
            print(f"   {finding}")
        checked.report.require()


def _run(airflow: AirflowStack, source: Path, reports: Path) -> dict[str, Any]:
    run_id = airflow.trigger(DAG, {"work_orders": str(source), "reports": str(reports)})
    _say(f"4. Airflow is up at {airflow.url}; the Dag {DAG} runs.")
    deferred = "select ti.task_id, t.classpath from task_instance ti join trigger t on ti.trigger_id = t.id"
    task, trigger = airflow.wait_for(lambda: airflow.rows(deferred), "the task to be deferred", 120)[0]
    _say(
        f"5. Archive sent. The task {task} is deferred: it holds no worker, {trigger.rsplit('.', 1)[-1]} waits for it."
    )
    state = airflow.wait_run(DAG, run_id, 300)
    if state != "success":
        print(airflow.task_log(DAG, run_id, "run_batch"))
        raise SystemExit(f"the Dag run ended as {state}")
    manifest: dict[str, Any] = airflow.xcom(DAG, run_id, "run_batch")
    return manifest


def _survive(url: str, tenant: Tenant, source: Path, home: Path) -> None:
    """The same batch, with everything against it."""
    with AirflowStack(home / "airflow", CHAOS_DAGS, connections=connections(url, transfer=TRANSFER)) as airflow:
        _say("4. One batch, with everything against it:")
        chaos = Chaos(airflow, tenant)
        manifest = chaos.run(source, home / "reports")
    _tell(manifest, tenant, home)
    chaos.tell_the_ledger()


def _tell(manifest: dict[str, Any], tenant: Tenant, home: Path) -> None:
    counts, errors = manifest["counts"], manifest["errors"]
    _say(f"6. Batch {manifest['batch_id']}: {manifest['outcome']}")
    print(f"   accepted  {counts['succeeded']} of {counts['total']} work orders, {manifest['archive']['size']} bytes")
    print(f"   failed    {counts['failed']}  {errors['by_code'] or ''}")
    print(f"   report    {errors['location']}")
    print(f"   manifest  {Path(errors['location']).parent / (manifest['batch_id'] + '.manifest.json')}")
    processed = tenant.ledger.entries("batch.processed")
    print(f"   ledger    {len(processed)} batch processed by the service, as its own books say")
    print(f"   logs      {home / 'airflow' / 'logs'}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
