"""Bulk photos and videos to visual-inspection services, from any scheduler, with nothing lost.

The names below are the public ones. They load on first use, so that importing the package costs next to nothing.
The errors are in `visionbatch.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from visionbatch._version import __version__

if TYPE_CHECKING:
    from visionbatch.config import DownloadSettings, TransferSettings, settings_from
    from visionbatch.deepomatic.check_settings import CheckSettings
    from visionbatch.deepomatic.export_config import ExportConfig
    from visionbatch.deepomatic.export_layout import ExportLayout, bucket_uri
    from visionbatch.deepomatic.settings import DeepomaticSettings, site_url
    from visionbatch.errors import VisionBatchError, error_from_json
    from visionbatch.flow.ended import EndedSince
    from visionbatch.flow.judge import Outcome, Verdict, judge, judge_many
    from visionbatch.flow.pace import Pace
    from visionbatch.flow.retry import RetryPolicy
    from visionbatch.io.clock import SystemClock, pause_until
    from visionbatch.io.folders import Folder, LocalFolder, ObjectFolder
    from visionbatch.io.gcs_bucket import GcsBucket
    from visionbatch.io.landing import Landing, LocalLanding, ObjectLanding
    from visionbatch.io.run_files import FileRunStore
    from visionbatch.io.run_objects import ObjectRunStore
    from visionbatch.io.s3_bucket import S3Bucket
    from visionbatch.io.sinks import LocalSink, ObjectSink, Sink
    from visionbatch.model.bounded_json import json_object
    from visionbatch.model.bucket_file import BucketFile
    from visionbatch.model.credential import InQuery
    from visionbatch.model.listed import Listed
    from visionbatch.model.notice import Notice, NoticeKind
    from visionbatch.model.outside import outside_url
    from visionbatch.model.policy import OnBrokenLine, OnFailedJob, OnInputChange, OnPartial, OnTimeout, Policies
    from visionbatch.model.refs import refs_of
    from visionbatch.model.run import RunRecord, RunStore
    from visionbatch.model.secret import Secret, SecretUrl
    from visionbatch.model.seen import Claim, SeenEvents
    from visionbatch.model.snapshot import Counts, Phase, Snapshot
    from visionbatch.model.tally import Fate, Tally
    from visionbatch.pipelines.all_well import manifest_if_all_well
    from visionbatch.pipelines.client import Tuning
    from visionbatch.pipelines.decide import Action, Decision
    from visionbatch.pipelines.deepomatic import Deepomatic, deepomatic_site, token_header
    from visionbatch.pipelines.deepomatic_run import DeepomaticRun
    from visionbatch.pipelines.export_arrival import Arrivals, Looked, looked, settled
    from visionbatch.pipelines.export_doctor import export_doctor
    from visionbatch.pipelines.export_fetch import Wanted, fetch_export
    from visionbatch.pipelines.export_link import fetch_link
    from visionbatch.pipelines.export_looks import export_looks
    from visionbatch.pipelines.export_manifest import FetchManifest, FetchOutcome, read_manifest
    from visionbatch.pipelines.export_settings import ExportSource
    from visionbatch.pipelines.export_tables import ExportTables, export_tables
    from visionbatch.pipelines.hub import Hub, await_end, hub
    from visionbatch.pipelines.inputs import Report
    from visionbatch.pipelines.manifest import Manifest
    from visionbatch.pipelines.progress import LoggedProgress
    from visionbatch.pipelines.reference_sources import references_at
    from visionbatch.pipelines.roboflow import Roboflow, roboflow_batches_site, roboflow_key, roboflow_site
    from visionbatch.pipelines.roboflow_fetch import FetchSettings, fetch_results
    from visionbatch.pipelines.roboflow_job import RoboflowJobRun
    from visionbatch.pipelines.roboflow_manifest import ResultsManifest, ResultsOutcome
    from visionbatch.pipelines.roboflow_stage import RoboflowStageRun
    from visionbatch.pipelines.row_settings import RowSettings
    from visionbatch.pipelines.site import Site
    from visionbatch.pipelines.stage_manifest import StageManifest
    from visionbatch.pipelines.submitted import Submitted
    from visionbatch.pipelines.vias import Vias, batch_ref
    from visionbatch.pipelines.vias_access import vias_site
    from visionbatch.pipelines.vias_answers import require_tasks
    from visionbatch.pipelines.vias_bucket import obs_uri, result_bucket, tasks_of_batch
    from visionbatch.pipelines.vias_create import ViasRun
    from visionbatch.pipelines.vias_manifest import BucketOutcome, ViasResults
    from visionbatch.pipelines.vias_results import WantedResults, fetch_vias_results
    from visionbatch.pipelines.vias_stream import (
        StreamResults,
        ViasStream,
        read_vias_stream,
        require_readable,
        stream_record,
    )
    from visionbatch.pipelines.vias_wait import LoggedTable, made_but_endless, require_finite, require_finite_sources
    from visionbatch.report.export import export_report
    from visionbatch.roboflow.ids import derived_job_id
    from visionbatch.roboflow.job import Compute, JobDefinition, JobKind
    from visionbatch.roboflow.media import Media
    from visionbatch.roboflow.notifications import roboflow_notice
    from visionbatch.roboflow.ready import BatchReadiness, ready_ref
    from visionbatch.roboflow.references import Reference, references_of
    from visionbatch.roboflow.settings import RoboflowSettings, roboflow_url
    from visionbatch.roboflow.stage_settings import StageSettings
    from visionbatch.transfer.unpack import Unpacked, unpack
    from visionbatch.transfer.unpack_budget import UnpackBudget
    from visionbatch.transfer.upload import Checkpoint
    from visionbatch.vias.account import IamUser
    from visionbatch.vias.batch_task import BatchTask
    from visionbatch.vias.dis import stream_in
    from visionbatch.vias.entries import AlgorithmEntry, CreatedTasks, GroupEntry, SourceEntry, TaskAnswer, TaskEntry
    from visionbatch.vias.notifications import vias_event_line, vias_notice
    from visionbatch.vias.outputs import DisOutput, ObsOutput, Outputs, WebhookOutput
    from visionbatch.vias.registered import GroupForm, SourceForm
    from visionbatch.vias.schedule import Period, Schedule, Weekday
    from visionbatch.vias.settings import ViasSettings
    from visionbatch.vias.signing import AccessKey
    from visionbatch.vias.single_task import SingleTask, TaskInput
    from visionbatch.vias.sources import VideoSource, VideoSourceGroup

_HOMES = {
    "AccessKey": "vias.signing",
    "Action": "pipelines.decide",
    "AlgorithmEntry": "vias.entries",
    "Arrivals": "pipelines.export_arrival",
    "BatchReadiness": "roboflow.ready",
    "BatchTask": "vias.batch_task",
    "BucketFile": "model.bucket_file",
    "BucketOutcome": "pipelines.vias_manifest",
    "CheckSettings": "deepomatic.check_settings",
    "Checkpoint": "transfer.upload",
    "Claim": "model.seen",
    "Compute": "roboflow.job",
    "Counts": "model.snapshot",
    "CreatedTasks": "vias.entries",
    "Decision": "pipelines.decide",
    "Deepomatic": "pipelines.deepomatic",
    "DeepomaticRun": "pipelines.deepomatic_run",
    "DeepomaticSettings": "deepomatic.settings",
    "DisOutput": "vias.outputs",
    "DownloadSettings": "config",
    "EndedSince": "flow.ended",
    "ExportConfig": "deepomatic.export_config",
    "ExportLayout": "deepomatic.export_layout",
    "ExportSource": "pipelines.export_settings",
    "ExportTables": "pipelines.export_tables",
    "Fate": "model.tally",
    "FetchManifest": "pipelines.export_manifest",
    "FetchOutcome": "pipelines.export_manifest",
    "FetchSettings": "pipelines.roboflow_fetch",
    "FileRunStore": "io.run_files",
    "Folder": "io.folders",
    "GcsBucket": "io.gcs_bucket",
    "GroupEntry": "vias.entries",
    "GroupForm": "vias.registered",
    "Hub": "pipelines.hub",
    "IamUser": "vias.account",
    "InQuery": "model.credential",
    "JobDefinition": "roboflow.job",
    "JobKind": "roboflow.job",
    "Landing": "io.landing",
    "Listed": "model.listed",
    "LocalFolder": "io.folders",
    "LocalLanding": "io.landing",
    "LocalSink": "io.sinks",
    "LoggedProgress": "pipelines.progress",
    "LoggedTable": "pipelines.vias_wait",
    "Looked": "pipelines.export_arrival",
    "Manifest": "pipelines.manifest",
    "Media": "roboflow.media",
    "Notice": "model.notice",
    "NoticeKind": "model.notice",
    "ObjectFolder": "io.folders",
    "ObjectLanding": "io.landing",
    "ObjectRunStore": "io.run_objects",
    "ObjectSink": "io.sinks",
    "ObsOutput": "vias.outputs",
    "OnBrokenLine": "model.policy",
    "OnFailedJob": "model.policy",
    "OnInputChange": "model.policy",
    "OnPartial": "model.policy",
    "OnTimeout": "model.policy",
    "Outcome": "flow.judge",
    "Outputs": "vias.outputs",
    "Pace": "flow.pace",
    "Period": "vias.schedule",
    "Phase": "model.snapshot",
    "Policies": "model.policy",
    "Reference": "roboflow.references",
    "Report": "pipelines.inputs",
    "ResultsManifest": "pipelines.roboflow_manifest",
    "ResultsOutcome": "pipelines.roboflow_manifest",
    "RetryPolicy": "flow.retry",
    "Roboflow": "pipelines.roboflow",
    "RoboflowJobRun": "pipelines.roboflow_job",
    "RoboflowSettings": "roboflow.settings",
    "RoboflowStageRun": "pipelines.roboflow_stage",
    "RowSettings": "pipelines.row_settings",
    "RunRecord": "model.run",
    "RunStore": "model.run",
    "S3Bucket": "io.s3_bucket",
    "Schedule": "vias.schedule",
    "Secret": "model.secret",
    "SecretUrl": "model.secret",
    "SeenEvents": "model.seen",
    "SingleTask": "vias.single_task",
    "Sink": "io.sinks",
    "Site": "pipelines.site",
    "Snapshot": "model.snapshot",
    "SourceEntry": "vias.entries",
    "SourceForm": "vias.registered",
    "StageManifest": "pipelines.stage_manifest",
    "StageSettings": "roboflow.stage_settings",
    "StreamResults": "pipelines.vias_stream",
    "Submitted": "pipelines.submitted",
    "SystemClock": "io.clock",
    "Tally": "model.tally",
    "TaskAnswer": "vias.entries",
    "TaskEntry": "vias.entries",
    "TaskInput": "vias.single_task",
    "TransferSettings": "config",
    "Tuning": "pipelines.client",
    "UnpackBudget": "transfer.unpack_budget",
    "Unpacked": "transfer.unpack",
    "Verdict": "flow.judge",
    "Vias": "pipelines.vias",
    "ViasResults": "pipelines.vias_manifest",
    "ViasRun": "pipelines.vias_create",
    "ViasSettings": "vias.settings",
    "ViasStream": "pipelines.vias_stream",
    "VideoSource": "vias.sources",
    "VideoSourceGroup": "vias.sources",
    "VisionBatchError": "errors",
    "Wanted": "pipelines.export_fetch",
    "WantedResults": "pipelines.vias_results",
    "WebhookOutput": "vias.outputs",
    "Weekday": "vias.schedule",
    "await_end": "pipelines.hub",
    "batch_ref": "pipelines.vias",
    "bucket_uri": "deepomatic.export_layout",
    "deepomatic_site": "pipelines.deepomatic",
    "derived_job_id": "roboflow.ids",
    "error_from_json": "errors",
    "export_doctor": "pipelines.export_doctor",
    "export_looks": "pipelines.export_looks",
    "export_report": "report.export",
    "export_tables": "pipelines.export_tables",
    "fetch_export": "pipelines.export_fetch",
    "fetch_link": "pipelines.export_link",
    "fetch_results": "pipelines.roboflow_fetch",
    "fetch_vias_results": "pipelines.vias_results",
    "hub": "pipelines.hub",
    "json_object": "model.bounded_json",
    "judge": "flow.judge",
    "judge_many": "flow.judge",
    "looked": "pipelines.export_arrival",
    "manifest_if_all_well": "pipelines.all_well",
    "obs_uri": "pipelines.vias_bucket",
    "outside_url": "model.outside",
    "pause_until": "io.clock",
    "read_manifest": "pipelines.export_manifest",
    "read_vias_stream": "pipelines.vias_stream",
    "ready_ref": "roboflow.ready",
    "references_at": "pipelines.reference_sources",
    "references_of": "roboflow.references",
    "refs_of": "model.refs",
    "made_but_endless": "pipelines.vias_wait",
    "require_finite": "pipelines.vias_wait",
    "require_finite_sources": "pipelines.vias_wait",
    "require_readable": "pipelines.vias_stream",
    "require_tasks": "pipelines.vias_answers",
    "result_bucket": "pipelines.vias_bucket",
    "roboflow_batches_site": "pipelines.roboflow",
    "roboflow_key": "pipelines.roboflow",
    "roboflow_notice": "roboflow.notifications",
    "roboflow_site": "pipelines.roboflow",
    "roboflow_url": "roboflow.settings",
    "settings_from": "config",
    "settled": "pipelines.export_arrival",
    "site_url": "deepomatic.settings",
    "stream_in": "vias.dis",
    "stream_record": "pipelines.vias_stream",
    "tasks_of_batch": "pipelines.vias_bucket",
    "token_header": "pipelines.deepomatic",
    "unpack": "transfer.unpack",
    "vias_event_line": "vias.notifications",
    "vias_notice": "vias.notifications",
    "vias_site": "pipelines.vias_access",
}

__all__ = [
    "AccessKey",
    "Action",
    "AlgorithmEntry",
    "Arrivals",
    "BatchReadiness",
    "BatchTask",
    "BucketFile",
    "BucketOutcome",
    "CheckSettings",
    "Checkpoint",
    "Claim",
    "Compute",
    "Counts",
    "CreatedTasks",
    "Decision",
    "Deepomatic",
    "DeepomaticRun",
    "DeepomaticSettings",
    "DisOutput",
    "DownloadSettings",
    "EndedSince",
    "ExportConfig",
    "ExportLayout",
    "ExportSource",
    "ExportTables",
    "Fate",
    "FetchManifest",
    "FetchOutcome",
    "FetchSettings",
    "FileRunStore",
    "Folder",
    "GcsBucket",
    "GroupEntry",
    "GroupForm",
    "Hub",
    "IamUser",
    "InQuery",
    "JobDefinition",
    "JobKind",
    "Landing",
    "Listed",
    "LocalFolder",
    "LocalLanding",
    "LocalSink",
    "LoggedProgress",
    "LoggedTable",
    "Looked",
    "Manifest",
    "Media",
    "Notice",
    "NoticeKind",
    "ObjectFolder",
    "ObjectLanding",
    "ObjectRunStore",
    "ObjectSink",
    "ObsOutput",
    "OnBrokenLine",
    "OnFailedJob",
    "OnInputChange",
    "OnPartial",
    "OnTimeout",
    "Outcome",
    "Outputs",
    "Pace",
    "Period",
    "Phase",
    "Policies",
    "Reference",
    "Report",
    "ResultsManifest",
    "ResultsOutcome",
    "RetryPolicy",
    "Roboflow",
    "RoboflowJobRun",
    "RoboflowSettings",
    "RoboflowStageRun",
    "RowSettings",
    "RunRecord",
    "RunStore",
    "S3Bucket",
    "Schedule",
    "Secret",
    "SecretUrl",
    "SeenEvents",
    "SingleTask",
    "Sink",
    "Site",
    "Snapshot",
    "SourceEntry",
    "SourceForm",
    "StageManifest",
    "StageSettings",
    "StreamResults",
    "Submitted",
    "SystemClock",
    "Tally",
    "TaskAnswer",
    "TaskEntry",
    "TaskInput",
    "TransferSettings",
    "Tuning",
    "UnpackBudget",
    "Unpacked",
    "Verdict",
    "Vias",
    "ViasResults",
    "ViasRun",
    "ViasSettings",
    "ViasStream",
    "VideoSource",
    "VideoSourceGroup",
    "VisionBatchError",
    "Wanted",
    "WantedResults",
    "WebhookOutput",
    "Weekday",
    "__version__",
    "await_end",
    "batch_ref",
    "bucket_uri",
    "deepomatic_site",
    "derived_job_id",
    "error_from_json",
    "export_doctor",
    "export_looks",
    "export_report",
    "export_tables",
    "fetch_export",
    "fetch_link",
    "fetch_results",
    "fetch_vias_results",
    "hub",
    "json_object",
    "judge",
    "judge_many",
    "looked",
    "made_but_endless",
    "manifest_if_all_well",
    "obs_uri",
    "outside_url",
    "pause_until",
    "read_manifest",
    "read_vias_stream",
    "ready_ref",
    "references_at",
    "references_of",
    "refs_of",
    "require_finite",
    "require_finite_sources",
    "require_readable",
    "require_tasks",
    "result_bucket",
    "roboflow_batches_site",
    "roboflow_key",
    "roboflow_notice",
    "roboflow_site",
    "roboflow_url",
    "settings_from",
    "settled",
    "site_url",
    "stream_in",
    "stream_record",
    "tasks_of_batch",
    "token_header",
    "unpack",
    "vias_event_line",
    "vias_notice",
    "vias_site",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
