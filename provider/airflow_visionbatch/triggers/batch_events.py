"""Events for asset watchers: a batch of this site has ended, whoever made it."""

from __future__ import annotations

from airflow_visionbatch.triggers.ended_events import EndedEventTrigger


class DeepomaticBatchEventTrigger(EndedEventTrigger):
    """Tells of every batch of a site that ends, for an ``AssetWatcher``; its site must list its batches.

    Its arguments, and what holds over restarts: `airflow_visionbatch.triggers.ended_events.EndedEventTrigger`. Outcomes
    are ``done``, ``partial``, ``failed`` and ``cancelled``; a batch of `DeepomaticRunBatchOperator` has the operator's
    ``batch_label`` as its label. The payload has the id as ``batch_id``.
    """

    default_conn_name = "deepomatic_default"
    service = "deepomatic"
    ends = ("cancelled", "done", "failed", "partial")
