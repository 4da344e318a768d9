"""What the end of a batch comes to: its error report, the counts, the verdict, the manifest."""

from __future__ import annotations

import dataclasses
import logging

from visionbatch.deepomatic.api import SERVICE
from visionbatch.deepomatic.error_report import ReportSummary, summarise
from visionbatch.flow.judge import Verdict, judge
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Counts, Snapshot
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
    summary, location = _error_report(site, submitted.batch_id, sink)
    counts = snapshot.counts or _counts_from(summary, submitted)
    verdict = judge(dataclasses.replace(snapshot, counts=counts), on_partial)
    errors = {"lines": summary.lines, "by_code": dict(summary.by_code), "location": location} if summary else {}
    manifest = dataclasses.replace(
        submitted.manifest(site.api.console_url(submitted.batch_id)),
        outcome=verdict.outcome.value,
        status=snapshot.native,
        counts=dict(vars(counts)) if counts else {},
        errors=errors,
    )
    return manifest, verdict


def _error_report(site: Deepomatic, batch_id: str, sink: Sink | None) -> tuple[ReportSummary | None, str]:
    response = site.errors(batch_id)
    if response is None:
        log.info("%s batch %s: the site gives no error report by API", SERVICE, batch_id)
        return None, ""
    kind = response.headers.get("content-type", "")
    summary = summarise(response.body, kind)
    for line in summary.examples:
        log.warning("%s batch %s: %s", SERVICE, batch_id, line)
    suffix = "csv" if "csv" in kind else "json"
    return summary, sink.write(f"{batch_id}.errors.{suffix}", response.body) if sink else ""


def _counts_from(summary: ReportSummary | None, submitted: Submitted) -> Counts | None:
    """Counts for a service that gives none: the report names the work orders that failed."""
    total = submitted.archive.get("work_orders")
    if summary is None or not isinstance(total, int):
        return None
    return Counts(total, max(total - summary.work_orders, 0), summary.work_orders)
