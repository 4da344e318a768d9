"""What the calls of Roboflow's API and of its signed URLs take and give, for the OpenAPI document."""

from types import MappingProxyType

from visionbatch_mock.operations import Operation
from visionbatch_mock.roboflow.control_calls import BATCH, JOB
from visionbatch_mock.roboflow.definition import IMAGE_JOB, OVERRIDE, VIDEO_JOB
from visionbatch_mock.roboflow.grants import SIGNATURE
from visionbatch_mock.roboflow.references import CATEGORIES
from visionbatch_mock.schemas import (
    BYTES_BODY,
    JSON_BODY,
    MAP,
    NAME,
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

_OK: Schema = {"const": "ok"}
_TYPE: Schema = {"enum": ["info", "success", "error"]}
_TOKEN = {"nextPageToken": or_null(TEXT)}
_DONE = record({"status": _OK})
_STARTED = record({"status": _OK, "jobId": TEXT})
_SHARD = record(
    {
        "shardId": TEXT, "statusName": TEXT, "statusType": TEXT, "eventTimestamp": TEXT, "shardObjectsCount": WHOLE,
        "statusMetadata": MAP,
    }
)  # fmt: skip
_PART = record(
    {
        "partName": TEXT,
        "partType": TEXT,
        "contentType": TEXT,
        "partDescription": TEXT,
        "nestedContentType": or_null(TEXT),
    }
)
_FILE = record(
    {
        "downloadURL": TEXT, "fileName": TEXT, "partName": or_null(TEXT), "shardId": or_null(TEXT),
        "contentType": TEXT, "nestedContentType": or_null(TEXT),
    }
)  # fmt: skip
_SIGNED = record(
    {
        "status": _OK,
        "signedURLDetails": record(
            {
                "uploadURL": TEXT, "method": {"const": "PUT"},
                "extensionHeaders": {"type": "object", "additionalProperties": TEXT}, "maxFileSizeBytes": WHOLE,
            },
            {"maxFilesInArchive": WHOLE},
        ),
    }
)  # fmt: skip
_TAKEN = record({"status": _OK, "ingestId": TEXT, "duplicated": YES}, {"shardIds": list_of(TEXT)})
_STAGE = record(
    {
        "processingStageId": TEXT, "processingStageName": TEXT, "tasksNumber": WHOLE, "outputBatches": list_of(TEXT),
        "startTimestamp": TEXT, "notification": TEXT, "statusType": _TYPE, "lastEventTimestamp": TEXT,
    }
)  # fmt: skip
_TASK = record(
    {
        "taskId": TEXT, "notification": TEXT, "statusType": _TYPE, "eventTimestamp": TEXT,
        "progress": or_null({"type": "number", "minimum": 0, "maximum": 1}),
    }
)  # fmt: skip

_LISTED = open_record({"name": NAME, "url": NAME})
_CATEGORIES = list_of({"enum": list(CATEGORIES)})
_COMMON: dict[str, Schema] = {
    "ingestId": or_null(TEXT),
    "notificationsURL": or_null(TEXT),
    "notificationCategories": _CATEGORIES,
}


def _references(key: str) -> Schema:
    """Either the references themselves or the URL of their list."""
    listed: Schema = {**list_of(_LISTED), "minItems": 1}
    return either(open_record({key: listed}, _COMMON), open_record({f"{key}URL": TEXT}, _COMMON))


_QUERY = open_record({"query": TEXT}, {"displayName": or_null(TEXT), **_COMMON})
_FROM_1: Schema = {"type": "integer", "minimum": 1}
_TUNING: dict[str, Schema] = {
    "processingTimeoutSeconds": _FROM_1, "maxParallelTasks": _FROM_1,
    "maxImageFailureRate": {"type": "number", "minimum": 0, "maximum": 1},
}  # fmt: skip
_COMPUTE = record(
    {"type": {"const": "compute-configuration-v2"}},
    {"machineType": {"enum": ["cpu", "gpu"]}, "workersPerMachine": {"enum": [1, 2, 4, 8]}},
)
_SPECIFICATION = record(
    {"type": {"const": "workflows-processing-specification-v1"}, "workspace": NAME, "workflowId": NAME},
    {
        "workflowParameters": MAP, "imageInputName": NAME, "persistImagesOutputs": YES,
        "imagesOutputsToBePersisted": list_of(TEXT), "aggregationFormat": {"enum": ["csv", "jsonl"]},
        "maxVideoFPS": {"type": "number", "exclusiveMinimum": 0},
        "imagesMetadataInputsMapping": {"type": "object", "additionalProperties": TEXT},
    },
)  # fmt: skip
_DEFINITION = record(
    {
        "type": {"enum": [IMAGE_JOB, VIDEO_JOB]},
        "jobInput": record(
            {"type": {"const": "staging-batch-input-v1"}, "batchId": NAME},
            {"partName": NAME, "imagesMetadataPart": NAME},
        ),
        "computeConfiguration": _COMPUTE, "processingSpecification": _SPECIFICATION,
    },
    {"notificationsURL": NAME, "inferenceBackend": {"enum": ["old-inference", "inference-models"]}, **_TUNING},
)  # fmt: skip
_RESTART = either(
    record({}, maxProperties=0), record({"type": {"const": OVERRIDE}}, {"computeConfiguration": _COMPUTE, **_TUNING})
)
_FORM = open_record({"file": {"type": "string", "format": "binary"}})

_DISPLAY = Query("displayName", TEXT)
_FILE_NAME = Query("fileName", NAME, required=True)
_PART_NAME = Query("partName", TEXT)


def _paged(most: int) -> tuple[Query, Query]:
    return Query("pageSize", {"type": "integer", "minimum": 1, "maximum": most}), Query("nextPageToken", TEXT)


_PAGES = _paged(1000)
_SIGNATURE = Query(SIGNATURE, TEXT, required=True)

SERVICE = Service(
    "roboflow",
    "Roboflow's batch processing, as visionbatch-mock plays it",
    "Data staging, jobs over Workflows, and the signed URLs that both give out.",
    frozenset({"roboflow_staging", "roboflow_jobs", "roboflow_signed"}),
    MappingProxyType(
        {
            Operation.ROBOFLOW_WORKSPACE: Call(None, 200, record({"welcome": TEXT, "workspace": TEXT})),
            Operation.ROBOFLOW_BATCHES_LIST: Call(None, 200, record({"batches": list_of(BATCH)}, _TOKEN), _PAGES),
            Operation.ROBOFLOW_BATCHES_GET: Call(None, 200, record({"batch": BATCH})),
            Operation.ROBOFLOW_BATCHES_COUNT: Call(None, 200, record({"count": WHOLE}), (_PART_NAME,)),
            Operation.ROBOFLOW_BATCHES_SHARDS: Call(None, 200, record({"shards": list_of(_SHARD)}, _TOKEN), _PAGES),
            Operation.ROBOFLOW_BATCHES_PARTS: Call(None, 200, record({"batchParts": list_of(_PART)})),
            Operation.ROBOFLOW_BATCHES_CONTENT: Call(
                None, 200, record({"filesMetadata": list_of(_FILE)}, _TOKEN), (_PART_NAME, *_PAGES)
            ),
            Operation.ROBOFLOW_IMAGES_UPLOAD: Call(
                _FORM, 200, _DONE, (_FILE_NAME, _DISPLAY), "multipart/form-data"
            ),
            Operation.ROBOFLOW_VIDEOS_SIGN: Call(None, 200, _SIGNED, (_FILE_NAME, _DISPLAY)),
            Operation.ROBOFLOW_SHARDS_SIGN: Call(None, 200, _SIGNED, (_DISPLAY,)),
            Operation.ROBOFLOW_IMAGES_REFER: Call(_references("imageReferences"), 200, _TAKEN, (_DISPLAY,)),
            Operation.ROBOFLOW_VIDEOS_REFER: Call(_references("videoReferences"), 200, _TAKEN, (_DISPLAY,)),
            Operation.ROBOFLOW_IMAGES_QUERY: Call(_QUERY, 200, _DONE),
            Operation.ROBOFLOW_JOBS_LIST: Call(
                None, 200, record({"jobs": list_of(JOB)}, _TOKEN),
                (Query("search", {"type": "string", "maxLength": 160}), *_paged(100)),
            ),
            Operation.ROBOFLOW_JOBS_CREATE: Call(_DEFINITION, 200, _STARTED, (Query("name", TEXT),)),
            Operation.ROBOFLOW_JOBS_GET: Call(None, 200, record({"job": JOB})),
            Operation.ROBOFLOW_JOBS_STAGES: Call(None, 200, record({"stages": list_of(_STAGE)})),
            Operation.ROBOFLOW_JOBS_TASKS: Call(None, 200, record({"tasks": list_of(_TASK)}, _TOKEN), _PAGES),
            Operation.ROBOFLOW_JOBS_LOGS: Call(
                None, 200, record({"logs": list_of(MAP)}, _TOKEN),
                (Query("severity", {"enum": ["info", "warning", "error"]}), *_PAGES),
            ),
            Operation.ROBOFLOW_JOBS_ABORT: Call(None, 200, _STARTED),
            Operation.ROBOFLOW_JOBS_RESTART: Call(_RESTART, 200, _STARTED),
            Operation.ROBOFLOW_FILES_GET: Call(
                None, 200, None, (_SIGNATURE, Query("Range", TEXT, place="header")), also={206: None}
            ),
            Operation.ROBOFLOW_FILES_PUT: Call({}, 200, None, (_SIGNATURE,), BYTES_BODY),
        }
    ),
    {
        JSON_BODY: record({"error": {"anyOf": [TEXT, record({"message": TEXT})]}}),
        "application/xml": TEXT,
    },
    {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "query", "name": "api_key"},
    },
)  # fmt: skip
