"""How an error of ours ends a task: what another try cannot mend spends no retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import AirflowFailException, has_retry_policies

if TYPE_CHECKING:
    from visionbatch import VisionBatchError

_IN_VAIN = frozenset({"JobPartial", "JobCancelled", "DeadlinePassed", "Refused", "IdTaken"})


def is_final(error: VisionBatchError) -> bool:
    """Whether another try cannot mend an error.

    That is true of settings, rights and input, of a partial outcome that ``on_partial`` refuses (the same archive would
    be analysed and paid for again), of a batch that somebody cancelled, of a deadline that has passed, and of a request
    that the service calls wrong.
    """
    return error.permanent or type(error).__name__ in _IN_VAIN


def with_retry_policy(arguments: dict[str, Any]) -> dict[str, Any]:
    """An operator's arguments with our retry policy, unless the user gave one or Airflow has none."""
    if has_retry_policies() and arguments.get("retry_policy") is None:
        from airflow_visionbatch.retries import VisionBatchRetryPolicy

        return {**arguments, "retry_policy": VisionBatchRetryPolicy()}
    return arguments


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Where Airflow has no retry policies, turn a final error into one that it does not retry."""
    from visionbatch import VisionBatchError

    try:
        yield
    except VisionBatchError as error:
        if is_final(error) and not has_retry_policies():
            raise AirflowFailException(str(error)) from error
        raise
