"""Send work orders to Deepomatic, wait for the verdicts, and say what came of them.

The folder is asked for when the Dag is triggered by hand. The operator checks it, sends it as one archive, waits
without holding a worker, and brings the error report back; a retry goes on where the last try stopped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator


@dag(
    schedule=None,
    catchup=False,
    tags=["visionbatch", "deepomatic"],
    params={
        "work_orders": Param(
            "/data/work_orders",
            type="string",
            title="Work orders",
            description="A folder with one folder per work order, or a ready-made zip; local or s3://, gs://, ...",
        ),
        "reports": Param(
            "/data/reports",
            type="string",
            title="Reports",
            description="Where the error report and the manifest go.",
        ),
        "on_partial": Param(
            "warn",
            type="string",
            title="When some work orders fail",
            description="warn, fail, accept, accept:5 or accept:2%",
        ),
    },
    doc_md=__doc__,
)
def deepomatic_batch() -> None:
    """Check, send, wait, report."""
    batch = DeepomaticRunBatchOperator(
        task_id="run_batch",
        source="{{ params.work_orders }}",
        report_path="{{ params.reports }}",
        on_partial="{{ params.on_partial }}",
        timeout=timedelta(hours=12),
        deferrable=True,
        retries=3,
        retry_delay=timedelta(minutes=1),
    )

    @task
    def tell(manifest: dict[str, Any]) -> str:
        """One sentence for the log, an e-mail or a chat."""
        counts = manifest["counts"] or {"total": "?", "succeeded": "?", "failed": "?"}
        return (
            f"Batch {manifest['batch_id']}: {manifest['outcome']}; {counts['succeeded']} of {counts['total']} work "
            f"orders analysed, {counts['failed']} failed. Report: {manifest['errors'].get('location') or 'none'}"
        )

    tell(batch.output)


deepomatic_batch()
