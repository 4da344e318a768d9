"""Whenever a batch of the site ends, whoever sent it: say how many work orders were analysed.

The triggerer looks at the site's list of batches, once for all watchers of a connection; no task waits. Needs a site
that lists its batches.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_visionbatch.triggers.batch_events import DeepomaticBatchEventTrigger

ended = Asset(
    "deepomatic://deepomatic_default/ended",
    watchers=[
        AssetWatcher(
            name="batch_ended",
            trigger=DeepomaticBatchEventTrigger(conn_id="deepomatic_default", poll_interval=60),
        )
    ],
)


@dag(schedule=[ended], catchup=False, tags=["visionbatch", "deepomatic"], doc_md=__doc__)
def deepomatic_on_batch_end() -> None:
    """Tell the counts of the batches that have ended."""

    @task
    def tell(triggering_asset_events: Any = None) -> list[str]:
        """One sentence for each batch; a busy site may end several between two runs."""
        told = []
        for event in triggering_asset_events[ended]:
            batch = event.extra["payload"]
            counts = batch["counts"] or {"total": "?", "succeeded": "?", "failed": "?"}
            told.append(
                f"Batch {batch['batch_id']} ({batch['label'] or 'no label'}): {batch['outcome']}; "
                f"{counts['succeeded']} of {counts['total']} work orders analysed, {counts['failed']} failed"
            )
        return told

    tell()


deepomatic_on_batch_end()
