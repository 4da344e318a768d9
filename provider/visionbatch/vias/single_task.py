"""A single task as it is asked for: one algorithm over up to fifty inputs, in no batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from visionbatch.model.finding import Finding
from visionbatch.model.secret import Secret
from visionbatch.vias.fields import listed, only, refuse, typed
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.task_body import TaskBody

MOST_INPUTS = 50

INPUT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "video_source": ("video_source_id",),
    "obs": ("bucket", "path"),
    "url": ("url",),
    "restful": ("url", "rtsp_path_in_response", "certificate_check", "headers"),
    "edgecamera": ("id",),
    "vcn": ("device_id", "stream_type"),
}
"""Kinds of input, and the fields of one; all but the first are deprecated (the vendor's API definition)."""

ANYWHERE = ("index", "stream_name")
"""Fields that any input but a video source may have: one in the text and the examples, one in the definition."""

VCN_FIELDS = ("ip", "port", "username", "password")
_SECRET = frozenset({"url", "headers", "username", "password"})
"""Fields in which a key or a password may stand."""


@dataclass(frozen=True)
class TaskInput:
    """What a single task looks at; addresses and passwords in it do not print.

    :param type: ``video_source``, or one of the older kinds: ``obs``, ``url``, ``restful``, ``edgecamera``, ``vcn``.
    :param data: one object for each input, with the documented fields of its kind.
    :param vcn: of type ``vcn``: ``ip``, ``port``, ``username`` and ``password``.
    """

    type: str
    data: tuple[Mapping[str, Any], ...] = field(repr=False)
    vcn: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", tuple(self.data))

    @classmethod
    def of_sources(cls, *source_ids: str) -> TaskInput:
        """The one kind of input that is not deprecated: video sources, each a task of its own."""
        return cls("video_source", tuple({"video_source_id": source_id} for source_id in source_ids))

    def findings(self, path: str = "input") -> Iterator[Finding]:
        """What is wrong with it; no value that may be secret is repeated."""
        if self.type not in INPUT_FIELDS:
            yield RULES["input-type"].broken(f"{path}.type", f"{self.type!r}: {RULES['input-type'].says}")
            return
        if self.type != "video_source":
            yield RULES["input-deprecated"].broken(f"{path}.type", f"{self.type}: {RULES['input-deprecated'].says}")
        if not 1 <= len(self.data) <= MOST_INPUTS:
            yield RULES["inputs-count"].broken(f"{path}.data", f"{len(self.data)} inputs; 1 to {MOST_INPUTS}")
        for number, each in enumerate(self.data):
            yield from self._findings_of(each, f"{path}.data[{number}]")
        if (self.vcn is not None) != (self.type == "vcn"):
            yield RULES["input-vcn"].broken(f"{path}.vcn")

    def _findings_of(self, each: Mapping[str, Any], path: str) -> Iterator[Finding]:
        checked = {"video_source": ("source-id", "video_source_id"), "obs": ("obs-bucket", "bucket")}
        for rule, name in [checked[self.type]] if self.type in checked else []:
            yield from RULES[rule].on(f"{path}.{name}", each.get(name))
        if self.type == "obs":
            yield from RULES["obs-path"].on(f"{path}.path", each.get("path"))
        if self.type == "vcn" and each.get("stream_type") not in (1, 2, 3):
            yield RULES["input-vcn"].broken(f"{path}.stream_type")
        if len(each.get("headers") or ()) > 10:
            yield RULES["webhook-headers"].broken(f"{path}.headers", "at most 10")

    def to_json(self) -> dict[str, Any]:
        """The documented object; what may be secret in it is a `Secret`."""
        told: dict[str, Any] = {"type": self.type, "data": [_hidden(each) for each in self.data]}
        return told if self.vcn is None else {**told, "vcn": _hidden(self.vcn)}

    @classmethod
    def from_json(cls, value: Any, path: str = "input") -> TaskInput:
        """Read the documented object.

        :raises InvalidInput: when it is another.
        """
        found = only(value, ("type", "data", "vcn"), path)
        kind = typed(found.get("type"), str, f"{path}.type")
        items = listed(found.get("data"), f"{path}.data")
        if kind not in INPUT_FIELDS:
            refuse([RULES["input-type"].broken(f"{path}.type")])
        known = INPUT_FIELDS[kind] + (() if kind == "video_source" else ANYWHERE)
        data = tuple(only(item, known, f"{path}.data[{number}]") for number, item in enumerate(items))
        vcn = None if found.get("vcn") is None else only(found["vcn"], VCN_FIELDS, f"{path}.vcn")
        return cls(kind, data, vcn)


@dataclass(frozen=True)
class SingleTask(TaskBody):
    """Tasks that belong to no batch, one for each input; its other fields are those of `TaskBody`.

    :param inputs: 1 to 50 to create, exactly one to change a task.
    """

    inputs: TaskInput

    looks_at: ClassVar[str] = "input"
    what: ClassVar[str] = "task"

    @classmethod
    def from_json(cls, value: Any) -> SingleTask:
        """Read a request body as the vendor documents it; unknown fields become ``extra_body``.

        :raises InvalidInput: for a field of a wrong type, with its path.
        """
        body = typed(value, dict, "")
        return cls(inputs=TaskInput.from_json(body.get(cls.looks_at)), **cls._read(body))

    def check_change(self) -> tuple[Finding, ...]:
        """The warnings, for somebody who changes a task to this.

        :raises InvalidInput: as `check` does, and for other than one input.
        """
        found = self.check()
        if len(self.inputs.data) != 1:
            refuse([RULES["inputs-count"].broken("input.data", "an update takes exactly one")])
        return found

    def _input_findings(self) -> Iterator[Finding]:
        yield from self.inputs.findings()

    def _input_json(self) -> dict[str, Any]:
        return self.inputs.to_json()


def _hidden(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _secret(value) if name in _SECRET else value for name, value in told.items()}


def _secret(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _secret(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_secret(item) for item in value]
    return Secret(value) if isinstance(value, str) else value
