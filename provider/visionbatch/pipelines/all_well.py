"""The end of a batch that leaves nothing to do: concluded on an event loop, in passing, without a worker."""

from __future__ import annotations

from visionbatch.deepomatic.api import DeepomaticApi
from visionbatch.deepomatic.error_report import summarise
from visionbatch.errors import VisionBatchError
from visionbatch.flow.effects import Flow
from visionbatch.flow.judge import Outcome, judge
from visionbatch.model.policy import OnPartial, PartialAction
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.conclusion import summed_up, told_of
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.site import Watched
from visionbatch.pipelines.submitted import Submitted

LARGEST_REPORT = 16 * 1024
"""Bytes of an error report that is still read here: reading a longer one would hold thousands of other waits up."""

_ALL = OnPartial(PartialAction.FAIL)


def manifest_if_all_well(api: Watched, submitted: Submitted, snapshot: Snapshot) -> Flow[Manifest | None]:
    """The manifest of a batch in which nothing failed, by its last state and by its error report.

    ``None`` stands for everything else, for there is more to do: a report to fetch and to keep, a policy to ask, an
    error to raise. So it does when the report cannot be had now, for a worker has the patience to ask again.
    """
    if not isinstance(api, DeepomaticApi) or judge(snapshot, _ALL).outcome is not Outcome.DONE:
        return None
    try:
        response = yield from api.error_report(submitted.batch_id)
    except VisionBatchError:
        return None
    if response is not None and len(response.body) > LARGEST_REPORT:
        return None
    summary = None if response is None else summarise(response.body, response.headers.get("content-type", ""))
    if summary is not None and summary.lines:
        return None
    page = api.console_url(submitted.batch_id)
    manifest, _ = summed_up(submitted, snapshot, _ALL, page, summary, told_of(summary) if summary else {})
    return manifest
