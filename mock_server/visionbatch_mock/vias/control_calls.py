"""What the calls under `/_control/vias/` take and give, for the OpenAPI document."""

from visionbatch_mock.schemas import (
    NAME,
    NUMBER,
    SURE,
    TEXT,
    WHOLE,
    Call,
    Query,
    either,
    list_of,
    or_null,
    record,
    word_of,
)
from visionbatch_mock.vias.outbox import Way

_SOURCE = record({"name": NAME}, {"type": NAME, "type_config": TEXT})
_GROUP = record({"video_group_id": TEXT, "video_source_ids": list_of(TEXT)})
_SERVICE = record(
    {"api": NAME},
    {"title": NAME, "version": NAME, "deploy_type": NAME, "status": NAME, "output_types": list_of(NAME)},
)
_TASK = record(
    {
        "id": TEXT, "name": TEXT, "batch_id": or_null(TEXT), "source_id": or_null(TEXT), "state": TEXT,
        "ahead": list_of(TEXT), "found": WHOLE, "history": list_of(record({"at": NUMBER, "state": TEXT})),
    }
)  # fmt: skip
_PARCEL = record(
    {
        "way": word_of(Way), "message_id": TEXT, "task_id": TEXT, "due": or_null(TEXT),
        "attempts": list_of(or_null(WHOLE)),
    }
)  # fmt: skip
_MOVED = either(record({"force": NAME}), record({"find": SURE}), record({"advance": SURE}), record({"stall": SURE}))

CALLS: dict[tuple[str, str], Call] = {
    ("get", "/vias/project"): Call(None, 200, record({"id": TEXT})),
    ("post", "/vias/groups"): Call(record({"name": NAME}, {"sources": list_of(_SOURCE)}), 201, _GROUP),
    ("post", "/vias/services"): Call(_SERVICE, 201, record({"service_id": TEXT, "alg_id": TEXT})),
    ("get", "/vias/tasks"): Call(None, 200, list_of(_TASK), (Query("batch_id", TEXT),)),
    ("post", "/vias/tasks/{task_id}"): Call(_MOVED, 200, _TASK),
    ("get", "/vias/deliveries"): Call(None, 200, list_of(_PARCEL)),
    ("post", "/vias/deliveries"): Call(None, 200, list_of(_PARCEL)),
    ("post", "/vias/deliveries/{way}/{message_id}"): Call(None, 200, list_of(_PARCEL)),
    ("post", "/vias/tokens/revoke"): Call(None, 204, None),
}
