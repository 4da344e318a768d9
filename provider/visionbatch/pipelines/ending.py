"""How every run ends: its last state, the verdict, the manifest, and the record of all that."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

from visionbatch.errors import DeadlinePassed, VisionBatchError
from visionbatch.flow.judge import Outcome, Verdict, judge
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnPartial, OnTimeout, Policies
from visionbatch.model.run import Stage
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted

log = logging.getLogger(__name__)

Summing = Callable[[Snapshot], tuple[Manifest, Verdict]]
"""Looks at what a service says of something that has ended, and gives manifest and verdict."""


def summed_up(
    submitted: Submitted,
    snapshot: Snapshot,
    on_partial: OnPartial,
    page: str,
    *,
    errors: dict[str, Any] | None = None,
    results: dict[str, Any] | None = None,
) -> tuple[Manifest, Verdict]:
    """Judge, and write the manifest.

    :param page: where people follow the batch or job.
    :param errors: what the manifest says of what failed.
    :param results: what it says of where results are.
    """
    counts = snapshot.counts
    verdict = judge(snapshot, on_partial)
    manifest = dataclasses.replace(
        submitted.manifest(page),
        outcome=verdict.outcome.value,
        status=snapshot.native,
        counts=dict(vars(counts)) if counts else {},
        errors=errors or {},
        results=results or {},
    )
    return manifest, verdict


def conclude(
    journal: Journal,
    policies: Policies,
    submitted: Submitted,
    end: Callable[[], Snapshot],
    *,
    sum_up: Summing,
    cancel: Callable[[], None],
    sink: Sink | None = None,
    deliver: Callable[[Manifest], None] | None = None,
) -> Manifest:
    """Take the end of a batch or job, judge, and give the manifest of an accepted outcome.

    :param end: gives the last state: by waiting here, or by reading what a triggerer saw.
    :param sum_up: what the service's own run makes of it.
    :param cancel: ends the batch or job, for ``on_timeout``.
    :param sink: where the manifest goes.
    :param deliver: called with the manifest before a refused outcome is raised.
    :raises DeadlinePassed: when ``end`` does; it is cancelled first if ``on_timeout`` says so.
    :raises JobError: for an outcome that the policies do not accept.
    """
    journal.record = submitted.record
    service, ref = submitted.record.service, submitted.batch_id
    try:
        snapshot = end()
    except DeadlinePassed as passed:
        if policies.on_timeout is OnTimeout.CANCEL:
            _cancel_after(passed, cancel)
        raise
    manifest, verdict = sum_up(snapshot)
    journal.update(stage=Stage.ENDED, outcome=verdict.outcome.value)
    level = logging.INFO if verdict.outcome is Outcome.DONE else logging.WARNING
    log.log(level, "%s %s: %s", service, ref, verdict.reason)
    if sink is not None:
        sink.write(f"{ref}.manifest.json", json.dumps(manifest.to_json(), indent=1).encode())
    if deliver is not None:
        deliver(manifest)
    verdict.require(service, ref)
    return manifest


def _cancel_after(passed: DeadlinePassed, cancel: Callable[[], None]) -> None:
    """Cancel at the deadline; what goes wrong with that must not hide the deadline."""
    try:
        cancel()
    except VisionBatchError as error:
        passed.add_note(f"cancelling it failed too: {error}")
        log.warning("what passed its deadline is not cancelled: %s", error)
