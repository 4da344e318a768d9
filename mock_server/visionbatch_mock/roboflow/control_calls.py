"""What the calls under `/_control/roboflow/` take and give, for the OpenAPI document."""

from collections.abc import Mapping
from types import MappingProxyType

from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.roboflow.settings import Outcome
from visionbatch_mock.roboflow.words import BatchType, ContentType
from visionbatch_mock.schemas import (
    ANY,
    BYTES_BODY,
    MAP,
    NAME,
    NUMBER,
    SURE,
    TEXT,
    WHOLE,
    YES,
    Call,
    Query,
    Schema,
    either,
    list_of,
    or_null,
    record,
    word_of,
)

_BATCH_TOLD: Mapping[str, Schema] = MappingProxyType(
    {
        "displayName": TEXT, "batchId": TEXT, "batchType": word_of(BatchType), "batchContentType": word_of(ContentType),
        "createdDate": TEXT, "expiryDate": TEXT,
    }
)  # fmt: skip
_JOB_TOLD: Mapping[str, Schema] = MappingProxyType(
    {
        "jobId": TEXT, "name": TEXT, "jobDefinition": MAP, "currentStage": or_null(TEXT),
        "plannedStages": list_of(TEXT), "error": YES, "isTerminal": YES, "lastNotification": TEXT, "createdAt": TEXT,
        "lastUpdate": TEXT, "restartParametersOverride": list_of(MAP),
    }
)  # fmt: skip
BATCH, JOB = record(_BATCH_TOLD), record(_JOB_TOLD)
"""As the service itself tells of them."""

_BATCH = record(
    {
        **_BATCH_TOLD, "count": WHOLE, "shards": list_of(MAP),
        "parts": {"type": "object", "additionalProperties": list_of(TEXT)},
    }
)  # fmt: skip
_JOB = record(
    {
        **_JOB_TOLD, "state": word_of(JobState), "stalled": YES,
        "history": list_of(record({"at": NUMBER, "state": word_of(JobState)})), "stages": list_of(MAP),
    }
)  # fmt: skip
_ATTEMPT = record({"at": TEXT, "status": or_null(WHOLE), "error": or_null(TEXT)})
_EVENT = record(
    {"event_id": TEXT, "url": TEXT, "payload": MAP, "due": or_null(TEXT), "attempts": list_of(_ATTEMPT)}
)  # fmt: skip

_BATCH_MOVED = either(record({"ingest": SURE}), record({"expire": SURE}))
_JOB_MOVED = either(
    record({"advance": SURE}),
    record({"force": word_of(JobState)}),
    record({"outcome": word_of(Outcome)}),
    record({"stall": YES}),
)
_FILE = (Query("fileName", NAME, required=True), Query("partName", NAME))

CALLS: dict[tuple[str, str], Call] = {
    ("get", "/roboflow/batches"): Call(None, 200, list_of(_BATCH)),
    ("get", "/roboflow/batches/{batch_id}"): Call(None, 200, _BATCH),
    ("post", "/roboflow/batches/{batch_id}"): Call(_BATCH_MOVED, 200, _BATCH),
    ("put", "/roboflow/batches/{batch_id}/files"): Call(ANY, 201, _BATCH, _FILE, BYTES_BODY),
    ("get", "/roboflow/jobs/{job_id}"): Call(None, 200, _JOB),
    ("post", "/roboflow/jobs/{job_id}"): Call(_JOB_MOVED, 200, _JOB),
    ("get", "/roboflow/deliveries"): Call(None, 200, list_of(_EVENT)),
    ("post", "/roboflow/deliveries"): Call(None, 200, list_of(_EVENT)),
    ("post", "/roboflow/deliveries/{event_id}"): Call(None, 200, list_of(_EVENT)),
    ("post", "/roboflow/links/expire"): Call(
        record({}, {"method": {"enum": ["GET", "PUT", None]}}), 200, record({"expired": WHOLE})
    ),
}
