"""What a mock can be told: behaviour that each tenant may change, and what is fixed at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from visionbatch_mock.exports.settings import READERS as EXPORT_READERS
from visionbatch_mock.exports.settings import ExportBehaviour
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.readers import SettingError, choice, choices, flag, names, positive, seconds, texts
from visionbatch_mock.roboflow.settings import READERS as ROBOFLOW_READERS
from visionbatch_mock.roboflow.settings import RoboflowBehaviour
from visionbatch_mock.storage.permissions import ALL, Permission
from visionbatch_mock.vias.settings import READERS as VIAS_READERS
from visionbatch_mock.vias.settings import ViasBehaviour

WEEK_S = 7 * 24 * 3600.0
"""Life of an upload session, by Google's resumable upload documentation."""


class Profile(StrEnum):
    """How far answers go beyond what the vendor's pages show."""

    STRICT = "strict"
    RICH = "rich"


class SessionKind(StrEnum):
    """Which of Google's two APIs a batch's upload session was begun with; they end differently."""

    JSON = "json"
    XML = "xml"


class ErrorReport(StrEnum):
    """Format of `GET /v0.2/batches/{id}/errors`; the vendor publishes none."""

    OFF = "off"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class DuplicatePolicy(StrEnum):
    """What a batch does with a work-order name that the site already has."""

    ALLOW = "allow"
    ERROR = "error"


class Advance(StrEnum):
    """What moves a batch on after its archive is complete."""

    TIME = "time"
    LOOKS = "looks"
    MANUAL = "manual"


class ValueType(StrEnum):
    """Types of metadata and parameters, by the vendor's metadata page."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How a batch moves on: by the tenant's clock, after `looks` reads of each state, or by hand."""

    mode: Advance = Advance.TIME
    looks: int = 1

    @classmethod
    def of(cls, value: object) -> Self:
        """The life cycle that a name (`"looks"`) or an object (`{"mode": .., "looks": 2}`) asks."""
        if isinstance(value, cls):
            return value
        told = {"mode": value} if isinstance(value, str) else value
        if not isinstance(told, Mapping) or not set(told) <= {"mode", "looks"}:
            raise SettingError(f"lifecycle: expected a mode and a number of looks, got {value!r}")
        looks = told.get("looks", 1)
        if not isinstance(looks, int) or looks < 0:
            raise SettingError(f"lifecycle: looks must be a whole number from 0, got {looks!r}")
        return cls(choice(Advance, "lifecycle mode", told.get("mode", Advance.TIME)), looks)


