"""What the calls of Deepomatic's API take and give, for the OpenAPI document."""

from collections.abc import Mapping
from types import MappingProxyType

from visionbatch_mock.deepomatic.naming import WORK_ORDER_NAME
from visionbatch_mock.operations import Operation
from visionbatch_mock.schemas import (
    ANY,
    JSON_BODY,
    MAP,
    TEXT,
    WHOLE,
    YES,
    Call,
    Query,
    Schema,
    Service,
    either,
    list_of,
    open_record,
    or_null,
    record,
)

_BATCH = record(
    {"batch_id": TEXT, "upload_url": or_null(TEXT)},
    {"status": TEXT, "filename": or_null(TEXT), "create_date": TEXT, "update_date": TEXT, "work_orders": MAP},
)
_PROBLEM = record(
    {"work_order": or_null(TEXT), "file": or_null(TEXT), "code": TEXT, "message": TEXT, "level": {"const": "error"}}
)
_STATE = record({"analyzed_value": or_null(YES), "corrected_value": or_null(YES), "message": TEXT})
_TASK = record({"id": TEXT, "name": TEXT, "type": {"const": "Boolean"}, "state": _STATE})
_INPUT = record(
    {
        "id": TEXT, "name": or_null(TEXT), "task_group": or_null(TEXT), "create_date": TEXT,
        "conformity_messages": list_of(ANY),
    }
)  # fmt: skip
_ORDER = record(
    {
        "id": TEXT, "name": TEXT, "site_id": TEXT, "create_date": TEXT, "update_date": TEXT,
        "review_date": {"type": "null"}, "progress_score": or_null({"type": "number"}), "tags": list_of(ANY),
        "metadata": MAP, "parameters": MAP, "assigned_user_id": {"type": "null"}, "engage_app_id": {"type": "null"},
        "first_analysis_id": or_null(TEXT), "latest_analysis_id": or_null(TEXT),
        "task_groups": list_of(record({"name": TEXT})), "tasks": list_of(_TASK),
    },
    {"inputs": list_of(_INPUT)},
)  # fmt: skip
_GROUP = record({"id": TEXT, "name": TEXT, "tasks": list_of(record({"id": TEXT, "name": TEXT, "type": TEXT}))})

_FIELDS: Mapping[str, Schema] = MappingProxyType(
    {
        "metadata": MAP, "tags": list_of(ANY), "field_engineer_email": TEXT, "user_group_ids": list_of(ANY),
        "work_order_types": list_of(ANY),
    }
)  # fmt: skip
_NAME: Schema = {"type": "string", "pattern": f"^{WORK_ORDER_NAME.pattern}$"}
_IMAGE = open_record({"type": {"const": "image"}, "value": {"type": "string", "pattern": "^(https?://|data:).+"}})
_SUBMITTED = either(
    open_record({"name": {"const": "image_input"}, "data": _IMAGE}),
    open_record({"name": {"const": "context"}, "data": open_record({}, {"value": TEXT})}),
)
_ANALYSIS = open_record({"inputs": {**list_of(_SUBMITTED), "minItems": 1}}, {"metadata": MAP})
_PAGES = (Query("offset", WHOLE), Query("limit", WHOLE))


def _page(items: Schema) -> Schema:
    return record({"count": WHOLE, "next": or_null(TEXT), "previous": or_null(TEXT), "results": list_of(items)})


_REFUSAL: Schema = {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [TEXT, list_of(TEXT)]}}

SERVICE = Service(
    "deepomatic",
    "Deepomatic's API, as visionbatch-mock plays it",
    "Batches and work orders of a site; what the strict profile does not have is not found.",
    frozenset({"deepomatic_batches", "deepomatic_work_orders"}),
    MappingProxyType(
        {
            Operation.BATCHES_CREATE: Call(open_record({}, {"filename": or_null(TEXT)}), 201, _BATCH),
            Operation.BATCHES_LIST: Call(None, 200, _page(_BATCH), _PAGES),
            Operation.BATCHES_GET: Call(None, 200, _BATCH),
            Operation.BATCHES_DELETE: Call(None, 204, None),
            Operation.BATCHES_ERRORS: Call(
                None, 200, list_of(_PROBLEM), others={"application/x-ndjson": TEXT, "text/csv": TEXT}
            ),
            Operation.BATCHES_WORK_ORDERS: Call(None, 200, _page(_ORDER), _PAGES),
            Operation.WORK_ORDERS_CREATE: Call(open_record({"name": _NAME}, _FIELDS), 201, _ORDER),
            Operation.WORK_ORDERS_LIST: Call(None, 200, _page(_ORDER), (Query("name", TEXT), *_PAGES)),
            Operation.WORK_ORDERS_GET: Call(None, 200, _ORDER, (Query("include_inputs", YES),)),
            Operation.WORK_ORDERS_UPDATE: Call(open_record({}, {"name": _NAME, **_FIELDS}), 200, _ORDER),
            Operation.WORK_ORDERS_DELETE: Call(None, 204, None),
            Operation.WORK_ORDERS_ANALYZE: Call(_ANALYSIS, 200, record({"tasks": list_of(_TASK)})),
            Operation.WORK_ORDERS_CORRECT: Call(open_record({"corrected_value": YES}), 200, _TASK),
            Operation.TASK_GROUPS_LIST: Call(None, 200, list_of(_GROUP)),
        }
    ),
    {JSON_BODY: _REFUSAL},
    {"token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token <key>`"}},
)
