"""What the calls of the control interface take and give, for its OpenAPI document.

Those about Roboflow and VIAS have their tables in their rooms.
"""

from dataclasses import fields
from types import MappingProxyType

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
    Service,
    either,
    list_of,
    or_null,
    record,
    word_of,
)
from visionbatch_mock.vias.control_calls import CALLS as VIAS_CALLS

PREFIX = "/_control"

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
        "history": list_of(record({"at": TEXT, "state": TEXT})), "stalled": YES, "counts": MAP,
        "errors": list_of(MAP), "work_orders": list_of(MAP), "sessions": list_of(_SESSION),
    }
)  # fmt: skip
_SETTINGS: Schema = {"type": "object", "propertyNames": {"enum": [field.name for field in fields(Behaviour)]}}
_RUN: Schema = {"type": "object", "required": ["run", "interval", "state", "error", "files", "images", "waiting"]}
_EXPORT: Schema = {"type": "object", "required": ["id", "export_type", "interval", "next_run", "runs"]}
_MAIL = record(
    {"export_id": TEXT, "run": WHOLE, "to": list_of(TEXT), "subject": TEXT, "sent": TEXT, "link": TEXT, "expires": TEXT}
)
_DOCUMENT: Schema = {"type": "object", "required": ["openapi", "info", "paths"]}

_PLANNED = either(
    record({"instructions": {**_QUEUES, "minProperties": 1}}, {"seed": {"type": ["string", "integer"]}}),
    record({"preset": NAME}),
)
_MOVED = either(record({"advance": ANY}), record({"force": word_of(BatchState)}), record({"stall": YES}))

_CALLS: dict[tuple[str, str], Call] = {
    ("get", "/health"): Call(None, 200, record({"status": {"const": "ok"}})),
    ("get", "/openapi.json"): Call(None, 200, _DOCUMENT),
    ("get", "/openapi/{service}.json"): Call(None, 200, _DOCUMENT),
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

_RETRY_TEST = record({"id": TEXT, "instructions": _QUEUES, "completed": YES, "transport": {"const": "HTTP"}})
_BESIDE: Calls = {
    ("post", "/retry_test"): Call(
        record({"instructions": {**_QUEUES, "minProperties": 1}}, {"transport": TEXT}), 200, _RETRY_TEST
    ),
    ("get", "/retry_tests"): Call(None, 200, record({"retry_test": list_of(_RETRY_TEST)})),
    ("get", "/retry_test/{plan_id}"): Call(None, 200, _RETRY_TEST),
    ("delete", "/retry_test/{plan_id}"): Call(None, 200, None),
    ("get", "/health"): Call(None, 200, record({"status": {"const": "ok"}})),
    ("get", "/ready"): Call(None, 200, record({"status": {"const": "ready"}}), also={503: MAP}),
    ("get", "/metrics"): Call(None, 200, None, others={"text/plain": TEXT}),
}
"""What the mock has beside the control interface that is of no service."""

CALLS = {**_CALLS, **ROBOFLOW_CALLS, **VIAS_CALLS}
"""By method and path below the prefix."""
_BELOW: Calls = {(method, PREFIX + path): call for (method, path), call in CALLS.items()}

SERVICE = Service(
    "control",
    "visionbatch-mock control",
    "What a test may do to the mock and ask of it.",
    frozenset({"control", "retry_tests", "probes"}),
    MappingProxyType({**_BELOW, **_BESIDE}),
    {JSON_BODY: record({"error": TEXT})},
    {
        "tenant": {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`Token <key>`, which picks the tenant",
        }
    },
)  # fmt: skip
