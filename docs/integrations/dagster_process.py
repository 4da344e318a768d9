"""A batch of work orders as a process that Dagster starts, see `dagster_assets.py`; it needs `dagster-pipes` alone.

The process may run in another environment, or on another machine, than Dagster itself.
"""

import sys

from dagster_pipes import PipesContext, open_dagster_pipes

from visionbatch import Deepomatic
from visionbatch.errors import VisionBatchError


def main(pipes: PipesContext) -> int:
    """Send the folder that the asset names, and report the batch as a materialization."""
    try:
        with Deepomatic.from_env() as site:
            manifest = site.run(pipes.get_extra("work_orders"), report_dir=pipes.get_extra("reports"))
    except VisionBatchError as error:
        pipes.log.error("%s", error)  # noqa: TRY400  # the message is all that whoever reads it can use
        return int(error.exit_code)
    pipes.report_asset_materialization(
        metadata={
            "batch_id": manifest.batch_id,
            "outcome": manifest.outcome,
            "counts": {"raw_value": manifest.counts, "type": "json"},
            "page": {"raw_value": manifest.console_url, "type": "url"},
        },
        data_version=manifest.archive["fingerprint"],
    )
    return 0


if __name__ == "__main__":
    with open_dagster_pipes() as opened:
        code = main(opened)
    sys.exit(code)
