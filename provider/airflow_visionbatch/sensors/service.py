"""What the sensors of a remote service have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_visionbatch._compat import AirflowFailException, AirflowSkipException, BaseSensorOperator
from airflow_visionbatch.failures import with_retry_policy

if TYPE_CHECKING:
    from visionbatch import Deepomatic

T = TypeVar("T")


class ServiceSensor(BaseSensorOperator):
    """A sensor that does not hurry its service, and skips over nothing that another try cannot mend.

    :raises ValueError: for a ``poke_interval`` of 0, with which it would ask without a pause.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**with_retry_policy(kwargs))
        if not self.poke_interval > 0:
            raise ValueError(f"{self.task_id}: poke_interval is {self.poke_interval:g}: it must be greater than 0")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a wait; ``soft_fail`` skips time-outs, and never what another try cannot mend.

        Where Airflow has no retry policies such an error is one of Airflow's own, and it would skip over that.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skipped:
            if isinstance(skipped.__cause__, AirflowFailException):
                raise skipped.__cause__ from skipped.__cause__.__cause__
            raise


def confirmed_by(site: Deepomatic, look: Callable[[], T]) -> T:
    """What another look shows, a moment after one that shows an end: after a failover that one may be an old state."""
    site.clock.pause(site.tuning.pace.before_confirming())
    return look()
