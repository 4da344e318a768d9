"""What a job is asked to do: every parameter of image and video jobs, and the rule that each of them follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from math import isfinite
from typing import Any

from visionbatch.errors import ConfigError
from visionbatch.model.secret import SecretUrl
from visionbatch.roboflow.ids import require_batch_id, require_workspace

WORKERS = (1, 2, 4, 8)
"""Workers of one machine (the vendor's operator guide); too many run out of memory."""


class JobKind(StrEnum):
    """What a job goes through, as the service writes it."""

    IMAGES = "simple-image-processing-v1"
    VIDEOS = "simple-video-processing-v1"


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What can be set when a job is created, and again when it is restarted.

    What is ``None`` is left out of the request, and the service decides.

    :param machine: ``cpu`` or ``gpu``.
    :param workers: of one machine: 1, 2, 4 or 8.
    :param timeout_s: seconds of machine time, added up over all machines; not those on the wall.
    :param max_parallel_tasks: ceiling on tasks at a time.
    :param max_image_failure_rate: share of a shard's images, 0 to 1, that may fail before the shard is given up; 10
        images without. Image jobs only.
    """

    machine: str | None = None
    workers: int | None = None
    timeout_s: int | None = None
    max_parallel_tasks: int | None = None
    max_image_failure_rate: float | None = None

    def broken_rules(self) -> Iterator[str]:
        """What is wrong, each with the name of its rule."""
        if self.machine not in (None, "cpu", "gpu"):
            yield f"machine: cpu or gpu, not {self.machine!r}"
        if self.workers is not None and self.workers not in WORKERS:
            yield f"workers: one of {WORKERS}, not {self.workers!r}"
        for name in ("timeout_s", "max_parallel_tasks"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                yield f"{name}: a whole number of at least 1, not {value!r}"
        rate = self.max_image_failure_rate
        if rate is not None and not (_is_number(rate) and 0 <= rate <= 1):
            yield f"max_image_failure_rate: a number from 0 to 1, not {rate!r}"

    def body(self) -> dict[str, Any]:
        """Its part of a request."""
        machine = {"machineType": self.machine, "workersPerMachine": self.workers}
        return {
            "computeConfiguration": {"type": "compute-configuration-v2", **_given(machine)},
            **self._limits(),
        }

    def override(self) -> dict[str, Any] | None:
        """The body of a restart; ``None`` when nothing is overridden.

        :raises ConfigError: naming the rules that are broken.
        """
        _require(self.broken_rules(), "the restart")
        body = self.body() if self.machine or self.workers else self._limits()
        return {"type": "parameters-override-v1", **body} if body else None

    def _limits(self) -> dict[str, Any]:
        limits = {
            "processingTimeoutSeconds": self.timeout_s,
            "maxParallelTasks": self.max_parallel_tasks,
            "maxImageFailureRate": self.max_image_failure_rate,
        }
        return _given(limits)


@dataclass(frozen=True, kw_only=True)
class JobDefinition(Compute):
    """One job over one batch. What is ``None`` or empty is left out of the request.

    :param kind: images or videos.
    :param batch_id: the input.
    :param workflow_id: a saved Workflow with exactly one image input.
    :param workflow_workspace: slug of the Workflow's workspace; the connection's own without.
    :param part: of a multipart input.
    :param images_metadata_part: part that brings metadata of each image; image jobs only.
    :param workflow_parameters: run-time parameters, any JSON.
    :param image_input: name of the Workflow's image input, when that is not ``image``.
    :param persist_images: keep image outputs.
    :param images_to_persist: only these outputs.
    :param aggregation: ``csv`` or ``jsonl``.
    :param max_fps: sub-sampling of frames; video jobs only.
    :param metadata_inputs: Workflow input to key of an image's metadata; image jobs only.
    :param notifications_url: webhook at the end of the job. Whoever knows it can knock there, so it is a secret.
    :param inference_backend: ``old-inference`` or ``inference-models``.
    :raises ConfigError: naming every rule that is broken.
    """

    kind: JobKind
    batch_id: str
    workflow_id: str
    workflow_workspace: str = ""
    part: str = ""
    images_metadata_part: str = ""
    workflow_parameters: Mapping[str, Any] | None = None
    image_input: str = ""
    persist_images: bool = False
    images_to_persist: tuple[str, ...] = ()
    aggregation: str = ""
    max_fps: float | None = None
    metadata_inputs: Mapping[str, str] = field(default_factory=dict)
    notifications_url: SecretUrl | None = None
    inference_backend: str = ""

    def __post_init__(self) -> None:
        """Refuse what the service would refuse, or would misread, before anything is sent."""
        _require(self.broken_rules(), "the job")

    def broken_rules(self) -> Iterator[str]:
        """What is wrong, each with the name of its rule."""
        yield from super().broken_rules()
        yield from self._broken_names()
        yield from self._broken_words()
        yield from self._broken_by_kind()

    def _broken_names(self) -> Iterator[str]:
        try:
            require_batch_id(self.batch_id)
        except ConfigError as error:
            yield error.what
        try:
            require_workspace(self.workflow_workspace or "any")
        except ConfigError as error:
            yield f"workflow_{error.what}"
        if not self.workflow_id or not self.workflow_id.isprintable():
            yield f"workflow_id: the id of a saved Workflow, not {self.workflow_id!r}"
        if self.images_to_persist and not self.persist_images:
            yield "images_to_persist: needs persist_images"

    def _broken_words(self) -> Iterator[str]:
        if self.aggregation not in ("", "csv", "jsonl"):
            yield f"aggregation: csv or jsonl, not {self.aggregation!r}"
        if self.inference_backend not in ("", "old-inference", "inference-models"):
            yield f"inference_backend: old-inference or inference-models, not {self.inference_backend!r}"
        if self.workflow_parameters is not None and not _is_json_object(self.workflow_parameters):
            yield "workflow_parameters: an object of JSON values"

    def _broken_by_kind(self) -> Iterator[str]:
        if self.max_fps is not None and not (_is_number(self.max_fps) and self.max_fps > 0):
            yield f"max_fps: a number greater than 0, not {self.max_fps!r}"
        if self.kind is JobKind.VIDEOS:
            for name in ("max_image_failure_rate", "images_metadata_part", "metadata_inputs"):
                if getattr(self, name) not in (None, "", {}):
                    yield f"{name}: for image jobs only"
        elif self.max_fps is not None:
            yield "max_fps: for video jobs only"

    def body(self, workspace: str = "") -> dict[str, Any]:
        """The request that creates the job.

        :param workspace: the connection's, for a Workflow that is in the same.
        """
        source = {
            "batchId": self.batch_id,
            "partName": self.part,
            "imagesMetadataPart": self.images_metadata_part,
        }
        given = {
            "notificationsURL": self.notifications_url or None,
            "inferenceBackend": self.inference_backend,
        }
        return {
            "type": self.kind.value,
            "jobInput": {"type": "staging-batch-input-v1", **_given(source)},
            **super().body(),
            **_given(given),
            "processingSpecification": self._specification(workspace),
        }

    def _specification(self, workspace: str) -> dict[str, Any]:
        given = {
            "workflowParameters": None if self.workflow_parameters is None else dict(self.workflow_parameters),
            "imageInputName": self.image_input,
            "imagesOutputsToBePersisted": list(self.images_to_persist),
            "aggregationFormat": self.aggregation,
            "maxVideoFPS": self.max_fps,
            "imagesMetadataInputsMapping": dict(self.metadata_inputs),
        }
        return {
            "type": "workflows-processing-specification-v1",
            "workspace": self.workflow_workspace or workspace,
            "workflowId": self.workflow_id,
            "persistImagesOutputs": self.persist_images,
            **_given(given),
        }

    def fingerprint(self) -> str:
        """Identity of what is computed, 64 hexadecimal digits; where its end is announced is no part of it."""
        return sha256(json.dumps(_computed(self.body()), sort_keys=True).encode()).hexdigest()

    def describes(self, remote: Mapping[str, Any], workspace: str) -> bool:
        """Whether a job that is there computes what this one would.

        What the service adds, such as defaults, is no difference; what it lacks or has otherwise is one.

        :param remote: its definition, as the service tells it.
        """
        return _holds(remote, _computed(self.body(workspace)))


def _computed(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "notificationsURL"}


def _holds(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, Mapping) and all(name in whole and _holds(whole[name], part[name]) for name in part)
    return bool(whole == part)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null or empty: the service takes no nulls."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


def _require(broken: Iterator[str], what: str) -> None:
    rules = list(broken)
    if rules:
        raise ConfigError(f"{what} breaks {len(rules)} rule{'s' if len(rules) > 1 else ''}: {'; '.join(rules)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_json_object(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and bool(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False
