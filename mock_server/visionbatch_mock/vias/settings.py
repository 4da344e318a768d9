"""What a tenant meets at VIAS and IAM: every question that Huawei's documents leave open, with a default.

Each default is an assumption unless its docstring names a source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from types import MappingProxyType
from typing import Any

from visionbatch_mock.readers import SettingError, choice, flag, names, positive, seconds, text
from visionbatch_mock.vias.codes import Code

ERROR_FIELDS = frozenset({"source", "code", "text"})
RESULT_FIELDS = frozenset({"path", "task_id", "timestamp", "message_id"})


class Count(StrEnum):
    """What `count` of the task list means, which its description leaves open."""

    TOTAL = "total"
    PAGE = "page"


class Action(StrEnum):
    """What is done to the tasks of a batch, one by one."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class ViasBehaviour:
    """How one account fares. Times are seconds of the tenant's clock, unless they say otherwise."""

    vias_secret_key: str = "secret"  # noqa: S105 - of a mock, and documented
    """Of the access key, which is the tenant's token."""
    vias_security_token: str | None = None
    """When set, the access key is a temporary one and needs this in `X-Security-Token`."""
    vias_password: str = "password"  # noqa: S105 - of a mock, and documented
    """Of the IAM user, whose name is the tenant's token."""
    vias_region: str = "cn-north-4"
    """The one region of the account; its project bears that name."""
    vias_check_tokens: bool = True
    """Off, any `X-Auth-Token` is good and names the tenant."""
    vias_check_signatures: bool = True
    """Off, the access key alone is believed."""
    vias_skew_s: float = 900.0
    """How far `X-Sdk-Date` may be from the clock: 15 minutes by Huawei's guide."""
    vias_lock_after: int = 5
    """So many refused signatures in a row are forgiven, by Huawei's guide; the next one locks the key."""
    vias_lock_s: float = 300.0
    vias_token_life_s: float = 86_400.0
    """24 hours by Huawei's IAM reference."""
    vias_auto_start: bool = True
    """Tasks start by themselves after their creation."""
    vias_error_text: str = "{source}: {code} {text}"
    """An entry of `error_list`."""
    vias_keep_failed: bool = True
    """A source that failed at creation is a task in CREATE_FAILED; else it leaves nothing behind."""
    vias_unique_names: bool = True
    vias_not_found: Code = Code.NO_ID
    """Code for the id of a batch that does not exist."""
    vias_open_sources: bool = False
    """Groups and sources that nobody made are made at their first mention, as files."""
    vias_open_services: bool = True
    """The same for algorithm services."""
    vias_empty_list_means_group: bool = True
    """An empty `video_source_list` means every source of the group."""
    vias_strict_actions: bool = False
    """Starting what runs and stopping what stands counts as failed; else as succeeded."""
    vias_tasks_count: Count = Count.TOTAL
    vias_finite_types: tuple[str, ...] = ("obs", "url")
    """Types of source that may end; a `url` ends when it has the extension of a video file."""
    vias_reject_unknown: bool = False
    """Refuse fields that the tables do not have, such as `priority` of the examples."""
    vias_strict_service_names: bool = True
    """Hold `service_name` to its pattern, which an example of the vendor does not match."""
    vias_task_quota: int = 1000
    vias_source_quota: int = 5000
    """As in the vendor's examples."""
    vias_group_quota: int = 200
    """As in the vendor's examples."""
    vias_durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds in a state, where they shall differ from the mock's own table."""
    vias_lives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Lives after creation or start, by id or name of a source, `*` for all others. Any word will do as a state."""
    vias_refusals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Sources, by id or name or `*`, whose task refuses `create`, `start`, `stop` or `delete`."""
    vias_event_type: int = 196_609
    """Kind of the events that tasks find: 196609 is an intrusion by Huawei's table."""
    vias_events: int = 1
    """Events that a task has found when it succeeds."""
    vias_event_every_s: float = 60.0
    """A running task on a stream finds something so often; 0 for never."""
    vias_obs_endpoint: str | None = None
    """URL of an S3 service on this machine that stands in for OBS; without one nothing is written."""
    vias_obs_key: str = "testing"
    vias_obs_secret: str = "testing"  # noqa: S105 - of a stand-in
    vias_obs_layout: str = "{path}/{task_id}/{timestamp}_{message_id}.json"
    """Key of a result file; the picture lies beside it as `.jpg`."""
    vias_webhook_retries: int = 2
    """How often a delivery that was not taken is tried again; anything but 2xx is not taken."""
    vias_webhook_pause_s: float = 1.0
    """Between two tries."""
    vias_webhook_timeout_s: float = 5.0
    """Of real time."""
    vias_webhook_copies: int = 1
    """Deliver what was taken so many times in all, as no guarantee excludes it; into a stream as well."""
    vias_stream_partitions: int = 2
    """Of a stream (DIS) that is made with its first record."""
    vias_stream_page: int = 100
    """Most records in one answer."""
    vias_count_errors: Mapping[str, int] = field(default_factory=dict)
    """What to add to the counts of answers about batches, which makes them disagree or negative."""


