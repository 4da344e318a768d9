"""The control interface as an OpenAPI 3.1 document, made from the routes themselves.

Paths, methods and texts come from the routes, so none can be missing; the table below adds what goes in and
what comes out; those of Roboflow and VIAS have theirs in their rooms.
"""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from flask import Flask

from visionbatch_mock.config import Behaviour
from visionbatch_mock.ledger import Effect
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.operations import Operation
from visionbatch_mock.roboflow.control_calls import CALLS as ROBOFLOW_CALLS
from visionbatch_mock.schemas import (
    ANY,
    JSON_BODY,
    MAP,
    NAME,
    NUMBER,
    TEXT,
    WHOLE,
    YES,
    Call,
    Calls,
    Query,
    Schema,
    either,
    list_of,
    or_null,
    record,
    word_of,
)
from visionbatch_mock.vias.control_calls import CALLS as VIAS_CALLS

PREFIX = "/_control"
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")

_INSTRUCTION: Schema = {"anyOf": [TEXT, {"type": "object", "required": ["fault"], "properties": {"fault": TEXT}}]}
_QUEUES: Schema = {
    "type": "object",
    "propertyNames": {"enum": [operation.value for operation in Operation]},
    "additionalProperties": list_of(_INSTRUCTION),
}
_CLOCK = record({"now": NUMBER, "speed": NUMBER, "frozen": YES})
_PLAN = record(
    {
        "id": TEXT,
        "instructions": _QUEUES,
        "met": list_of(record({"instruction": TEXT, "operation": TEXT, "seq": WHOLE})),
        "lapsed": _QUEUES,
        "completed": YES,
    }
)
_PRESET = record({"name": TEXT, "text": TEXT, "instructions": _QUEUES})
_NEAR = record({"path": TEXT, "methods": list_of(TEXT), "difference": TEXT})
_ENTRY = record(
    {
        "seq": WHOLE, "at": NUMBER, "method": TEXT, "path": TEXT, "operation": or_null(TEXT), "query": list_of(TEXT),
        "arguments": list_of(TEXT), "content_range": or_null(TEXT), "content_length": or_null(WHOLE),
        "content_type": or_null(TEXT), "received": WHOLE, "authorization": YES, "user_agent": or_null(TEXT),
        "fault": or_null(TEXT), "status": or_null(WHOLE), "range": or_null(TEXT), "matched": YES,
        "nearest": or_null(_NEAR), "curl": TEXT,
    }
)  # fmt: skip
_EFFECT: Schema = {
    "type": "object",
    "required": ["seq", "at", "effect"],
    "properties": {"seq": WHOLE, "at": NUMBER, "effect": word_of(Effect)},
}
_SESSION = record({"id": TEXT, "state": TEXT, "persisted": WHOLE, "total": or_null(WHOLE)})
_BATCH = record(
    {
        "batch_id": TEXT, "filename": or_null(TEXT), "state": word_of(BatchState),
        "history": list_of(record({"at": TEXT, "state": TEXT})), "counts": MAP,
        "errors": list_of(MAP), "work_orders": list_of(MAP), "sessions": list_of(_SESSION),
    }
)  # fmt: skip
_SETTINGS: Schema = {"type": "object", "propertyNames": {"enum": [field.name for field in fields(Behaviour)]}}
_RUN: Schema = {"type": "object", "required": ["run", "interval", "state", "error", "files", "images", "waiting"]}
_EXPORT: Schema = {"type": "object", "required": ["id", "export_type", "interval", "next_run", "runs"]}
_MAIL = record(
    {"export_id": TEXT, "run": WHOLE, "to": list_of(TEXT), "subject": TEXT, "sent": TEXT, "link": TEXT, "expires": TEXT}
)
_ERROR: Schema = record({"error": TEXT})

_PLANNED = either(
    record({"instructions": {**_QUEUES, "minProperties": 1}}, {"seed": {"type": ["string", "integer"]}}),
    record({"preset": NAME}),
)
_MOVED = either(record({"advance": ANY}), record({"force": word_of(BatchState)}))

