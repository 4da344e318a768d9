"""What an operator that moves files leaves behind, and what it says meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.ending import MANIFEST_KEY

if TYPE_CHECKING:
    from airflow_visionbatch.lineage import Lineage
    from visionbatch import LoggedProgress

PROGRESS_S = 10.0
"""Seconds between two lines of progress in the log."""


class Telling:
    """The part of an operator that hands a manifest over: to later tasks, to its outlets, and to the lineage."""

    service: ClassVar[str]
    log: Any
    _lineage: Lineage | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What this task read and wrote, for OpenLineage; ``None`` where that is not installed."""
        return None if self._lineage is None else self._lineage.openlineage()

    def _fetching(self) -> LoggedProgress:
        """Progress as lines of the task's log."""
        from visionbatch import LoggedProgress

        return LoggedProgress(self.log, every_s=PROGRESS_S, what="fetch")

    def _hand_over(
        self,
        context: Any,
        manifest: Mapping[str, Any],
        told: Sequence[str],
        *,
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        """Push the manifest and tell what it says.

        :param told: keys of the manifest for outlets and lineage, where it has them.
        :param inputs: addresses of what was read.
        :param outputs: addresses of what was written.
        """
        from airflow_visionbatch.assets import tell_outlets
        from airflow_visionbatch.lineage import Lineage

        context["ti"].xcom_push(key=MANIFEST_KEY, value=manifest)
        facts = {name: manifest[name] for name in told if name in manifest}
        tell_outlets(self, context, facts)
        self._lineage = Lineage(self.service, inputs, outputs, {"service": self.service, **facts})
        self._lineage.tell_airflow(self)
