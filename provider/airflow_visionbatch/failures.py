"""How an error of ours ends a task: one that only a person can mend spends no retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_visionbatch._compat import AirflowFailException, has_retry_policies


def with_retry_policy(arguments: dict[str, Any]) -> dict[str, Any]:
    """An operator's arguments with our retry policy, unless the user gave one or Airflow has none."""
    if has_retry_policies() and arguments.get("retry_policy") is None:
        from airflow_visionbatch.retries import VisionBatchRetryPolicy

        return {**arguments, "retry_policy": VisionBatchRetryPolicy()}
    return arguments


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Where Airflow has no retry policies, turn a permanent error into one that it does not retry."""
    from visionbatch import VisionBatchError

    try:
        yield
    except VisionBatchError as error:
        if error.permanent and not has_retry_policies():
            raise AirflowFailException(str(error)) from error
        raise
