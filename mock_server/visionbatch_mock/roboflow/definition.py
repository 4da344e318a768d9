"""The body that creates a job, checked field by field against the vendor's pages.

Every refusal is a 400 that names the field. Unknown fields are refused too: a mock that let a misspelt
parameter pass would hide that the service ignores it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from visionbatch_mock.roboflow.words import ContentType

Check = Callable[[Any], str | None]

IMAGE_JOB, VIDEO_JOB = "simple-image-processing-v1", "simple-video-processing-v1"
OVERRIDE = "parameters-override-v1"


class BadDefinition(ValueError):
    """A body that breaks a rule; the text names the field."""


def check_definition(told: Mapping[str, Any]) -> None:
    """Raise `BadDefinition` unless the body defines an image or a video job."""
    _check(told, _JOB, "")
    specification = told["processingSpecification"]
    video = told["type"] == VIDEO_JOB
    for holder, key, only_for_video in (
        (told, "maxImageFailureRate", False),
        (told["jobInput"], "imagesMetadataPart", False),
        (specification, "imagesMetadataInputsMapping", False),
        (specification, "maxVideoFPS", True),
    ):
        if key in holder and only_for_video is not video:
            raise BadDefinition(f"{key} is not allowed in a job of type {told['type']}")


def input_kind(told: Mapping[str, Any]) -> ContentType:
    """What a job of this definition takes, and persists."""
    return ContentType.VIDEOS if told["type"] == VIDEO_JOB else ContentType.IMAGES


def check_override(told: Mapping[str, Any]) -> None:
    """Raise `BadDefinition` unless the body is one for a restart; an absent body is empty."""
    if told:
        _check(told, _OVERRIDE, "")


def _check(told: Mapping[str, Any], fields: Mapping[str, tuple[bool, Check]], where: str) -> None:
    for name, (required, check) in fields.items():
        absent = "is required" if required else None
        problem = check(told[name]) if name in told else absent
        if problem is not None:
            raise BadDefinition(f"{where}{name} {problem}")
    if unknown := sorted(set(told) - set(fields)):
        raise BadDefinition(f"{where}{unknown[0]} is not a known field")


def _one_of(*words: str) -> Check:
    return lambda value: None if value in words else f"is one of {list(words)}, not {value!r}"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "has to be a text"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "has to be true or false"


def _texts(value: Any) -> str | None:
    good = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return None if good else "has to be a list of texts"


def _mapping(value: Any) -> str | None:
    good = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return None if good else "has to be an object of texts"


def _object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "has to be an object"


def _whole(value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return None if good else "has to be a whole number from 1"


def _workers(value: Any) -> str | None:
    return None if value in [1, 2, 4, 8] and not isinstance(value, bool) else "is one of 1, 2, 4 and 8"


def _rate(value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return None if good else "has to be a number from 0.0 to 1.0"


def _fps(value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return None if good else "has to be a number above 0"


def _nested(fields: Mapping[str, tuple[bool, Check]], name: str) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "has to be an object"
        _check(value, fields, f"{name}.")
        return None

    return check


_Fields = Mapping[str, tuple[bool, Check]]

_INPUT: _Fields = MappingProxyType(
    {
        "type": (True, _one_of("staging-batch-input-v1")),
        "batchId": (True, _text),
        "partName": (False, _text),
        "imagesMetadataPart": (False, _text),
    }
)
_COMPUTE: _Fields = MappingProxyType(
    {
        "type": (True, _one_of("compute-configuration-v2")),
        "machineType": (False, _one_of("cpu", "gpu")),
        "workersPerMachine": (False, _workers),
    }
)
_SPECIFICATION: _Fields = MappingProxyType(
    {
        "type": (True, _one_of("workflows-processing-specification-v1")),
        "workspace": (True, _text),
        "workflowId": (True, _text),
        "workflowParameters": (False, _object),
        "imageInputName": (False, _text),
        "persistImagesOutputs": (False, _flag),
        "imagesOutputsToBePersisted": (False, _texts),
        "aggregationFormat": (False, _one_of("csv", "jsonl")),
        "maxVideoFPS": (False, _fps),
        "imagesMetadataInputsMapping": (False, _mapping),
    }
)
_TUNING: _Fields = MappingProxyType(
    {
        "processingTimeoutSeconds": (False, _whole),
        "maxParallelTasks": (False, _whole),
        "maxImageFailureRate": (False, _rate),
    }
)
_JOB: _Fields = MappingProxyType(
    {
        "type": (True, _one_of(IMAGE_JOB, VIDEO_JOB)),
        "jobInput": (True, _nested(_INPUT, "jobInput")),
        "computeConfiguration": (True, _nested(_COMPUTE, "computeConfiguration")),
        "processingSpecification": (True, _nested(_SPECIFICATION, "processingSpecification")),
        "notificationsURL": (False, _text),
        "inferenceBackend": (False, _one_of("old-inference", "inference-models")),
        **_TUNING,
    }
)
_OVERRIDE: _Fields = MappingProxyType(
    {
        "type": (True, _one_of(OVERRIDE)),
        "computeConfiguration": (False, _nested(_COMPUTE, "computeConfiguration")),
        **_TUNING,
    }
)
