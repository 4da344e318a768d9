"""What the last state of a batch or job comes to: verdict and manifest."""

from __future__ import annotations

import dataclasses
from typing import Any

from visionbatch.flow.judge import Verdict, judge
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted


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
