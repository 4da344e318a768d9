"""Running a Deepomatic work-order batch from a Dag."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.links import DeepomaticBatchLink
from airflow_visionbatch.operators.remote_run import RemoteRunOperator
from airflow_visionbatch.operators.telling import PROGRESS_S

if TYPE_CHECKING:
    from visionbatch import Deepomatic, DeepomaticRun, RunStore, Submitted


class DeepomaticRunBatchOperator(RemoteRunOperator):
    """Check work orders, send them as one batch, wait for the end, and bring the error report back.

    A later try, on any worker, goes on where the last one stopped: it resumes the upload in the middle of the archive,
    waits for a batch that is being processed, or takes a result that is there. Returns a manifest of less than 4 KB,
    see `visionbatch.pipelines.manifest.Manifest`. How it waits, retries, judges and cancels:
    `airflow_visionbatch.operators.remote_run.RemoteRunOperator`.

    :param source: folder of work orders or ready-made zip: a path on the worker, or an object-store path such as
        ``s3://bucket/yesterday``. Templated.
    :param deepomatic_conn_id: connection of type ``deepomatic``. Templated.
    :param source_conn_id: connection of the source's object store.
    :param batch_label: name of the batch for people; the source's own by default. Templated.
    :param check: arguments of `visionbatch.CheckSettings`, such as ``{"task_groups": [...]}``. Templated.
    """

    service = "deepomatic"
    template_fields: Sequence[str] = (
        *RemoteRunOperator.template_fields,
        "source",
        "batch_label",
        "check",
        "deepomatic_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"check": "json"}
    operator_extra_links = (DeepomaticBatchLink(),)
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        source: str,
        deepomatic_conn_id: str = "deepomatic_default",
        source_conn_id: str | None = None,
        batch_label: str = "",
        check: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.deepomatic_conn_id = deepomatic_conn_id
        self.source_conn_id = source_conn_id
        self.batch_label = batch_label
        self.check = check or {}

    @property
    def remote_conn_id(self) -> str:
        """The connection of the site."""
        return self.deepomatic_conn_id

    def _client(self) -> Deepomatic:
        from airflow_visionbatch.hooks.deepomatic import DeepomaticHook
        from visionbatch import Pace

        return DeepomaticHook(self.deepomatic_conn_id, Pace(**self._pace())).get_conn()

    def _run_over(self, client: Deepomatic, store: RunStore, **told: Any) -> DeepomaticRun:
        from visionbatch import DeepomaticRun, LoggedProgress

        return DeepomaticRun(client, store, progress=LoggedProgress(self.log, every_s=PROGRESS_S), **told)

    def _submit(self, client: Deepomatic, context: Any) -> Submitted:
        from airflow_visionbatch.ownership import was_cleared
        from airflow_visionbatch.places import source_place
        from visionbatch import CheckSettings, settings_from

        filesystem, place = source_place(self.source, self.source_conn_id)
        settings = settings_from(CheckSettings, self.check, where="check")
        deadline = None if self.timeout is None else time.time() + self.timeout
        run: DeepomaticRun = self._new_run(client, context)
        return run.submit_place(
            place,
            check=settings,
            filesystem=filesystem,
            label=self.batch_label,
            deadline=deadline,
            cleared=was_cleared(context["ti"]),
        )

    def _inputs(self) -> list[str]:
        from airflow_visionbatch.lineage import place_uri

        return [place_uri(self.source)]
