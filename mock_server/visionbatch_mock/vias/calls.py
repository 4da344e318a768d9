"""What the calls of VIAS, and of as much of IAM as it needs, take and give, for the OpenAPI document."""

from types import MappingProxyType

from visionbatch_mock.operations import Operation
from visionbatch_mock.schemas import (
    ANY,
    JSON_BODY,
    MAP,
    TEXT,
    WHOLE,
    YES,
    Call,
    Calls,
    Query,
    Schema,
    Service,
    list_of,
    open_record,
    or_null,
    record,
)
from visionbatch_mock.vias.codes import Code

_ERROR_TOLD: dict[str, Schema] = {
    "error_code": TEXT, "error_msg": TEXT, "detail": TEXT, "params": list_of(TEXT), "reason": TEXT, "advice": TEXT,
}  # fmt: skip
_VIAS_ERROR = record(_ERROR_TOLD)
_NOT_ALLOWED = record({**_ERROR_TOLD, "error_code": {"const": Code.NOT_ALLOWED.value}})
_GATEWAY_ERROR = record({"error_code": TEXT, "error_msg": TEXT, "request_id": TEXT})
_IAM_ERROR = record({"error": record({"code": WHOLE, "message": TEXT, "title": TEXT})})

_ID = record({"id": TEXT})
_TALLY = record(
    {"total_count": WHOLE, "failed_count": WHOLE, "succeed_count": WHOLE, "error_list": list_of(MAP)}, {"id": TEXT}
)
_BATCH = record(
    {
        "id": TEXT, "batch_task_name": TEXT, "video_source_name": TEXT, "video_group_name": TEXT, "alg_name": TEXT,
        "company": TEXT, "type": TEXT, "num_task": WHOLE, "created_at": WHOLE,
        "batch_task_status_info": {"type": "object", "additionalProperties": WHOLE},
    },
    {"priority": ANY},
)  # fmt: skip
_LINE = record(
    {
        "id": TEXT, "name": TEXT, "state": TEXT, "type": TEXT, "title": TEXT, "video_source_name": TEXT,
        "service_id": TEXT, "algorithm_publish_id": TEXT, "created_at": TEXT,
    }
)  # fmt: skip
_TASK = open_record(
    {
        "id": TEXT, "name": TEXT, "state": TEXT, "project_id": TEXT, "service_id": TEXT, "creator": TEXT,
        "company": TEXT, "created_at": TEXT, "updated_at": TEXT, "input": MAP, "output": MAP,
        "video_source_name": TEXT, "title": TEXT, "type": TEXT, "package_id": TEXT, "algorithm_publish_id": TEXT,
    },
    {"group_name": TEXT, "error": record({"code": TEXT, "message": TEXT}), "schedule_status": TEXT},
)  # fmt: skip
_ACTED = record({"id": TEXT, "status_code": {"const": 200}, "status_msg": {"const": "success"}})
_SOURCE = open_record(
    {
        "video_source_name": TEXT, "access_type": TEXT, "type": TEXT, "type_config": TEXT,
        "status": record({"status": TEXT, "name": TEXT, "level": TEXT}), "create_at": WHOLE, "latitude": TEXT,
        "longitude": TEXT, "tag": list_of(TEXT), "num_tasks": WHOLE,
        "video_packages": list_of(record({"video_group_id": TEXT, "video_group_name": TEXT})),
    },
    {"video_source_id": TEXT, "image": TEXT},
)  # fmt: skip
_GROUP = record(
    {
        "video_group_id": TEXT, "video_group_name": TEXT, "access_type": TEXT, "num_video_source": WHOLE,
        "num_batch_task": WHOLE, "group_status": {"type": "object", "additionalProperties": WHOLE},
        "create_at": WHOLE, "modify_at": WHOLE,
    },
    {"type": TEXT, "description": TEXT},
)  # fmt: skip
_SERVICE = open_record(
    {
        "service_id": TEXT, "service_name": TEXT, "alg_id": TEXT, "alg_status": TEXT, "alg_version": TEXT,
        "deploy_type": TEXT, "request_mode": TEXT, "package_id": TEXT,
    },
    {
        "api": TEXT, "service_version": TEXT, "service_api_list": list_of(record({"api": TEXT, "version": TEXT})),
        "deployment_constraints": record({"input_types": list_of(TEXT), "output_types": list_of(TEXT)}),
    },
)  # fmt: skip
_POOL = record({"id": TEXT, "name": TEXT, "node_ids": list_of(TEXT), "created_at": WHOLE})
_PROJECT = open_record({"id": TEXT, "name": TEXT, "domain_id": TEXT, "enabled": YES})
_TOKEN = open_record(
    {"methods": list_of(TEXT), "issued_at": TEXT, "expires_at": TEXT, "user": MAP, "catalog": list_of(MAP)}
)

