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
    from visionbatch.flow.judge import Outcome, Verdict, judge, judge_many
    from visionbatch.flow.pace import Pace
    from visionbatch.flow.retry import RetryPolicy
    from visionbatch.io.clock import pause_until
    from visionbatch.io.run_files import FileRunStore
    from visionbatch.io.run_objects import ObjectRunStore
    from visionbatch.io.sinks import LocalSink, ObjectSink, Sink
    from visionbatch.model.listed import Listed
    from visionbatch.model.policy import OnBrokenLine, OnPartial, OnTimeout, Policies
    from visionbatch.model.refs import refs_of
    from visionbatch.model.run import RunRecord, RunStore
    from visionbatch.model.secret import Secret, SecretUrl
    from visionbatch.model.snapshot import Counts, Phase, Snapshot
    from visionbatch.model.tally import Fate, Tally
    from visionbatch.pipelines.decide import Action, Decision
    from visionbatch.pipelines.deepomatic import Deepomatic, Tuning, deepomatic_site, token_header
    from visionbatch.pipelines.deepomatic_run import DeepomaticRun
    from visionbatch.pipelines.export_settings import ExportSource
    from visionbatch.pipelines.export_tables import ExportTables, export_tables
    from visionbatch.pipelines.hub import Hub, await_end, hub
    from visionbatch.pipelines.inputs import Report
    from visionbatch.pipelines.manifest import Manifest
    from visionbatch.pipelines.progress import LoggedProgress
    from visionbatch.pipelines.site import Site
    from visionbatch.pipelines.submitted import Submitted
    from visionbatch.report.export import export_report
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
    "ExportSource": "pipelines.export_settings",
    "ExportTables": "pipelines.export_tables",
    "Fate": "model.tally",
    "FileRunStore": "io.run_files",
    "Hub": "pipelines.hub",
    "Listed": "model.listed",
    "LocalSink": "io.sinks",
    "LoggedProgress": "pipelines.progress",
    "Manifest": "pipelines.manifest",
    "ObjectRunStore": "io.run_objects",
    "ObjectSink": "io.sinks",
    "OnBrokenLine": "model.policy",
    "OnPartial": "model.policy",
    "OnTimeout": "model.policy",
    "Outcome": "flow.judge",
    "Pace": "flow.pace",
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
    "Tally": "model.tally",
    "TransferSettings": "config",
    "Tuning": "pipelines.deepomatic",
    "Verdict": "flow.judge",
    "VisionBatchError": "errors",
    "await_end": "pipelines.hub",
    "deepomatic_site": "pipelines.deepomatic",
    "error_from_json": "errors",
    "export_report": "report.export",
    "export_tables": "pipelines.export_tables",
    "hub": "pipelines.hub",
    "judge": "flow.judge",
    "judge_many": "flow.judge",
    "pause_until": "io.clock",
    "refs_of": "model.refs",
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
    "ExportSource",
    "ExportTables",
    "Fate",
    "FileRunStore",
    "Hub",
    "Listed",
    "LocalSink",
    "LoggedProgress",
    "Manifest",
    "ObjectRunStore",
    "ObjectSink",
    "OnBrokenLine",
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
    "Tally",
    "TransferSettings",
    "Tuning",
    "Verdict",
    "VisionBatchError",
    "__version__",
    "await_end",
    "deepomatic_site",
    "error_from_json",
    "export_report",
    "export_tables",
    "hub",
    "judge",
    "judge_many",
    "pause_until",
    "refs_of",
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
