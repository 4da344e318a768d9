"""Run an algorithm of Huawei Cloud VIAS over video files, wait for the end, and fetch what it has found.

Each run makes a batch task of its own and has the results written to a path of its own. No worker waits; a retry goes
on with the batch that is there. For live streams set ``wait_for`` to ``running``: they never finish.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_visionbatch.operators.vias import ViasCreateBatchTaskOperator
from airflow_visionbatch.operators.vias_results import ViasFetchResultsOperator


@dag(
    schedule=None,
    catchup=False,
    tags=["visionbatch", "huawei_vias"],
    params={
        "name": Param("inspection", type="string", title="Name", description="The moment of the run is put behind it."),
        "service_name": Param("fire", type="string", title="Algorithm", description="API id of the algorithm service."),
        "service_version": Param("1.0", type="string", title="Version of the algorithm"),
        "groups": Param(
            [{"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}],
            type="array",
            title="Video sources",
            description="Groups with their sources, as the vendor documents video_source_group.",
        ),
        "bucket": Param("inspections", type="string", title="Bucket", description="Where VIAS writes results, in OBS."),
        "results": Param("/data/results", type="string", title="Results", description="Where they are fetched to."),
        "wait_for": Param("finished", type="string", enum=["finished", "running"], title="Wait for"),
        "on_partial": Param(
            "fail",
            type="string",
            title="When some sources fail",
            description="fail, warn, accept, accept:5 or accept:2%",
        ),
    },
    doc_md=__doc__,
)
def vias_batch_task() -> None:
    """Describe, make and wait, fetch."""

    @task
    def describe(params: Any = None, dag_run: Any = None) -> dict[str, Any]:
        """The request body as the vendor documents it."""
        name = f"{params['name']}-{dag_run.run_after:%Y%m%d-%H%M%S}"
        return {
            "name": name,
            "service_name": params["service_name"],
            "service_version": params["service_version"],
            "batch_input": {"video_source_group": params["groups"]},
            "output": {"obs": {"bucket": params["bucket"], "path": name}},
        }

    made = ViasCreateBatchTaskOperator(
        task_id="run",
        body=describe(),
        wait_for="{{ params.wait_for }}",
        on_partial="{{ params.on_partial }}",
        timeout=timedelta(hours=12),
        deferrable=True,
        retries=3,
        retry_delay=timedelta(minutes=1),
    )
    fetched = ViasFetchResultsOperator(
        task_id="fetch",
        source="obs://{{ params.bucket }}/{{ ti.xcom_pull(task_ids='describe')['name'] }}",
        destination="{{ params.results }}/{{ run_id }}",
        retries=3,
        retry_delay=timedelta(minutes=1),
    )

    @task
    def tell(manifest: dict[str, Any]) -> str:
        """One sentence for the log, an e-mail or a chat."""
        counts = manifest["counts"]
        return f"{counts['events']} events in {counts['files']} files, in {manifest['folder']}: {manifest['outcome']}"

    made >> fetched
    tell(fetched.output)


vias_batch_task()
