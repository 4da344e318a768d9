"""Fetching the results of a Roboflow job from a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.operators.stoppable import StoppableOperator
from airflow_visionbatch.operators.telling import Telling
from airflow_visionbatch.staged import batch_in, job_in

if TYPE_CHECKING:
    from visionbatch import FetchSettings, ResultsManifest


class RoboflowFetchResultsOperator(Telling, StoppableOperator):
    """Fetch the results of a job into a folder, verified and unpacked, and join their rows to one table when asked.

    A later try goes on where the last one stopped; when all has been done before, it says so. Returns a manifest of
    less than 4 KB; the whole of it, with hashes, is ``manifest.json`` in the destination.

    :param destination: folder: a path on the worker, or an object-store path. Give each run its own, such as
        ``/data/results/{{ ds }}``. Templated.
    :param job: id of a job that has ended, or the manifest of `RoboflowRunJobOperator`. Templated.
    :param batches: ids of output batches, in place of a job. Templated.
    :param stage: ``export`` for archives, ``processing`` for the single files, also of a job that failed later.
        Templated.
    :param table: join the rows of all files to one Parquet table: ``True``, or fields of `visionbatch.RowSettings`.
        Needs the extra ``parquet``.
    :param unpack: each archive into a folder of its own, in place of the archive.
    :param keep_archives: the archives as well.
    :param on_bad_member: ``fail``, or ``skip`` to leave out links, devices and names that lead elsewhere. Templated.
    :param budget: fields of `visionbatch.UnpackBudget`: what one archive may become.
    :param download: fields of `visionbatch.DownloadSettings`.
    :param destination_conn_id: connection of the destination's object store.
    :param roboflow_conn_id: connection of type ``roboflow``. Templated.
    """

    service = "roboflow"
    template_fields: Sequence[str] = ("destination", "job", "batches", "stage", "on_bad_member", "roboflow_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"job": "json"}
    ui_color = "#ede7f6"

    def __init__(
        self,
        *,
        destination: str,
        job: Any = None,
        batches: Any = None,
        stage: str = "export",
        table: bool | Mapping[str, Any] = False,
        unpack: bool = True,
        keep_archives: bool = False,
        on_bad_member: str = "fail",
        budget: Mapping[str, Any] | None = None,
        download: Mapping[str, Any] | None = None,
        destination_conn_id: str | None = None,
        roboflow_conn_id: str = "roboflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.destination = destination
        self.job = job
        self.batches = batches
        self.stage = stage
        self.table = table
        self.unpack = unpack
        self.keep_archives = keep_archives
        self.on_bad_member = on_bad_member
        self.budget = budget or {}
        self.download = download or {}
        self.destination_conn_id = destination_conn_id
        self.roboflow_conn_id = roboflow_conn_id

    def execute(self, context: Any) -> dict[str, Any]:
        """Fetch, and tell what came."""
        from airflow_visionbatch.hooks.roboflow import RoboflowHook
        from airflow_visionbatch.places import folder
        from visionbatch import fetch_results

        with (
            failing_for_good(),
            RoboflowHook(self.roboflow_conn_id).get_conn() as client,
            self._stoppable(context),
        ):
            manifest = fetch_results(
                client,
                self._wanted(),
                folder(self.destination, self.destination_conn_id),
                stage=self.stage,
                settings=self._settings(),
                progress=self._fetching(),
            )
            self._tell(context, manifest)
            return manifest.to_json()

    def _wanted(self) -> str | list[str]:
        """The job, or the batches.

        :raises visionbatch.errors.ConfigError: unless it is one of them.
        """
        from visionbatch.errors import ConfigError

        if (self.job is None) == (self.batches is None):
            raise ConfigError("give a job or batches, and not both")
        if self.job is not None:
            return job_in(self.job)
        return [batch_in(batch) for batch in ([self.batches] if isinstance(self.batches, str) else self.batches)]

    def _settings(self) -> FetchSettings:
        from visionbatch import DownloadSettings, FetchSettings, RowSettings, UnpackBudget, settings_from
        from visionbatch.errors import ConfigError

        if self.on_bad_member not in ("fail", "skip"):
            raise ConfigError(f"on_bad_member is fail or skip, not {self.on_bad_member!r}")
        rows = self.table if isinstance(self.table, Mapping) else {}
        wanted = self.table is True or isinstance(self.table, Mapping)
        download = {"connections": FetchSettings().download.connections, **self.download}
        return FetchSettings(
            unpack=self.unpack,
            keep_archives=self.keep_archives,
            on_bad_member=self.on_bad_member,
            budget=settings_from(UnpackBudget, self.budget, where="budget"),
            table=settings_from(RowSettings, rows, where="table") if wanted else None,
            download=settings_from(DownloadSettings, download, where="download"),
        )

    def _tell(self, context: Any, manifest: ResultsManifest) -> None:
        from airflow_visionbatch.assets import remote_uri
        from airflow_visionbatch.lineage import place_uri

        value = manifest.to_json()
        self.log.info("%s: %s, %s", self.destination, value["outcome"], value["counts"])
        read = [manifest.job_id] if manifest.job_id else manifest.batches
        self._hand_over(
            context,
            value,
            ("job_id", "outcome", "counts", "manifest"),
            inputs=[remote_uri(self.service, self.roboflow_conn_id, name) for name in read],
            outputs=[place_uri(self.destination)],
        )
