"""The verdicts of a folder of work orders as a Dagster asset; the work is done by `dagster_process.py`.

A retry starts the same process again, which goes on where the last one stopped.
"""

import os
import sys
from pathlib import Path

import dagster as dg

WORK_ORDERS = os.environ.get("WORK_ORDERS", "/data/work_orders")
REPORTS = os.environ.get("REPORTS", "/data/reports")


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=3, delay=60))
def verdicts(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    """The batch that the work orders became, and what the service found."""
    process = Path(__file__).with_name("dagster_process.py")
    return pipes.run(
        context=context,
        command=[os.environ.get("PYTHON", sys.executable), str(process)],
        extras={"work_orders": WORK_ORDERS, "reports": REPORTS},
    ).get_materialize_result()


definitions = dg.Definitions(assets=[verdicts], resources={"pipes": dg.PipesSubprocessClient()})
