"""Whenever new files of a data export have arrived in the bucket: fetch them, make tables, and write the report.

The triggerer looks at the bucket, once for all watchers of an export; no task waits. Put the export's own address into
``URI``; the folder of the results, which the workers share, is asked for when the Dag is triggered by hand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, Param, dag, task

from airflow_visionbatch.operators.deepomatic_export import DeepomaticFetchExportOperator
from airflow_visionbatch.operators.deepomatic_export_tables import (
    DeepomaticExportReportOperator,
    DeepomaticExportTablesOperator,
)
from airflow_visionbatch.triggers.export_files import DeepomaticExportEventTrigger

URI = "gs://my-exports/prod"

# A run's own folder: two runs never write to one place. The events of a run that waited come together.
RUN = "{{ params.folder }}/{{ run_id | replace(':', '-') | replace('+', '-') }}"

arrived = Asset(
    "deepomatic://google_cloud_default/export",
    watchers=[AssetWatcher(name="export_files", trigger=DeepomaticExportEventTrigger(storage_uri=URI))],
)


@dag(
    schedule=[arrived],
    catchup=False,
    max_active_runs=1,
    tags=["visionbatch", "deepomatic"],
    params={
        "folder": Param(
            "/data/exports",
            type="string",
            title="Folder",
            description="Where files, tables and report go, each run in a folder of its own.",
        )
    },
    doc_md=__doc__,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
)
def deepomatic_export() -> None:
    """Fetch, tables, report."""

    @task
    def what_arrived(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """The payloads of the events that this run is for; there may be several."""
        return [event.extra["payload"] for event in triggering_asset_events[arrived]]

    fetch = DeepomaticFetchExportOperator(
        task_id="fetch", arrival=what_arrived(), destination=RUN, images=True, on_missing="warn"
    )
    tables = DeepomaticExportTablesOperator(task_id="tables", source=RUN)
    report = DeepomaticExportReportOperator(
        task_id="report", tables=f"{RUN}/tables", images=f"{RUN}/images", report=f"{RUN}/report.html"
    )
    fetch >> tables >> report


deepomatic_export()
