"""How an error of ours ends a task: permanent ones spend no retries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_visionbatch._compat import AirflowFailException


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Turn an error that only a person can mend into one that Airflow does not retry; others pass unchanged."""
    from visionbatch import VisionBatchError

    try:
        yield
    except VisionBatchError as error:
        if error.permanent:
            raise AirflowFailException(str(error)) from error
        raise
