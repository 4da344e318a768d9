"""Dags whose task processes end by SIGKILL at the moment that a plan names; the operator itself is the shipped one.

The plan is a JSON file named after the Dag run. It is renamed before the signal, so that it takes effect once.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator
from airflow_visionbatch.operators.vias import ViasCreateBatchTaskOperator

PLANS = Path(os.environ["CRASH_PLANS"])
STORE = os.environ.get("CRASH_STORE")
"""Address of the object store behind ``gs://``, where there is one."""


def prepare(context: Any) -> None:
    """Make the object store known, which with a real one is Airflow's own provider's part, and arm the plan."""
    if STORE:
        from airflow.sdk.io import attach  # noqa: PLC0415  # a Dag file is parsed often
        from gcsfs.core import GCSFileSystem  # noqa: PLC0415

        attach("gs", fs=GCSFileSystem(token="anon", endpoint_url=STORE))
    arm(context)


def arm(context: Any) -> None:
    """Wrap what the plan is about, in this task process only."""
    plan = PLANS / f"{context['run_id']}.json"
    if not plan.exists():
        return
    told = json.loads(plan.read_text())

    def die() -> None:
        try:
            plan.rename(plan.with_suffix(".done"))
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    if told["moment"] == "waiting":
        _die_waiting(die)
    else:
        _die_saving(told, die)


def _die_waiting(die: Callable[[], None]) -> None:
    from visionbatch import Deepomatic  # noqa: PLC0415  # a Dag file is parsed often

    def wait(self: Deepomatic, batch_id: str, **options: Any) -> None:
        die()
        return shipped(self, batch_id, **options)

    shipped = Deepomatic.wait
    Deepomatic.wait = wait


def _die_saving(told: dict[str, Any], die: Callable[[], None]) -> None:
    from airflow_visionbatch.state import TaskStateRunStore  # noqa: PLC0415

    shipped = TaskStateRunStore.save
    left = told.get("nth", 1)

    @wraps(shipped)
    def save(self: TaskStateRunStore, record: Any) -> None:
        nonlocal left
        here = (
            record.stage.value == told["stage"]
            and record.sent >= told.get("sent", 0)
            and record.checked >= told.get("checked", 0)
        )
        left -= here
        if here and left == 0 and told["moment"] == "before":
            die()
        shipped(self, record)
        if here and left == 0:
            die()

    TaskStateRunStore.save = save


COMMON: dict[str, Any] = {
    "task_id": "send",
    "deepomatic_conn_id": "{{ dag_run.conf['connection'] }}",
    "poll_interval": 0.5,
    "retry_delay": timedelta(seconds=1),
    "pre_execute": prepare,
}
SOURCE = "{{ dag_run.conf['source'] }}"


def one_task(name: str, **arguments: Any) -> None:
    @dag(name, schedule=None, catchup=False, max_active_runs=100, max_active_tasks=100)
    def described() -> None:
        DeepomaticRunBatchOperator(**{**COMMON, "source": SOURCE, **arguments})

    described()


one_task("sync_retry", deferrable=False, retries=2)
one_task("sync_clear", deferrable=False, retries=0)
one_task("deferrable_retry", deferrable=True, retries=2)
one_task("deferrable_clear", deferrable=True, retries=0)
one_task("with_report", deferrable=True, retries=2, report_path="{{ dag_run.conf['reports'] }}")
one_task("leave_running", deferrable=True, retries=0, cancel_on_kill=False)
one_task("impatient", deferrable=True, retries=0, timeout=6, execution_timeout=timedelta(minutes=10))

VIDEOS = [{"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}]


@dag(schedule=None, catchup=False, max_active_runs=100, max_active_tasks=100)
def vias_retry() -> None:
    """One batch task of VIAS."""
    ViasCreateBatchTaskOperator(
        task_id="send",
        vias_conn_id="{{ dag_run.conf['connection'] }}",
        name="{{ run_id }}",
        service_name="fire",
        service_version="1.0",
        groups=VIDEOS,
        outputs={"event_center": True},
        deferrable=True,
        poll_interval=0.5,
        retries=2,
        retry_delay=timedelta(seconds=1),
        pre_execute=prepare,
    )


vias_retry()


@dag(schedule=None, catchup=False, max_active_runs=100, max_active_tasks=100)
def mapped() -> None:
    """One batch for each item of a list that is read anew by every run of the first task."""

    @task
    def items(dag_run: Any = None) -> list[str]:
        return list(json.loads(Path(dag_run.conf["items"]).read_text()))

    DeepomaticRunBatchOperator.partial(**COMMON, deferrable=True, retries=0).expand(source=items())


mapped()
