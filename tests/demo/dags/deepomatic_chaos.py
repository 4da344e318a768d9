"""The Dag of ``make demo CHAOS=1``: the shipped operator, whose next try comes soon enough to watch it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag

from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator


@dag(
    schedule=None,
    catchup=False,
    params={"work_orders": Param("/data/work_orders", type="string"), "reports": Param("/data/reports", type="string")},
)
def deepomatic_chaos() -> None:
    """Check, send, wait, report, whatever happens."""
    DeepomaticRunBatchOperator(
        task_id="run_batch",
        source="{{ params.work_orders }}",
        report_path="{{ params.reports }}",
        timeout=timedelta(hours=1),
        deferrable=True,
        retries=3,
        retry_delay=timedelta(seconds=2),
    )


deepomatic_chaos()
