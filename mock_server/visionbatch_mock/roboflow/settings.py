"""What the vendor's pages leave open about data staging and batch jobs, as settings of a tenant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from visionbatch_mock.readers import SettingError, choice, choices, flag, names, positive, seconds, texts

MIB = 1024 * 1024
WEEK_S = 7 * 24 * 3600.0
_SLUG = re.compile(r"[a-z0-9-]+")


class Scope(StrEnum):
    """What a key may do in batch processing, by the vendor's guide to scoped keys."""

    READ = "batch-processing:read"
    TRIGGER = "batch-processing:trigger"


class ErrorForm(StrEnum):
    """The two shapes of an error's body that are on record; a 401 always has the second."""

    TEXT = "text"
    OBJECT = "object"


class Sameness(StrEnum):
    """What marks a request for references as the repetition of an earlier one."""

    INGEST_ID = "ingest-id"
    CONTENT = "content"
    EITHER = "either"


class Outcome(StrEnum):
    """How a job ends that nothing else decides."""

    SUCCESS = "success"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class RoboflowBehaviour:
    """How the service treats one workspace. Times are seconds of the tenant's clock."""

    roboflow_workspace: str = "mock-workspace"
    """The slug in every path; any other is not found."""
    roboflow_error_form: ErrorForm = ErrorForm.TEXT
    roboflow_scopes: tuple[Scope, ...] = tuple(Scope)
    """What the key may do; a call beyond is a 403."""
    roboflow_batch_plan: bool = True
    """False: the workspace's plan has no batch processing, and jobs and references get a 402."""
    roboflow_credits: bool = True
    """False: the credits are used up, and a new job gets a 429 before anything else is looked at."""
    roboflow_page_items: int = 100
    """Entries on a page unless the request asks for fewer; of jobs there are 10, as in the clients."""
    roboflow_null_tokens: bool = True
    """The last page says `nextPageToken: null`; false leaves the key out where the clients allow it."""
    roboflow_looping_tokens: bool = False
    """Every page has a token, and the token leads to the first page again."""

    roboflow_indexing_s: float = 1.0
    """From a shard's last byte, or a list of references, to its images in the count."""
    roboflow_upload_life_s: float = 3600.0
    """Life of a signed upload URL; the vendor names none."""
    roboflow_download_life_s: float = 24 * 3600.0
    roboflow_batch_life_s: float = WEEK_S
    roboflow_extension_headers: Mapping[str, str] = field(
        default_factory=lambda: {"x-goog-content-length-range": "0,5368709120"}
    )
    """Headers that a signed upload has to bring with exactly these values."""
    roboflow_max_images_in_archive: int = 500
    roboflow_max_image_bytes: int = 20 * MIB
    roboflow_max_file_bytes: int = 5 * 1024 * MIB
    """Largest body of a signed upload; told as `maxFileSizeBytes`, a name of ours."""
    roboflow_lost_shards: tuple[int, ...] = ()
    """Shards of every batch, by number from 1 in order of their arrival, whose ingest fails."""
    roboflow_shard_words: Mapping[str, str] = field(default_factory=dict)
    """Other words for `statusName` and `statusType` of shards, keyed by the mock's own."""
    roboflow_trusted_hosts: tuple[str, ...] | None = (
        "storage.googleapis.com", ".amazonaws.com", ".blob.core.windows.net", ".r2.cloudflarestorage.com",
    )  # fmt: skip
    """Hosts of references; a name that begins with a dot means all below it, null trusts everybody."""
    roboflow_fetch_references: bool = False
    """Fetch what references point to; else their names and hosts are all that is looked at."""
    roboflow_sameness: Sameness = Sameness.EITHER

    roboflow_queued_s: float = 1.0
    roboflow_processing_s: float = 3.0
    roboflow_export_s: float = 1.0
    roboflow_abort_s: float = 0.0
    """From an abort to its end."""
    roboflow_images_per_task: int = 256
    """Images of a simple batch that one task takes; of a sharded one each shard is a task."""
    roboflow_workflows: tuple[str, ...] | None = None
    """Workflows that the workspace has; a job of any other fails. Null knows them all."""
    roboflow_outcome: Outcome = Outcome.SUCCESS
    roboflow_image_failures: Mapping[str, str] = field(default_factory=dict)
    """Files, by name, that no job can process, with the cause that results and logs give."""
    roboflow_lost_tasks_error: bool = False
    """Whether a job that finished with some of its tasks given up says `error`; unpublished."""

    roboflow_webhook_attempts: int = 5
    roboflow_webhook_pause_s: float = 2.0
    """Pause after a refused delivery; doubled with each."""
    roboflow_webhook_copies: int = 1
    """How often each event is delivered although it was taken."""
    roboflow_webhook_newest_first: bool = False
    """Deliver events that are due together in the wrong order."""


def _workspace(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise SettingError(f"{name}: expected letters, digits and '-', got {value!r}")
    return value


def _numbers(name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise SettingError(f"{name}: expected a list of numbers, got {value!r}")
    return tuple(sorted({positive(name, each) for each in value}))


READERS: Mapping[str, Any] = MappingProxyType(
    {
        "roboflow_workspace": _workspace,
        "roboflow_error_form": lambda n, v: choice(ErrorForm, n, v),
        "roboflow_scopes": lambda n, v: choices(Scope, n, v),
        "roboflow_batch_plan": flag,
        "roboflow_credits": flag,
        "roboflow_page_items": positive,
        "roboflow_null_tokens": flag,
        "roboflow_looping_tokens": flag,
        "roboflow_indexing_s": seconds,
        "roboflow_upload_life_s": seconds,
        "roboflow_download_life_s": seconds,
        "roboflow_batch_life_s": seconds,
        "roboflow_extension_headers": texts,
        "roboflow_max_images_in_archive": positive,
        "roboflow_max_image_bytes": positive,
        "roboflow_max_file_bytes": positive,
        "roboflow_lost_shards": _numbers,
        "roboflow_shard_words": texts,
        "roboflow_trusted_hosts": names,
        "roboflow_fetch_references": flag,
        "roboflow_sameness": lambda n, v: choice(Sameness, n, v),
        "roboflow_queued_s": seconds,
        "roboflow_processing_s": seconds,
        "roboflow_export_s": seconds,
        "roboflow_abort_s": seconds,
        "roboflow_images_per_task": positive,
        "roboflow_workflows": names,
        "roboflow_outcome": lambda n, v: choice(Outcome, n, v),
        "roboflow_image_failures": texts,
        "roboflow_lost_tasks_error": flag,
        "roboflow_webhook_attempts": positive,
        "roboflow_webhook_pause_s": seconds,
        "roboflow_webhook_copies": positive,
        "roboflow_webhook_newest_first": flag,
    }
)
