"""When a failed task is worth another try: Airflow 3.3 asks, and an error of ours knows the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision, RetryPolicy

from airflow_visionbatch.failures import is_final

if TYPE_CHECKING:
    from visionbatch import VisionBatchError


LONGEST_DELAY_S = 24 * 3600.0
"""The longest wait that a service may ask for; more is a slip of theirs."""


class VisionBatchRetryPolicy(RetryPolicy):
    """Fails at once what another try cannot mend, and comes back when the service asked for it.

    What that is says `airflow_visionbatch.failures.is_final`. Everything else is left to the task's ``retries`` and
    ``retry_delay``; a retry of a failed batch begins the next generation. The default of our operators.
    """

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Decide by the first of our errors in the chain of causes."""
        error = _ours(exception)
        if error is None:
            return RetryDecision(action=RetryAction.DEFAULT)
        if is_final(error):
            return RetryDecision(action=RetryAction.FAIL, reason=f"{type(error).__name__}: {error.next_step}")
        seconds = getattr(error, "retry_after_s", None)
        if seconds is not None:
            reason = f"the service asked to stay away for {seconds:.0f} s"
            delay = timedelta(seconds=min(seconds, LONGEST_DELAY_S))
            return RetryDecision(action=RetryAction.RETRY, retry_delay=delay, reason=reason)
        return RetryDecision(action=RetryAction.DEFAULT)

    def serialize(self) -> dict[str, Any]:
        """It has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> VisionBatchRetryPolicy:  # noqa: ARG003  # nothing to read
        """Make one from what `serialize` gave."""
        return cls()


def _ours(exception: BaseException) -> VisionBatchError | None:
    from visionbatch import VisionBatchError

    link: BaseException | None = exception
    for _ in range(10):
        if isinstance(link, VisionBatchError):
            return link
        link = link.__cause__ if link is not None else None
    return None
