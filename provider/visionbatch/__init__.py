"""Bulk photos and videos to visual-inspection services, from any scheduler, with nothing lost.

The names below are the public ones. They load on first use, so that importing the package costs next to nothing.
The errors are in `visionbatch.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from visionbatch._version import __version__

if TYPE_CHECKING:
    from visionbatch.config import TransferSettings, settings_from
    from visionbatch.deepomatic.check_settings import CheckSettings
    from visionbatch.deepomatic.settings import DeepomaticSettings, site_url
    from visionbatch.errors import VisionBatchError, error_from_json
    from visionbatch.flow.ended import EndedSince
    from visionbatch.flow.judge import Outcome, Verdict, judge
    from visionbatch.flow.retry import RetryPolicy
    from visionbatch.flow.watch import Pace
    from visionbatch.io.run_files import FileRunStore
    from visionbatch.io.run_objects import ObjectRunStore
    from visionbatch.io.sinks import LocalSink, ObjectSink, Sink
    from visionbatch.model.listed import Listed
    from visionbatch.model.policy import OnPartial, OnTimeout, Policies
    from visionbatch.model.run import RunRecord, RunStore
    from visionbatch.model.secret import Secret, SecretUrl
    from visionbatch.model.snapshot import Counts, Phase, Snapshot
    from visionbatch.pipelines.all_well import manifest_if_all_well
    from visionbatch.pipelines.decide import Action, Decision
    from visionbatch.pipelines.deepomatic import Deepomatic, Tuning, deepomatic_site, token_header
    from visionbatch.pipelines.deepomatic_run import DeepomaticRun
    from visionbatch.pipelines.hub import Hub, await_end, hub
    from visionbatch.pipelines.inputs import Report
    from visionbatch.pipelines.manifest import Manifest
    from visionbatch.pipelines.progress import LoggedProgress
    from visionbatch.pipelines.site import Site
    from visionbatch.pipelines.submitted import Submitted
    from visionbatch.transfer.upload import Checkpoint

_HOMES = {
    "Action": "pipelines.decide",
    "CheckSettings": "deepomatic.check_settings",
    "Checkpoint": "transfer.upload",
    "Counts": "model.snapshot",
    "Decision": "pipelines.decide",
    "Deepomatic": "pipelines.deepomatic",
    "DeepomaticRun": "pipelines.deepomatic_run",
    "DeepomaticSettings": "deepomatic.settings",
    "EndedSince": "flow.ended",
    "FileRunStore": "io.run_files",
    "Hub": "pipelines.hub",
    "Listed": "model.listed",
    "LocalSink": "io.sinks",
    "LoggedProgress": "pipelines.progress",
    "Manifest": "pipelines.manifest",
    "ObjectRunStore": "io.run_objects",
    "ObjectSink": "io.sinks",
    "OnPartial": "model.policy",
    "OnTimeout": "model.policy",
    "Outcome": "flow.judge",
    "Pace": "flow.watch",
    "Phase": "model.snapshot",
    "Policies": "model.policy",
    "Report": "pipelines.inputs",
    "RetryPolicy": "flow.retry",
    "RunRecord": "model.run",
    "RunStore": "model.run",
    "Secret": "model.secret",
    "SecretUrl": "model.secret",
    "Sink": "io.sinks",
    "Site": "pipelines.site",
    "Snapshot": "model.snapshot",
    "Submitted": "pipelines.submitted",
    "TransferSettings": "config",
    "Tuning": "pipelines.deepomatic",
    "Verdict": "flow.judge",
    "VisionBatchError": "errors",
    "await_end": "pipelines.hub",
    "deepomatic_site": "pipelines.deepomatic",
    "error_from_json": "errors",
    "hub": "pipelines.hub",
    "judge": "flow.judge",
    "manifest_if_all_well": "pipelines.all_well",
    "settings_from": "config",
    "site_url": "deepomatic.settings",
    "token_header": "pipelines.deepomatic",
}

__all__ = [
    "Action",
    "CheckSettings",
    "Checkpoint",
    "Counts",
    "Decision",
    "Deepomatic",
    "DeepomaticRun",
    "DeepomaticSettings",
    "EndedSince",
    "FileRunStore",
    "Hub",
    "Listed",
    "LocalSink",
    "LoggedProgress",
    "Manifest",
    "ObjectRunStore",
    "ObjectSink",
    "OnPartial",
    "OnTimeout",
    "Outcome",
    "Pace",
    "Phase",
    "Policies",
    "Report",
    "RetryPolicy",
    "RunRecord",
    "RunStore",
    "Secret",
    "SecretUrl",
    "Sink",
    "Site",
    "Snapshot",
    "Submitted",
    "TransferSettings",
    "Tuning",
    "Verdict",
    "VisionBatchError",
    "__version__",
    "await_end",
    "deepomatic_site",
    "error_from_json",
    "hub",
    "judge",
    "manifest_if_all_well",
    "settings_from",
    "site_url",
    "token_header",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
