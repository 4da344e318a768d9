"""A batch of work orders as a Prefect flow: a task that is tried again only where that can help."""

import os
from typing import Any

from prefect import flow, task

from visionbatch import Deepomatic
from visionbatch.errors import VisionBatchError


def may_help(_task: Any, _run: Any, state: Any) -> bool:
    """Whether the same again can end otherwise."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, VisionBatchError) or error.retry_safe


@task(retries=3, retry_delay_seconds=60, retry_condition_fn=may_help)
def send(work_orders: str, reports: str) -> dict[str, Any]:
    """One whole run; another try goes on where the last one stopped."""
    with Deepomatic.from_env() as site:
        return site.run(work_orders, report_dir=reports).to_json()


@flow
def inspections(work_orders: str, reports: str) -> dict[str, Any]:
    """Send a folder and give the manifest of its batch."""
    return send(work_orders, reports)


if __name__ == "__main__":
    manifest = inspections(
        os.environ.get("WORK_ORDERS", "/data/work_orders"), os.environ.get("REPORTS", "/data/reports")
    )
    print(manifest["batch_id"], manifest["outcome"])