_OF_TASKS: dict[str, Schema] = {
    "description": or_null(TEXT), "config": or_null(MAP), "schedule": or_null(MAP),
    "resource_order_id": or_null(TEXT),
}  # fmt: skip
_NEW = {"name": TEXT, "service_version": TEXT, "output": MAP}
_NEW_BATCH = open_record({**_NEW, "service_name": TEXT, "batch_input": MAP}, _OF_TASKS)
_NEW_TASK = open_record({**_NEW, "input": MAP}, _OF_TASKS)
_TASK_CHANGED = open_record({"name": TEXT, "input": MAP, "output": MAP}, _OF_TASKS)
_SOURCE_NAMED = {"video_source_name": TEXT, "type_config": TEXT}
_NEW_SOURCE = open_record({**_SOURCE_NAMED, "type": TEXT, "access_type": {"enum": ["cloud", "edge"]}})
_IDS = list_of(TEXT)
_NEW_GROUP = open_record(
    {"video_group_name": TEXT, "access_type": {"enum": ["cloud", "edge"]}}, {"video_source_ids": or_null(_IDS)}
)
_WANTED = open_record({"auth": MAP})


def _texts(*names: str) -> tuple[Query, ...]:
    return tuple(Query(name, TEXT) for name in names)


def _whole(name: str, least: int, most: int) -> Query:
    return Query(name, {"type": "integer", "minimum": least, "maximum": most})


def _pages(number: str, most: int, order: str) -> tuple[Query, ...]:
    return _whole("page_size", 5, most), _whole(number, 1, 100_000), Query(order, {"enum": ["asc", "desc"]})


_PAGED = (*_pages("page_num", 200, "order_by"), Query("is_paged", YES))


def _sorted_by(*words: str) -> Query:
    return Query("sort_name", {"enum": list(words)})


def _counted(key: str, items: Schema) -> Schema:
    numbers = {f"{key}_number": WHOLE, "total_number": WHOLE, "quota_number": WHOLE}
    return record({f"{key}_list": list_of(items), **numbers})


def _vias(takes: Schema | None, status: int, gives: Schema | None, query: tuple[Query, ...] = ()) -> Call:
    """A call of VIAS, which says 500 to what is not allowed just now, and here to nothing else."""
    return Call(takes, status, gives, query, also={500: _NOT_ALLOWED})


_BATCHES: Calls = {
    Operation.VIAS_BATCH_TASKS_CREATE: _vias(_NEW_BATCH, 200, _TALLY),
    Operation.VIAS_BATCH_TASKS_LIST: _vias(
        None, 200, record({"count": WHOLE, "batch_task_list": list_of(_BATCH)}),
        (*_PAGED, _sorted_by("created_at", "task_count"), *_texts("video_group", "name_like", "task_state")),
    ),
    Operation.VIAS_BATCH_TASKS_UPDATE: _vias(open_record({}, _OF_TASKS), 200, _TALLY),
    Operation.VIAS_BATCH_TASKS_DELETE: _vias(None, 200, _TALLY),
    Operation.VIAS_BATCH_TASKS_START: _vias(None, 200, _TALLY),
    Operation.VIAS_BATCH_TASKS_STOP: _vias(None, 200, _TALLY),
    Operation.VIAS_TASKS_CREATE: _vias(_NEW_TASK, 200, record({"tasks": list_of(_ID)})),
    Operation.VIAS_TASKS_LIST: _vias(
        None, 200, record({"count": WHOLE, "page": WHOLE, "page_size": WHOLE, "tasks": list_of(_LINE)}),
        (*_pages("page", 1000, "sort_dir"), *_texts("batch_id", "task_state", "task_name", "camera_name")),
    ),
    Operation.VIAS_TASKS_SHOW: _vias(None, 200, _TASK),
    Operation.VIAS_TASKS_UPDATE: _vias(_TASK_CHANGED, 200, _ID),
    Operation.VIAS_TASKS_DELETE: _vias(None, 200, _ACTED),
    Operation.VIAS_TASKS_START: _vias(None, 200, _ACTED),
    Operation.VIAS_TASKS_STOP: _vias(None, 200, _ACTED),
}  # fmt: skip

