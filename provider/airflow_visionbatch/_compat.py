"""Every name that this package takes from Airflow, so that a difference between versions has one place.

Features are looked for, versions are not compared.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
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
    "has_retry_policies",
    "never_expire",
]


def has_retry_policies() -> bool:
    """Whether Airflow asks a policy before it retries, which is new in 3.3."""
    return hasattr(BaseOperator, "retry_policy")


def never_expire() -> timedelta:
    """The mark, new in Airflow 3.3, that keeps a value of the task state as long as its Dag run."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    return NEVER_EXPIRE
