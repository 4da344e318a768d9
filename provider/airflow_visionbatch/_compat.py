"""Every name that this package takes from Airflow, so that a difference between versions has one place.

Features are looked for, versions are not compared.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    PokeReturnValue,
    XCom,
    conf,
)
from airflow.sdk.exceptions import AirflowRuntimeError

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "PokeReturnValue",
    "XCom",
    "conf",
    "count",
    "has_retry_policies",
    "lineage_collector",
    "never_expire",
    "push_xcom",
    "span_attributes",
]


def has_retry_policies() -> bool:
    """Whether Airflow asks a policy before it retries, which is new in 3.3."""
    return hasattr(BaseOperator, "retry_policy")


def never_expire() -> timedelta:
    """The mark, new in Airflow 3.3, that keeps a value of the task state as long as its Dag run."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    return NEVER_EXPIRE


def count(metric: str, tags: dict[str, str]) -> None:
    """Add one to a metric of Airflow's; nothing where there is no such thing, for counting fails no task."""
    with suppress(Exception):
        from airflow.providers.common.compat.sdk import Stats

        Stats.incr(metric, tags=tags)


async def push_xcom(task_instance: Any, key: str, value: Any) -> None:
    """Push an XCom for a trigger's task as its worker would: through the XCom backend, from a running loop."""
    place = {name: getattr(task_instance, name) for name in ("dag_id", "task_id", "run_id")}
    index = getattr(task_instance, "map_index", None)
    place["map_index"] = -1 if index is None else index
    if hasattr(XCom, "aset"):
        await XCom.aset(key, value, **place)
    else:
        from asgiref.sync import sync_to_async

        await sync_to_async(XCom.set)(key, value, **place)


def span_attributes(values: dict[str, Any]) -> None:
    """Put attributes on the current OpenTelemetry span; nothing where there is none."""
    with suppress(Exception):
        from opentelemetry import trace

        trace.get_current_span().set_attributes(values)


def lineage_collector() -> Any:
    """Where hooks tell Airflow what they read and wrote; it forgets all of it unless somebody listens."""
    from airflow.providers.common.compat.sdk import get_hook_lineage_collector

    return get_hook_lineage_collector()
