"""From the fetched files of a Deepomatic data export to tables, and from the tables to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_visionbatch._compat import BaseOperator
from airflow_visionbatch.failures import failing_for_good, with_retry_policy


class DeepomaticExportTablesOperator(BaseOperator):
    """Write the tables of an export from the files that `DeepomaticFetchExportOperator` has fetched.

    Returns what `visionbatch.export_tables` tells of them, less than 4 KB. Needs the extra ``parquet``.

    :param source: folder that the export was fetched to, with its ``manifest.json``; on the worker. Templated.
    :param tables: folder for the tables, on the worker; ``tables`` in the source's by default. Templated.
    :param on_broken_line: ``quarantine`` or ``fail``. Templated.
    :param processes: how many read lines; several run beside the task's own process, which then only writes.
    """

    template_fields: Sequence[str] = ("source", "tables", "on_broken_line")
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        source: str,
        tables: str | None = None,
        on_broken_line: str = "quarantine",
        processes: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.source = source
        self.tables = tables
        self.on_broken_line = on_broken_line
        self.processes = processes

    def execute(self, context: Any) -> dict[str, Any]:
        """Read the files that the manifest names, from old to new."""
        from visionbatch import export_tables, read_manifest

        with failing_for_good():
            source = Path(self.source)
            manifest = read_manifest(source)
            files = [source / file.path for file in manifest.data_files]
            target = Path(self.tables or source / "tables")
            told = export_tables(files, target, on_broken_line=self.on_broken_line, processes=self.processes)
            value: dict[str, Any] = told.to_json()
            self.log.info("%d files: %s", len(files), value.get("rows"))
            return value


class DeepomaticExportReportOperator(BaseOperator):
    """Write the report of an export from its tables: one HTML file, and a picture of its first screen.

    Needs the extra ``report``.

    :param tables: folder of the tables, on the worker. Templated.
    :param report: the HTML file, local or in an object store; a picture beside it when it is wanted. Templated.
    :param images: folder of the export's images, on the worker, to show some of them. Templated.
    :param title: of the page. Templated.
    :param timezone: IANA name of the timezone whose clocks part the days. Templated.
    :param picture: write the picture as well.
    """

    template_fields: Sequence[str] = ("tables", "report", "images", "title", "timezone")
    ui_color = "#e0f2f1"

    def __init__(
        self,
        *,
        tables: str,
        report: str,
        report_conn_id: str | None = None,
        images: str | None = None,
        title: str = "Field quality report",
        timezone: str = "UTC",
        picture: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.tables = tables
        self.report = report
        self.report_conn_id = report_conn_id
        self.images = images
        self.title = title
        self.timezone = timezone
        self.picture = picture

    def execute(self, context: Any) -> dict[str, str]:
        """Write page and picture; their locations are the result."""
        from airflow_visionbatch.places import sink
        from visionbatch import export_report

        with failing_for_good(), tempfile.TemporaryDirectory(prefix="visionbatch-report-") as folder:
            page, picture = Path(folder) / "report.html", Path(folder) / "report.png"
            images = Path(self.images) if self.images and Path(self.images).is_dir() else None
            export_report(
                Path(self.tables),
                page,
                png=picture if self.picture else None,
                images=images,
                title=self.title,
                timezone=self.timezone,
            )
            place, _, name = self.report.rpartition("/")
            target = sink(place or ".", self.report_conn_id)
            written = {"report": target.write(name, page.read_bytes())}
            if self.picture:
                shown = f"{name.removesuffix('.html')}.png"
                written["picture"] = target.write(shown, picture.read_bytes())
            return written