_PLACES: Calls = {
    Operation.VIAS_SOURCES_CREATE: _vias(_NEW_SOURCE, 200, record({"video_source_id": TEXT})),
    Operation.VIAS_SOURCES_LIST: _vias(
        None, 200, _counted("video_source", _SOURCE),
        (*_PAGED, _sorted_by("create_at", "num_task", "num_template"), *_texts("scope_name", "video_group_id", "tag")),
    ),
    Operation.VIAS_SOURCES_SHOW: _vias(None, 200, _SOURCE),
    Operation.VIAS_SOURCES_UPDATE: _vias(open_record(_SOURCE_NAMED), 200, _SOURCE),
    Operation.VIAS_SOURCES_DELETE: _vias(None, 200, {"const": True}),
    Operation.VIAS_GROUPS_CREATE: _vias(_NEW_GROUP, 200, record({"video_group_id": TEXT})),
    Operation.VIAS_GROUPS_LIST: _vias(
        None, 200, _counted("video_group", _GROUP),
        (*_PAGED, _sorted_by("create_at", "modify_at", "num_video_source", "num_task"), *_texts("name", "type"),
         Query("has_task", YES)),
    ),
    Operation.VIAS_GROUPS_SHOW: _vias(None, 200, _GROUP),
    Operation.VIAS_GROUPS_UPDATE: _vias(open_record({"video_source_ids": _IDS}), 200, {"const": "success"}),
    Operation.VIAS_GROUPS_DELETE: _vias(None, 200, {"const": "success"}),
    Operation.VIAS_SERVICES_LIST: _vias(
        None, 200, record({"service_list": list_of(_SERVICE), "count": WHOLE, "total": WHOLE})
    ),
    Operation.VIAS_SERVICES_SHOW: _vias(None, 200, _SERVICE),
    Operation.VIAS_ALGORITHMS_DEPLOY: _vias(
        open_record({"stream_count": {"type": "integer", "minimum": 1, "maximum": 10_000}}), 200,
        record({"alg_name": TEXT}),
    ),
    Operation.VIAS_ALGORITHMS_STOP: _vias(None, 200, record({"alg_id": TEXT})),
    Operation.VIAS_EDGE_POOLS_CREATE: _vias(open_record({"name": TEXT, "node_ids": _IDS}), 201, _ID),
    Operation.VIAS_EDGE_POOLS_LIST: _vias(
        None, 200, record({"count": WHOLE, "edge_pools": list_of(_POOL)}),
        (_whole("page_size", 1, 1000), _whole("page_num", 1, 100_000)),
    ),
    Operation.VIAS_EDGE_POOLS_SHOW: _vias(None, 200, _POOL),
    Operation.VIAS_EDGE_POOLS_DELETE: _vias(None, 204, None),
}  # fmt: skip

_IAM: Calls = {
    ("get", "/v3"): Call(None, 200, record({"version": open_record({"id": TEXT, "status": TEXT})})),
    Operation.IAM_TOKENS_CREATE: Call(_WANTED, 201, record({"token": _TOKEN}), _texts("nocatalog")),
    Operation.IAM_PROJECTS_LIST: Call(
        None, 200, record({"projects": list_of(_PROJECT), "links": MAP}), _texts("name")
    ),
}  # fmt: skip

SERVICE = Service(
    "vias",
    "Huawei Cloud VIAS and IAM, as visionbatch-mock plays them",
    "Batch tasks, tasks, what they are about, and the tokens that open it all.",
    frozenset(
        {"huawei_iam", "vias_batches", "vias_tasks", "vias_sources", "vias_groups", "vias_discovery"}
    ),
    MappingProxyType({**_BATCHES, **_PLACES, **_IAM}),
    {JSON_BODY: {"anyOf": [_VIAS_ERROR, _GATEWAY_ERROR, _IAM_ERROR]}},
    {
        "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        "signature": {
            "type": "apiKey", "in": "header", "name": "Authorization", "description": "`SDK-HMAC-SHA256 ..`",
        },
    },
)  # fmt: skip
