"""Entries of the lists of tasks, sources, groups, algorithms and edge pools, and what acting on a task has come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from visionbatch.model.text import TEXT_SHOWN, printable
from visionbatch.vias.decode import Answer


class _HoldsFacts:
    """An entry whose ``facts`` stay inside: they may repeat headers, addresses and passwords."""

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, without anything that may be secret."""
        return {name: item for name, item in vars(self).items() if name != "facts"}


@dataclass(frozen=True)
class TaskEntry(_HoldsFacts):
    """A single task, or one of a batch.

    :param state: upper-case, as the service writes it.
    :param source: name of its video source.
    :param created: Unix seconds; ``None`` when the answer does not say.
    :param trouble: what the service says is wrong with it, only in the detail.
    :param facts: the whole answer. It does not print: the detail repeats headers and addresses.
    """

    task_id: str
    name: str
    state: str
    source: str
    created: float | None
    trouble: str = ""
    facts: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def read(cls, value: Mapping[str, Any], task_id: str = "") -> TaskEntry:
        """An entry of the list, or the detail."""
        error = value.get("error")
        wrong = f"{_text(error, 'code')} {_text(error, 'message')}".strip() if isinstance(error, Mapping) else ""
        return cls(
            _text(value, "id") or task_id,
            _text(value, "name"),
            _text(value, "state").upper(),
            _text(value, "video_source_name"),
            moment(value.get("created_at")),
            wrong or _text(value, "status"),
            value,
        )


@dataclass(frozen=True)
class TaskAnswer:
    """What starting, stopping, changing or deleting a single task has come to; HTTP 200 may hold another status.

    :param status: as the body says it; 200 when it says nothing, for the documents leave the body open.
    :param message: the service's word.
    """

    task_id: str
    status: int = 200
    message: str = ""

    @classmethod
    def read(cls, value: Any, task_id: str) -> TaskAnswer:
        """Whatever was in the body."""
        told = value if isinstance(value, Mapping) else {}
        status = told.get("status_code")
        return cls(task_id, status if type(status) is int else 200, _text(told, "status_msg"))

    @property
    def answer(self) -> Answer:
        """The same in the form in which the answers of batches are judged."""
        failed = int(not 200 <= self.status < 300)
        errors = (f"{self.status} {self.message}".strip(),) if failed else ()
        return Answer(self.task_id, 1, failed, 1 - failed, errors)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return dict(vars(self))


@dataclass(frozen=True)
class CreatedTasks:
    """Single tasks that were made: fewer than asked for, when some could not be.

    :param wanted: inputs that were asked for.
    """

    task_ids: tuple[str, ...]
    wanted: int

    @property
    def answer(self) -> Answer:
        """The same in the form in which the answers of batches are judged."""
        made = min(len(self.task_ids), self.wanted)
        return Answer(", ".join(self.task_ids), self.wanted, self.wanted - made, made)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return {"task_ids": list(self.task_ids), "wanted": self.wanted}


@dataclass(frozen=True)
class SourceEntry(_HoldsFacts):
    """A registered video source.

    :param status: such as ``Online``.
    :param created: Unix seconds.
    :param facts: the whole answer. It does not print: ``type_config`` may hold a password.
    """

    source_id: str
    name: str
    type: str
    access_type: str
    status: str
    created: float | None
    facts: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def read(cls, value: Mapping[str, Any], source_id: str = "") -> SourceEntry:
        """An entry of the list, or the detail, which does not repeat the id."""
        status = value.get("status")
        return cls(
            _text(value, "video_source_id") or source_id,
            _text(value, "video_source_name"),
            _text(value, "type"),
            _text(value, "access_type"),
            _text(status, "status") if isinstance(status, Mapping) else "",
            moment(value.get("create_at")),
            value,
        )


@dataclass(frozen=True)
class GroupEntry(_HoldsFacts):
    """A registered group of video sources.

    :param sources: how many it has.
    :param created: Unix seconds.
    :param facts: the whole answer.
    """

    group_id: str
    name: str
    access_type: str
    sources: int
    created: float | None
    facts: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def read(cls, value: Mapping[str, Any], group_id: str = "") -> GroupEntry:
        """An entry of the list, or the detail."""
        count = value.get("num_video_source")
        return cls(
            _text(value, "video_group_id") or group_id,
            _text(value, "video_group_name"),
            _text(value, "access_type"),
            count if type(count) is int else 0,
            moment(value.get("create_at")),
            value,
        )


@dataclass(frozen=True)
class AlgorithmEntry:
    """An algorithm service of the account, with the words that a task names it by.

    :param title: for people.
    :param api: ``service_name`` of a task; empty when the service does not tell.
    :param version: ``service_version`` of a task.
    :param status: tasks need ``service_running``.
    :param deploy_type: ``cloud`` or ``edge``.
    :param output_types: of ``OBS``, ``DIS`` and ``Webhook``; empty when the service does not tell.
    """

    service_id: str
    title: str
    api: str
    version: str
    status: str
    deploy_type: str
    output_types: tuple[str, ...] = ()

    @classmethod
    def read(cls, value: Mapping[str, Any], detail: Mapping[str, Any]) -> AlgorithmEntry:
        """An entry of the list, with its detail."""
        limits = detail.get("deployment_constraints")
        types = limits.get("output_types") if isinstance(limits, Mapping) else None
        return cls(
            _text(value, "service_id"),
            _text(value, "service_name"),
            _text(detail, "api"),
            _text(detail, "function_version") or _text(value, "function_version"),
            _text(value, "alg_status"),
            _text(value, "deploy_type"),
            tuple(str(word) for word in types) if isinstance(types, list) else (),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return {**vars(self), "output_types": list(self.output_types)}


@dataclass(frozen=True)
class EdgePool:
    """A pool of edge nodes."""

    pool_id: str
    name: str

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return dict(vars(self))


def moment(value: Any) -> float | None:
    """Unix seconds out of any of the three forms: milliseconds as a number, or as a text, or ISO 8601."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return int(value) / 1000
        found = datetime.fromisoformat(value)
        return found.timestamp() if found.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return printable(found, TEXT_SHOWN) if isinstance(found, str) else ""
