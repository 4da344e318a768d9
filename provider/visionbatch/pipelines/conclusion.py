"""What the end of a batch comes to: its error report, the counts, the verdict, the manifest."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from visionbatch.deepomatic.api import SERVICE
from visionbatch.deepomatic.error_report import ReportSummary, summarise
from visionbatch.errors import VisionBatchError
from visionbatch.flow.judge import Verdict
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Counts, Snapshot
from visionbatch.pipelines import ending
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted

log = logging.getLogger(__name__)


def concluded(
    site: Deepomatic, submitted: Submitted, snapshot: Snapshot, on_partial: OnPartial, sink: Sink | None
) -> tuple[Manifest, Verdict]:
    """Fetch the error report of a batch that has ended, judge, and write the manifest.

    The report is looked at whatever the service calls the end: a success with errors listed is a partial one.

    :param snapshot: the batch's last state.
    """
    summary, errors = _error_report(site, submitted.batch_id, sink)
    page = site.api.console_url(submitted.batch_id)
    return summed_up(submitted, snapshot, on_partial, page, summary, errors)


def summed_up(
    submitted: Submitted,
    snapshot: Snapshot,
    on_partial: OnPartial,
    page: str,
    summary: ReportSummary | None,
    errors: dict[str, Any],
) -> tuple[Manifest, Verdict]:
    """Judge what the service counts, as the error report corrects it, and write the manifest.

    :param page: where people follow the batch.
    :param summary: the error report in numbers; ``None`` when there is none.
    :param errors: what the manifest says of it.
    """
    counted = dataclasses.replace(snapshot, counts=_counts(snapshot.counts, summary, submitted))
    return ending.summed_up(submitted, counted, on_partial, page, errors=errors)


def _error_report(site: Deepomatic, batch_id: str, sink: Sink | None) -> tuple[ReportSummary | None, dict[str, Any]]:
    """The report in numbers, and what the manifest says of it; a report that cannot be had spoils no finished batch."""
    try:
        response = site.errors(batch_id)
    except VisionBatchError as error:
        log.warning("%s batch %s: the error report cannot be fetched: %s", SERVICE, batch_id, error.what)
        return None, {"unavailable": error.what}
    if response is None:
        log.info("%s batch %s: the site gives no error report by API", SERVICE, batch_id)
        return None, {}
    kind = response.headers.get("content-type", "")
    summary = summarise(response.body, kind)
    for line in summary.examples:
        log.warning("%s batch %s: %s", SERVICE, batch_id, line)
    name = f"{batch_id}.errors.{'csv' if 'csv' in kind else 'json'}"
    location = sink.write(name, response.body) if sink else ""
    return summary, told_of(summary, location)


def told_of(summary: ReportSummary, location: str = "") -> dict[str, Any]:
    """What a manifest says of an error report.

    :param location: where it was saved.
    """
    return {"lines": summary.lines, "by_code": dict(summary.by_code), "location": location}


def _counts(told: Counts | None, summary: ReportSummary | None, submitted: Submitted) -> Counts | None:
    """What the service counts, corrected by the report where that names more failures; the report's alone without."""
    total = told.total if told is not None else submitted.archive.get("work_orders")
    if summary is None or not isinstance(total, int):
        return told
    failed = min(summary.work_orders + (summary.unplaced > 0), max(total, 1))
    if told is not None and told.failed >= failed:
        return told
    return Counts(total, max(total - failed, 0), failed)
