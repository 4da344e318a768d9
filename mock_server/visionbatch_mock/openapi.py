"""The control interface as an OpenAPI 3.1 document, made from the routes themselves.

Paths, methods and texts come from the routes, so none can be missing; the table below adds what goes in and
what comes out. A route that is not in it takes and gives any JSON.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from flask import Flask

from visionbatch_mock.config import Behaviour
from visionbatch_mock.ledger import Effect
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.operations import Operation

PREFIX = "/_control"
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
YES: Schema = {"type": "boolean"}
ANY: Schema = {}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """An object of these keys and no others."""
    told = {"type": "object", "properties": {**required, **(optional or {})}, "additionalProperties": False}
    return {**told, "required": list(required), **more} if required else {**told, **more}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_INSTRUCTION: Schema = {"anyOf": [TEXT, {"type": "object", "required": ["fault"], "properties": {"fault": TEXT}}]}
_QUEUES: Schema = {
    "type": "object",
    "propertyNames": {"enum": [operation.value for operation in Operation]},
    "additionalProperties": _list(_INSTRUCTION),
}
_CLOCK = _object({"now": NUMBER, "speed": NUMBER, "frozen": YES})
_PLAN = _object(
    {
        "id": TEXT,
        "instructions": _QUEUES,
        "met": _list(_object({"instruction": TEXT, "operation": TEXT, "seq": WHOLE})),
        "completed": YES,
    }
)
_PRESET = _object({"name": TEXT, "text": TEXT, "instructions": _QUEUES})
_NEAR = _object({"path": TEXT, "methods": _list(TEXT), "difference": TEXT})
_ENTRY = _object(
    {
        "seq": WHOLE, "at": NUMBER, "method": TEXT, "path": TEXT, "operation": _or_null(TEXT), "query": _list(TEXT),
        "arguments": _list(TEXT), "content_range": _or_null(TEXT), "content_length": _or_null(WHOLE),
        "content_type": _or_null(TEXT), "received": WHOLE, "authorization": YES, "user_agent": _or_null(TEXT),
        "fault": _or_null(TEXT), "status": _or_null(WHOLE), "range": _or_null(TEXT), "matched": YES,
        "nearest": _or_null(_NEAR), "curl": TEXT,
    }
)  # fmt: skip
_EFFECT: Schema = {
    "type": "object",
    "required": ["seq", "at", "effect"],
    "properties": {"seq": WHOLE, "at": NUMBER, "effect": {"enum": [effect.value for effect in Effect]}},
}
_SESSION = _object({"id": TEXT, "state": TEXT, "persisted": WHOLE, "total": _or_null(WHOLE)})
_BATCH = _object(
    {
        "batch_id": TEXT, "filename": _or_null(TEXT), "state": {"enum": [state.value for state in BatchState]},
        "history": _list(_object({"at": TEXT, "state": TEXT})), "counts": {"type": "object"},
        "errors": _list({"type": "object"}), "work_orders": _list({"type": "object"}), "sessions": _list(_SESSION),
    }
)  # fmt: skip
_SETTINGS: Schema = {"type": "object", "propertyNames": {"enum": [field.name for field in fields(Behaviour)]}}
_RUN: Schema = {"type": "object", "required": ["run", "interval", "state", "error", "files", "images", "waiting"]}
_EXPORT: Schema = {"type": "object", "required": ["id", "export_type", "interval", "next_run", "runs"]}
_MAIL = _object(
    {"export_id": TEXT, "run": WHOLE, "to": _list(TEXT), "subject": TEXT, "sent": TEXT, "link": TEXT, "expires": TEXT}
)
_ERROR: Schema = _object({"error": TEXT})

_PLANNED: Schema = {"oneOf": [_object({"instructions": {**_QUEUES, "minProperties": 1}}), _object({"preset": NAME})]}
_MOVED: Schema = {
    "oneOf": [_object({"advance": ANY}), _object({"force": {"enum": [state.value for state in BatchState]}})]
}

# What goes in (None for nothing) and what comes out, with its status.
_CALLS: Mapping[tuple[str, str], tuple[Schema | None, int, Schema | None]] = {
    ("get", "/health"): (None, 200, _object({"status": {"const": "ok"}})),
    ("get", "/openapi.json"): (None, 200, {"type": "object", "required": ["openapi", "info", "paths"]}),
    ("post", "/reset"): (_object({}, {"all": YES}), 204, None),
    ("get", "/clock"): (None, 200, _CLOCK),
    ("post", "/clock"): (
        _object({}, {"freeze": YES, "advance": NUMBER, "set": NUMBER, "speed": NUMBER}, minProperties=1), 200, _CLOCK,
    ),
    ("post", "/faults"): (_PLANNED, 201, _PLAN),
    ("get", "/faults"): (None, 200, _list(_PLAN)),
    ("get", "/faults/presets"): (None, 200, _list(_PRESET)),
    ("get", "/faults/{plan_id}"): (None, 200, _PLAN),
    ("delete", "/faults/{plan_id}"): (None, 204, None),
    ("get", "/journal"): (None, 200, _list(_ENTRY)),
    ("get", "/ledger"): (None, 200, _list(_EFFECT)),
    ("get", "/settings"): (None, 200, _SETTINGS),
    ("patch", "/settings"): (_SETTINGS, 200, _SETTINGS),
    ("post", "/batches"): (_object({}, {"filename": _or_null(TEXT)}), 201, _object({"batch_id": TEXT})),
    ("get", "/batches/{batch_id}"): (None, 200, _BATCH),
    ("post", "/batches/{batch_id}"): (_MOVED, 200, _BATCH),
    ("post", "/sessions/{batch_id}/{act}"): (None, 200, _object({"url": TEXT, "state": TEXT})),
    ("post", "/tokens/revoke"): (_object({"token": NAME}), 204, None),
    ("post", "/exports"): ({"type": "object"}, 201, _EXPORT),
    ("get", "/exports"): (None, 200, _list(_EXPORT)),
    ("get", "/exports/{export_id}"): (None, 200, _EXPORT),
    ("delete", "/exports/{export_id}"): (None, 204, None),
    ("post", "/exports/{export_id}/run"): (_object({}, {"since": _or_null(NUMBER)}), 201, _RUN),
    ("post", "/exports/{export_id}/seed"): ({"type": "object"}, 204, None),
    ("get", "/mails"): (None, 200, _list(_MAIL)),
    ("post", "/links/{token}/expire"): (None, 204, None),
    ("post", "/links/{token}/renew"): (None, 201, _MAIL),
    ("post", "/buckets"): (_object({"name": NAME}), 201, _object({"name": TEXT})),
    ("get", "/snapshots"): (None, 200, _list(_object({"id": TEXT, "at": NUMBER}))),
    ("post", "/snapshots"): (None, 201, _object({"id": TEXT, "at": NUMBER})),
    ("post", "/snapshots/{snapshot_id}/restore"): (None, 204, None),
    ("delete", "/snapshots/{snapshot_id}"): (None, 204, None),
}  # fmt: skip

_QUERY: Mapping[str, tuple[str, Schema]] = {
    "/journal": ("operation", TEXT),
    "/ledger": ("effect", {"enum": [effect.value for effect in Effect]}),
}


def document(app: Flask) -> dict[str, Any]:
    """The document of an application's control routes."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, text in _routes(app):
        paths.setdefault(PREFIX + path, {})[method] = _operation(path, method, text)
    return {
        "openapi": "3.1.0",
        "info": {"title": "visionbatch-mock control", "version": "1", "description": str(__doc__)},
        "security": [{"tenant": []}, {}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "tenant": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`Token <key>`, which picks the tenant",
                }
            },
        },
    }  # fmt: skip


def _routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"{PREFIX}/"):
            path = _PARAMETER.sub(r"{\1}", rule.rule.removeprefix(PREFIX))
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield path, method.lower(), (app.view_functions[rule.endpoint].__doc__ or "").strip()


def _operation(path: str, method: str, text: str) -> dict[str, Any]:
    taken, status, given = _CALLS.get((method, path), (ANY, 200, ANY))
    told: dict[str, Any] = {
        "summary": text.partition("\n")[0],
        "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": NAME} for name in re.findall(r"{(\w+)}", path)
        ],
        "responses": {
            str(status): _content(text, given),
            "4XX": _content("Refused, with the reason.", _ERROR),
        },
    }
    if path in _QUERY:
        name, schema = _QUERY[path]
        told["parameters"].append({"name": name, "in": "query", "required": False, "schema": schema})
    if taken is not None:
        told["requestBody"] = {
            "required": "required" in taken or "minProperties" in taken or "oneOf" in taken,
            "content": {"application/json": {"schema": taken}},
        }
    return told


def _content(text: str, schema: Schema | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": text.partition("\n")[0] or "Done."}
    return described if schema is None else {**described, "content": {"application/json": {"schema": schema}}}
