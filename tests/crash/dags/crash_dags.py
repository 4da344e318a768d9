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
from airflow_visionbatch.operators.roboflow import RoboflowRunJobOperator
from airflow_visionbatch.operators.roboflow_stage import RoboflowStageOperator
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
    elif told["moment"] == "sending":
        _die_sending(told, die)
    else:
        _die_saving(told, die)


def _die_waiting(die: Callable[[], None]) -> None:
    from visionbatch import Deepomatic  # noqa: PLC0415  # a Dag file is parsed often

    def wait(self: Deepomatic, batch_id: str, **options: Any) -> None:
        die()
        return shipped(self, batch_id, **options)

    shipped = Deepomatic.wait
    Deepomatic.wait = wait


def _die_sending(told: dict[str, Any], die: Callable[[], None]) -> None:
    """End in the middle of the body of the nth part."""
    from visionbatch import RoboflowStageRun  # noqa: PLC0415  # a Dag file is parsed often

    shipped = RoboflowStageRun._passing
    begun, last = 0, 0

    def passing(self: RoboflowStageRun, done: int, total: int) -> None:
        nonlocal begun, last
        begun += not begun or done < last
        last = done
        if begun == told["nth"] and 0 < done < total:
            die()
        shipped(self, done, total)

    RoboflowStageRun._passing = passing


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


KILLED: dict[str, Any] = {"task_id": "send", "retry_delay": timedelta(seconds=1), "pre_execute": prepare}
CONNECTION = "{{ dag_run.conf['connection'] }}"
COMMON: dict[str, Any] = {**KILLED, "deepomatic_conn_id": CONNECTION, "poll_interval": 0.5}
SOURCE = "{{ dag_run.conf['source'] }}"


def one_task(name: str, **arguments: Any) -> None:
    described(name, DeepomaticRunBatchOperator, **{**COMMON, "source": SOURCE, **arguments})


def described(name: str, operator: Any, /, **arguments: Any) -> None:
    @dag(name, schedule=None, catchup=False, max_active_runs=100, max_active_tasks=100)
    def alone() -> None:
        operator(**arguments)

    alone()


one_task("sync_retry", deferrable=False, retries=2)
one_task("sync_clear", deferrable=False, retries=0)
one_task("deferrable_retry", deferrable=True, retries=2)
one_task("deferrable_clear", deferrable=True, retries=0)
one_task("with_report", deferrable=True, retries=2, report_path="{{ dag_run.conf['reports'] }}")
one_task("leave_running", deferrable=True, retries=0, cancel_on_kill=False)
one_task("impatient", deferrable=True, retries=0, timeout=6, execution_timeout=timedelta(minutes=10))

WORKSPACE: dict[str, Any] = {**KILLED, "roboflow_conn_id": CONNECTION, "retries": 2}
described(
    "stage_shards",
    RoboflowStageOperator,
    source=SOURCE,
    kind="shards",
    settings={"images_per_shard": 2, "parallel": 1, "settle_s": 15},
    **WORKSPACE,
)
described(
    "run_job",
    RoboflowRunJobOperator,
    batch=SOURCE,
    workflow_id="inspect",
    deferrable=True,
    poll_interval=0.5,
    **WORKSPACE,
)

VIDEOS = [{"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}]
described(
    "vias_retry",
    ViasCreateBatchTaskOperator,
    vias_conn_id=CONNECTION,
    name="{{ run_id }}",
    service_name="fire",
    service_version="1.0",
    groups=VIDEOS,
    outputs={"event_center": True},
    deferrable=True,
    poll_interval=0.5,
    retries=2,
    **KILLED,
)


@dag(schedule=None, catchup=False, max_active_runs=100, max_active_tasks=100)
def mapped() -> None:
    """One batch for each item of a list that is read anew by every run of the first task."""

    @task
    def items(dag_run: Any = None) -> list[str]:
        return list(json.loads(Path(dag_run.conf["items"]).read_text()))

    DeepomaticRunBatchOperator.partial(**COMMON, deferrable=True, retries=0).expand(source=items())


mapped()
