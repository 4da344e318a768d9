"""Stage photos at Roboflow, run a Workflow over them, and fetch what came of it.

Two Dags: one for a folder of photos, and one for a folder that has a folder for each day, where every day becomes a
batch, a job and a folder of results of its own. No worker waits; a retry goes on where the last try stopped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ObjectStoragePath, Param, dag, task, task_group

from airflow_visionbatch.operators.roboflow import RoboflowRunJobOperator
from airflow_visionbatch.operators.roboflow_results import RoboflowFetchResultsOperator
from airflow_visionbatch.operators.roboflow_stage import RoboflowStageOperator
from airflow_visionbatch.sensors.roboflow import RoboflowBatchReadySensor

COMMON: dict[str, Any] = {
    "schedule": None,
    "catchup": False,
    "tags": ["visionbatch", "roboflow"],
    "doc_md": __doc__,
    "params": {
        "photos": Param("/data/photos", type="string", title="Photos", description="A folder, all below it included."),
        "workflow": Param("inspect", type="string", title="Workflow", description="Id of a saved Workflow."),
        "results": Param("/data/results", type="string", title="Results", description="Where the results go."),
        "on_partial": Param(
            "warn",
            type="string",
            title="When some images are lost",
            description="warn, fail, accept, accept:5 or accept:2%",
        ),
    },
    "default_args": {"retries": 3, "retry_delay": timedelta(minutes=1)},
}


def staged_to_fetched(photos: Any, results: Any, name: Any = "") -> Any:
    """Stage, wait until it is ready, run, fetch; gives what was fetched.

    :param photos: folder of the photos.
    :param results: folder for the results, which no other run writes to.
    :param name: of the batch, for people.
    """
    staged = RoboflowStageOperator(task_id="stage", source=photos, display_name=name)
    ready = RoboflowBatchReadySensor(
        task_id="ready",
        batch=staged.output,
        poke_interval=10,
        timeout=timedelta(hours=6).total_seconds(),
        deferrable=True,
    )
    job = RoboflowRunJobOperator(
        task_id="run",
        batch=staged.output,
        workflow_id="{{ params.workflow }}",
        aggregation="jsonl",
        on_partial="{{ params.on_partial }}",
        timeout=timedelta(hours=12),
        deferrable=True,
    )
    fetched = RoboflowFetchResultsOperator(task_id="fetch", job=job.output, destination=results, table=True)
    ready >> job
    return fetched.output


@dag(**COMMON)
def roboflow_batch() -> None:
    """One folder, one batch, one job."""

    @task
    def tell(manifest: dict[str, Any]) -> str:
        """One sentence for the log, an e-mail or a chat."""
        counts = manifest["counts"]
        return f"{counts['files']} files, {counts['members']} unpacked, in {manifest['folder']}: {manifest['outcome']}"

    tell(staged_to_fetched("{{ params.photos }}", "{{ params.results }}/{{ run_id }}"))


@dag(**COMMON)
def roboflow_days() -> None:
    """A batch and a job for each folder in the folder, such as one for each day; none waits for another."""

    @task
    def days(params: Any = None, run_id: Any = None) -> list[dict[str, str]]:
        """What each of them needs to know."""
        photos, results = params["photos"].rstrip("/"), f"{params['results'].rstrip('/')}/{run_id}"
        names = sorted(place.name for place in ObjectStoragePath(photos).iterdir() if place.is_dir())
        return [{"photos": f"{photos}/{name}", "results": f"{results}/{name}", "name": name} for name in names]

    @task_group
    def one_day(photos: str, results: str, name: str) -> None:
        staged_to_fetched(photos, results, name)

    one_day.expand_kwargs(days())


roboflow_batch()
roboflow_days()
