"""The body of the analysis endpoint: one photo or PDF, optionally with its task group."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.exchange import Unacceptable
from visionbatch_mock.images import Photo, UnreadableImage, inspect

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_PDF_BYTES = 8 * 1024 * 1024
"""Limits of the vendor's analysis page."""

PDF_PREFIX = "data:application/pdf;base64"


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a call submits; `photo` and `content` are None for a PDF or a link, which the mock does not open."""

    task_group: str | None
    photo: Photo | None
    content: bytes | None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_analysis(body: Mapping[str, Any]) -> Submitted:
    """The submission that a body describes; raises `Unacceptable`."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(item, dict) for item in inputs):
        raise _refused("inputs", "A list of inputs is required.")
    data = {str(item.get("name")): item.get("data") for item in inputs}
    image, context = data.get("image_input"), data.get("context")
    if not isinstance(image, dict) or image.get("type") != "image":
        raise _refused("inputs", "Exactly one image_input of type image is required.")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict):
        raise _refused("metadata", "Expected an object.")
    group = context.get("value") if isinstance(context, dict) else None
    if group is not None and not isinstance(group, str):
        raise _refused("inputs", "The context's value is the name of a task group.")
    photo, content = _photo(image.get("value"))
    return Submitted(group, photo, content, metadata)


def _photo(value: object) -> tuple[Photo, bytes] | tuple[None, None]:
    if not isinstance(value, str) or not value:
        raise _refused("inputs", "An image's value is a URL or a data URL.")
    head, comma, encoded = value.partition(",")
    if value.startswith(("https://", "http://")):
        return None, None
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise _refused("inputs", "An image's value is a URL or a base64 data URL.")
    pdf = head == PDF_PREFIX
    content = _decoded(encoded, MAX_PDF_BYTES if pdf else MAX_IMAGE_BYTES)
    if pdf:
        return None, None
    try:
        return inspect(content), content
    except UnreadableImage as cause:
        raise _refused("inputs", f"The image cannot be read: {cause}") from cause


def _decoded(encoded: str, limit: int) -> bytes:
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error as cause:
        raise _refused("inputs", f"Not base64: {cause}") from cause
    if len(content) > limit:
        raise _refused("inputs", f"The limit is {limit} bytes.")
    return content


def _refused(key: str, message: str) -> Unacceptable:
    return Unacceptable(400, {key: [message]})