def _template(known: frozenset[str]) -> Any:
    def read(name: str, value: Any) -> str:
        try:
            used = {key for _, key, _, _ in Formatter().parse(text(name, value)) if key is not None}
        except ValueError as cause:
            raise SettingError(f"{name}: {value!r} is no template: {cause}") from cause
        if not used <= known:
            raise SettingError(f"{name}: unknown fields {sorted(used - known)}; known are {sorted(known)}")
        return str(value)

    return read


def _lists(name: str, value: Any) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise SettingError(f"{name}: expected an object of lists, got {value!r}")
    return MappingProxyType({str(key): names(name, told) or () for key, told in value.items()})


def _refusals(name: str, value: Any) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({choice(Action, name, key).value: told for key, told in _lists(name, value).items()})


def _durations(name: str, value: Any) -> Mapping[str, float]:
    if not isinstance(value, Mapping):
        raise SettingError(f"{name}: expected an object of seconds, got {value!r}")
    return MappingProxyType({str(state): seconds(name, told) for state, told in value.items()})


def _counts(name: str, value: Any) -> Mapping[str, int]:
    known = {"total_count", "succeed_count", "failed_count"}
    if not isinstance(value, Mapping) or not set(value) <= known:
        raise SettingError(f"{name}: expected an object with some of {sorted(known)}, got {value!r}")
    if not all(isinstance(told, int) for told in value.values()):
        raise SettingError(f"{name}: expected whole numbers, got {value!r}")
    return MappingProxyType(dict(value))


def _optional(name: str, value: Any) -> str | None:
    return None if value is None else text(name, value)


def _from_0(name: str, value: Any) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else positive(name, value)


READERS: Mapping[str, Any] = MappingProxyType(
    {
        "vias_secret_key": text,
        "vias_security_token": _optional,
        "vias_password": text,
        "vias_region": text,
        "vias_check_tokens": flag,
        "vias_check_signatures": flag,
        "vias_skew_s": seconds,
        "vias_lock_after": positive,
        "vias_lock_s": seconds,
        "vias_token_life_s": seconds,
        "vias_auto_start": flag,
        "vias_error_text": _template(ERROR_FIELDS),
        "vias_keep_failed": flag,
        "vias_unique_names": flag,
        "vias_not_found": lambda n, v: choice(Code, n, v),
        "vias_open_sources": flag,
        "vias_open_services": flag,
        "vias_empty_list_means_group": flag,
        "vias_strict_actions": flag,
        "vias_tasks_count": lambda n, v: choice(Count, n, v),
        "vias_finite_types": lambda n, v: names(n, v) or (),
        "vias_reject_unknown": flag,
        "vias_strict_service_names": flag,
        "vias_task_quota": positive,
        "vias_source_quota": positive,
        "vias_group_quota": positive,
        "vias_durations": _durations,
        "vias_lives": _lists,
        "vias_refusals": _refusals,
        "vias_event_type": positive,
        "vias_events": _from_0,
        "vias_event_every_s": seconds,
        "vias_obs_endpoint": _optional,
        "vias_obs_key": text,
        "vias_obs_secret": text,
        "vias_obs_layout": _template(RESULT_FIELDS),
        "vias_webhook_retries": _from_0,
        "vias_webhook_pause_s": seconds,
        "vias_webhook_timeout_s": seconds,
        "vias_webhook_copies": positive,
        "vias_stream_partitions": positive,
        "vias_stream_page": positive,
        "vias_count_errors": _counts,
    }
)