_OWN: Calls = {
    ("get", "/health"): Call(None, 200, record({"status": {"const": "ok"}})),
    ("get", "/openapi.json"): Call(None, 200, {"type": "object", "required": ["openapi", "info", "paths"]}),
    ("post", "/reset"): Call(record({}, {"all": YES}), 204, None),
    ("get", "/clock"): Call(None, 200, _CLOCK),
    ("post", "/clock"): Call(
        record({}, {"freeze": YES, "advance": NUMBER, "set": NUMBER, "speed": NUMBER}, minProperties=1), 200, _CLOCK,
    ),
    ("post", "/faults"): Call(_PLANNED, 201, _PLAN),
    ("get", "/faults"): Call(None, 200, list_of(_PLAN)),
    ("get", "/faults/presets"): Call(None, 200, list_of(_PRESET)),
    ("get", "/faults/{plan_id}"): Call(None, 200, _PLAN),
    ("delete", "/faults/{plan_id}"): Call(None, 204, None),
    ("get", "/journal"): Call(None, 200, list_of(_ENTRY), (Query("operation", TEXT),)),
    ("get", "/ledger"): Call(None, 200, list_of(_EFFECT), (Query("effect", word_of(Effect)),)),
    ("get", "/settings"): Call(None, 200, _SETTINGS),
    ("patch", "/settings"): Call(_SETTINGS, 200, _SETTINGS),
    ("post", "/batches"): Call(record({}, {"filename": or_null(TEXT)}), 201, record({"batch_id": TEXT})),
    ("get", "/batches/{batch_id}"): Call(None, 200, _BATCH),
    ("post", "/batches/{batch_id}"): Call(_MOVED, 200, _BATCH),
    ("post", "/sessions/{batch_id}/{act}"): Call(None, 200, record({"url": TEXT, "state": TEXT})),
    ("post", "/tokens/revoke"): Call(record({"token": NAME}), 204, None),
    ("post", "/exports"): Call(MAP, 201, _EXPORT),
    ("get", "/exports"): Call(None, 200, list_of(_EXPORT)),
    ("get", "/exports/{export_id}"): Call(None, 200, _EXPORT),
    ("delete", "/exports/{export_id}"): Call(None, 204, None),
    ("post", "/exports/{export_id}/run"): Call(record({}, {"since": or_null(NUMBER)}), 201, _RUN),
    ("post", "/exports/{export_id}/seed"): Call(MAP, 204, None),
    ("get", "/mails"): Call(None, 200, list_of(_MAIL)),
    ("post", "/links/{token}/expire"): Call(None, 204, None),
    ("post", "/links/{token}/renew"): Call(None, 201, _MAIL),
    ("post", "/buckets"): Call(record({"name": NAME}), 201, record({"name": TEXT})),
    ("get", "/snapshots"): Call(None, 200, list_of(record({"id": TEXT, "at": NUMBER}))),
    ("post", "/snapshots"): Call(None, 201, record({"id": TEXT, "at": NUMBER})),
    ("post", "/snapshots/{snapshot_id}/restore"): Call(None, 204, None),
    ("delete", "/snapshots/{snapshot_id}"): Call(None, 204, None),
}  # fmt: skip

CALLS: Calls = {**_OWN, **ROBOFLOW_CALLS, **VIAS_CALLS}


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
    call = CALLS.get((method, path), Call(ANY, 200, ANY))
    told: dict[str, Any] = {
        "summary": text.partition("\n")[0],
        "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": NAME} for name in re.findall(r"{(\w+)}", path)),
            *(argument.as_json() for argument in call.query),
        ],
        "responses": {
            str(call.status): _content(text, call.gives),
            "4XX": _content("Refused, with the reason.", _ERROR),
        },
    }
    if call.takes is not None:
        told["requestBody"] = {"required": call.needs_body, "content": {call.media: {"schema": call.takes}}}
    return told


def _content(text: str, schema: Schema | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": text.partition("\n")[0] or "Done."}
    return described if schema is None else {**described, "content": {JSON_BODY: {"schema": schema}}}
