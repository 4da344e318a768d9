"""What the requests for a batch task and for a single task have in common: all but what they look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from hashlib import sha256
from typing import Any, ClassVar, Self

from visionbatch.model.finding import Finding
from visionbatch.model.secret import written_out
from visionbatch.vias.fields import only, refuse, typed
from visionbatch.vias.outputs import Outputs
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.schedule import Schedule

MOST_BYTES = 12_000_000
"""Of a signed request's body (Huawei's guide to signing); read as decimal, the lesser of the two."""

FIXED = frozenset({"service_name", "service_version"})
"""Fields that no update changes."""


@dataclass(frozen=True)
class TaskBody(ABC):
    """One algorithm, where its results go, and when it works.

    :param name: unique in the project; up to 100 letters, digits, Chinese characters, ``-`` and ``_``.
    :param service_name: the algorithm's API id: ``api`` in the detail of the service, not the name for people.
    :param service_version: such as ``1.0``.
    :param schedule: weekly plan; without one the tasks run until they are stopped or their input ends.
    :param common: settings of the algorithm, as its publisher describes them (``config.common``).
    :param save_as_template: keep the configuration as a template, in the console (``is_saved_as_template``).
    :param resource_order_id: for commercial algorithms.
    :param extra_body: further fields, sent as they are, such as ``priority`` and ``manufacturer``, which the vendor's
        examples have and its tables do not.
    """

    name: str
    service_name: str
    service_version: str
    _: KW_ONLY
    outputs: Outputs
    description: str | None = None
    schedule: Schedule | None = None
    common: Mapping[str, Any] | None = None
    save_as_template: bool = False
    resource_order_id: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    looks_at: ClassVar[str]
    """Field of the request with what it looks at."""
    what: ClassVar[str]
    """What is asked for, for people."""

    @abstractmethod
    def _input_findings(self) -> Iterator[Finding]:
        """What is wrong with what it looks at."""

    @abstractmethod
    def _input_json(self) -> dict[str, Any]:
        """The documented object of what it looks at."""

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Fields of the request body, as its page lists them (table 3)."""
        return (
            "name", "description", "schedule", cls.looks_at, "output", "config", "service_name", "service_version",
            "is_saved_as_template", "resource_order_id",
        )  # fmt: skip

    def named(self, name: str) -> Self:
        """The same under another name."""
        return replace(self, name=name)

    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong or odd, in the order of the documents."""
        return (*self._task_findings(), *self._parts_findings())

    def check(self) -> tuple[Finding, ...]:
        """The warnings.

        :raises InvalidInput: when a documented rule is broken, with its name; nothing has been sent.
        """
        found = self.findings()
        refuse(found, f"the {self.what} breaks documented rules; nothing was sent")
        return found

    def to_json(self) -> dict[str, Any]:
        """The documented request body; what may be secret in it is a `Secret`."""
        optional = {
            "description": self.description,
            "schedule": self.schedule.to_json() if self.schedule is not None else None,
            "config": {"common": dict(self.common)} if self.common is not None else None,
            "resource_order_id": self.resource_order_id,
        }
        return {
            "name": self.name,
            "service_name": self.service_name,
            "service_version": self.service_version,
            "is_saved_as_template": self.save_as_template,
            self.looks_at: self._input_json(),
            "output": self.outputs.to_json(),
            **{name: value for name, value in optional.items() if value is not None},
            **self.extra_body,
        }

    def changes(self) -> dict[str, Any]:
        """The same as an update takes it: algorithm and version stay, for they cannot be changed."""
        return {name: item for name, item in self.to_json().items() if name not in FIXED}

    def fingerprint(self) -> str:
        """SHA-256 over all that is asked for but the name, in hexadecimal: what a later try compares."""
        return sha256(written_out(self.named("").to_json(), sort_keys=True)).hexdigest()

    @classmethod
    def _read(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a request body has for all but the input; unknown fields become ``extra_body``.

        :raises InvalidInput: for a field of a wrong type, with its path.
        """
        config = only(body.get("config") or {}, ("common",), "config")
        common = config.get("common")
        return {
            "name": typed(body.get("name"), str, "name"),
            "service_name": typed(body.get("service_name"), str, "service_name"),
            "service_version": typed(body.get("service_version"), str, "service_version"),
            "outputs": Outputs.from_json(body.get("output")),
            "description": _optional(body, "description"),
            "schedule": None if body.get("schedule") is None else Schedule.from_json(body["schedule"]),
            "common": None if common is None else typed(common, dict, "config.common"),
            "save_as_template": typed(body.get("is_saved_as_template", False), bool, "is_saved_as_template"),
            "resource_order_id": _optional(body, "resource_order_id"),
            "extra_body": {name: item for name, item in body.items() if name not in cls.fields()},
        }

    def _task_findings(self) -> Iterator[Finding]:
        yield from RULES["name"].on("name", self.name)
        if self.description is not None:
            yield from RULES["description-length"].on("description", self.description)
        yield from RULES["service-name"].on("service_name", self.service_name)
        yield from RULES["service-version"].on("service_version", self.service_version)
        if self.resource_order_id is not None:
            yield from RULES["resource-order-id"].on("resource_order_id", self.resource_order_id)
        for name in sorted(set(self.extra_body) & set(self.fields())):
            yield RULES["extra-field"].broken(f"extra_body.{name}")

    def _parts_findings(self) -> Iterator[Finding]:
        yield from self._input_findings()
        yield from self.outputs.findings()
        if self.schedule is not None:
            yield from self.schedule.findings()
        yield from self._size_findings()

    def _size_findings(self) -> Iterator[Finding]:
        try:
            size = len(written_out(self.to_json()))
        except (TypeError, ValueError, RecursionError) as error:
            yield RULES["config-common"].broken("config.common", f"it is not JSON: {error}")
        else:
            if size > MOST_BYTES:
                yield RULES["body-size"].broken("", f"{size} bytes; at most {MOST_BYTES}")


def _optional(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else typed(body[name], str, name)
