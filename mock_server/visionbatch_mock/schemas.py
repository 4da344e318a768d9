"""JSON Schema in few words, and what one call takes and gives, for the OpenAPI documents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from visionbatch_mock.operations import Operation

JSON_BODY = "application/json"
BYTES_BODY = "application/octet-stream"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
YES: Schema = {"type": "boolean"}
SURE: Schema = {"const": True}
MAP: Schema = {"type": "object"}
ANY: Schema = {}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """An object of these keys and no others."""
    told = {"type": "object", "properties": {**required, **(optional or {})}, "additionalProperties": False}
    return {**told, "required": list(required), **more} if required else {**told, **more}


def open_record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object that has these keys, and perhaps others."""
    told = {"type": "object", "properties": {**required, **(optional or {})}}
    return {**told, "required": list(required)} if required else told


def list_of(items: Schema) -> Schema:
    """A list of things of one kind."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """A thing that may be missing."""
    return {"anyOf": [schema, {"type": "null"}]}


def word_of(kind: type[StrEnum]) -> Schema:
    """A member of a closed set."""
    return {"enum": [member.value for member in kind]}


def either(*schemas: Schema) -> Schema:
    """Exactly one of several forms."""
    return {"oneOf": list(schemas)}


@dataclass(frozen=True, slots=True)
class Query:
    """One argument of a call, of its query unless `place` says `header`."""

    name: str
    schema: Schema
    required: bool = False
    place: str = "query"

    def as_json(self) -> dict[str, Any]:
        """The argument as OpenAPI has it."""
        return {"name": self.name, "in": self.place, "required": self.required, "schema": self.schema}


@dataclass(frozen=True, slots=True)
class Call:
    """What a call takes (None for nothing), the status of its answer, and what that holds."""

    takes: Schema | None
    status: int
    gives: Schema | None
    query: Iterable[Query] = ()
    media: str = JSON_BODY
    """Type of the body that it takes."""
    others: Mapping[str, Schema] = field(default_factory=dict)
    """What else the answer may hold, by its type."""
    also: Mapping[int, Schema | None] = field(default_factory=dict)
    """Other statuses of answers that are no refusal."""

    @property
    def needs_body(self) -> bool:
        """Whether the call is nothing without a body."""
        return self.takes is not None and bool({"required", "minProperties", "oneOf"} & set(self.takes))


Calls = Mapping[Operation | tuple[str, str], Call]
"""By operation; by method and path for routes that serve none, or several."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one document describes: the routes of some blueprints, and how they refuse.

    `places` are the parameters of paths that are no free text.
    """

    name: str
    title: str
    text: str
    blueprints: frozenset[str]
    calls: Calls
    refusals: Mapping[str, Schema]
    """What a 4XX holds, by its type."""
    keys: Mapping[str, Mapping[str, str]]
    """Security schemes, each of which opens the service by itself."""
    places: Mapping[str, Schema] = field(default_factory=dict)