@dataclass(frozen=True, kw_only=True)
class Behaviour(ExportBehaviour, RoboflowBehaviour, ViasBehaviour):
    """What one tenant meets. Every field can be changed while the mock runs.

    Where the vendor's pages are silent the default is an assumption, which is why it is a setting.
    Times are seconds of the tenant's clock; sizes are bytes. Construction checks every value and
    raises `SettingError`.
    """

    profile: Profile = Profile.STRICT
    session_kind: SessionKind = SessionKind.JSON
    error_report: ErrorReport | None = None
    """None follows the profile: off when strict, JSON when rich."""
    auth_status: int = 403
    """Answer to a missing or wrong key: 403 as documented once, or 401 as the framework also does."""
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    queued_s: float = 1.0
    processing_s: float = 3.0
    status_words: Mapping[str, str] = field(default_factory=dict)
    """Other words for the batch states, keyed by the state's own word."""
    session_life_s: float = WEEK_S
    strict_chunks: bool = True
    """Refuse chunks below 256 KiB and keep only multiples of it, as the real service does."""
    persist_broken: bool = True
    """Keep the complete 256 KiB blocks of a request whose body broke off."""
    task_groups: tuple[str, ...] | None = None
    """Task groups of the deployed application; None admits any."""
    required_metadata: Mapping[str, ValueType] = field(default_factory=dict)
    required_parameters: Mapping[str, ValueType] = field(default_factory=dict)
    max_image_bytes: int = 5 * 1024 * 1024
    """The analysis endpoint documents 5 MB; assumed to hold inside archives too."""
    analysis_failures: Mapping[str, str] = field(default_factory=dict)
    """Work orders, by name, whose analysis fails, with the reason reported."""
    duplicate_policy: DuplicatePolicy = DuplicatePolicy.ALLOW
    implicit_buckets: bool = True
    """An upload makes the bucket that it names, as emulators do; else it takes a call to make one."""
    list_page_items: int = 1000
    """Objects on a page of a listing unless the request asks for fewer; 1000 by Google's JSON API."""
    reader_permissions: tuple[Permission, ...] = ALL
    """What every client holds in the tenant's buckets; whoever lacks one gets Google's 403."""

    def __post_init__(self) -> None:
        for name, read in _READERS.items():
            object.__setattr__(self, name, read(name, getattr(self, name)))

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same behaviour with `changes`; unknown names raise a `SettingError` naming all."""
        if unknown := sorted(set(changes) - set(_READERS)):
            raise SettingError(f"unknown settings {unknown}; known are {sorted(_READERS)}")
        return replace(self, **changes)

    @property
    def report(self) -> ErrorReport:
        """The error report's format once the profile has had its say."""
        if self.error_report is not None:
            return self.error_report
        return ErrorReport.OFF if self.profile is Profile.STRICT else ErrorReport.JSON

    def word(self, state: BatchState) -> str:
        """The word that this tenant's `status` key uses for `state`."""
        return self.status_words.get(state, state.value)

    def as_json(self) -> dict[str, Any]:
        """Every setting as JSON would write it."""
        shown = {name: getattr(self, name) for name in _READERS}
        cycle = self.lifecycle
        shown["lifecycle"] = {"mode": cycle.mode, "looks": cycle.looks}
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in shown.items()}


@dataclass(frozen=True, kw_only=True)
class MockConfig(Behaviour):
    """A mock at start: the behaviour of every new tenant, and what belongs to the whole process."""

    seed: int | None = None
    """Source of ids; None takes a new one each time."""
    control_token: str | None = None
    """When set, control calls need it in `X-Control-Token`."""
    speed: float = 1.0
    """How many seconds a new tenant's clock runs in a real second."""

    def behaviour(self) -> Behaviour:
        """The part that tenants may change."""
        return Behaviour(**{f.name: getattr(self, f.name) for f in fields(Behaviour)})


def _auth(name: str, value: Any) -> int:
    if isinstance(value, bool) or value not in [401, 403]:
        raise SettingError(f"{name}: 401 or 403, not {value!r}")
    return int(value)


def _words(name: str, value: Any) -> Mapping[str, str]:
    return MappingProxyType({choice(BatchState, name, k): v for k, v in texts(name, value).items()})


def _types(name: str, value: Any) -> Mapping[str, ValueType]:
    return MappingProxyType({k: choice(ValueType, name, v) for k, v in texts(name, value).items()})


_READERS: Mapping[str, Any] = MappingProxyType(
    {
        "profile": lambda n, v: choice(Profile, n, v),
        "session_kind": lambda n, v: choice(SessionKind, n, v),
        "error_report": lambda n, v: None if v is None else choice(ErrorReport, n, v),
        "auth_status": _auth,
        "lifecycle": lambda _, v: Lifecycle.of(v),
        "queued_s": seconds,
        "processing_s": seconds,
        "status_words": _words,
        "session_life_s": seconds,
        "strict_chunks": flag,
        "persist_broken": flag,
        "task_groups": names,
        "required_metadata": _types,
        "required_parameters": _types,
        "max_image_bytes": positive,
        "analysis_failures": texts,
        "duplicate_policy": lambda n, v: choice(DuplicatePolicy, n, v),
        "implicit_buckets": flag,
        "list_page_items": positive,
        "reader_permissions": lambda n, v: choices(Permission, n, v),
        **EXPORT_READERS,
        **VIAS_READERS,
        **ROBOFLOW_READERS,
    }
)
