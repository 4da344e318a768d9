"""JSON Schema in few words, and what one call of the control interface takes and gives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    """One argument of a call's query."""

    name: str
    schema: Schema
    required: bool = False

    def as_json(self) -> dict[str, Any]:
        """The argument as OpenAPI has it."""
        return {"name": self.name, "in": "query", "required": self.required, "schema": self.schema}


@dataclass(frozen=True, slots=True)
class Call:
    """What a call takes (None for nothing), the status of its answer, and what that holds."""

    takes: Schema | None
    status: int
    gives: Schema | None
    query: Iterable[Query] = ()
    media: str = JSON_BODY
    """Type of the body that it takes."""

    @property
    def needs_body(self) -> bool:
        """Whether the call is nothing without a body."""
        return self.takes is not None and bool({"required", "minProperties", "oneOf"} & set(self.takes))


Calls = Mapping[tuple[str, str], Call]
"""By method and path below the prefix."""
