"""Request bodies of this service: JSON objects, and forms with one file."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from flask import request
from werkzeug.sansio.multipart import Data, Epilogue, File, MultipartDecoder, NeedData
from werkzeug.sansio.multipart import Event as FormEvent

from visionbatch_mock.exchange import current
from visionbatch_mock.roboflow.files import Warehouse
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.tars import is_image
from visionbatch_mock.storage.objects import StoredObject

MOST_BYTES = 64 * 1024 * 1024
"""Ours: 20,000 references with long signatures fit."""


def json_body() -> dict[str, Any]:
    """The body as a JSON object, empty when there is none; raises `Refused`."""
    raw = current().body.read_all(MOST_BYTES)
    if raw is None:
        raise Refused(413, "The body is too large.")
    try:
        told = json.loads(raw) if raw else {}
    except ValueError as cause:
        raise Refused(400, f"The body is no JSON: {cause}") from cause
    if not isinstance(told, dict):
        raise Refused(400, "The body has to be a JSON object.")
    return told


def image_of_form(warehouse: Warehouse, limit: int) -> StoredObject:
    """The one file of the form, checked and on disk; raises `Refused`."""
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        current().body.drain()
        raise Refused(400, "The body has to be multipart/form-data.")
    content = _content(boundary.encode("latin-1"), limit)
    if problem := is_image(content):
        raise Refused(400, f"The file is no image: {problem}")
    return warehouse.keep([content])


def _content(boundary: bytes, limit: int) -> bytes:
    content, files = bytearray(), 0
    try:
        for event in _events(boundary, current().body.blocks()):
            files += isinstance(event, File)
            if isinstance(event, Data) and len(content) <= limit:
                content += event.data
    except ValueError as cause:
        current().body.drain()
        raise Refused(400, f"The form cannot be read: {cause}") from cause
    if files != 1:
        raise Refused(400, f"The form has to hold exactly one file, not {files}.")
    if len(content) > limit:
        raise Refused(400, f"The image is larger than {limit} bytes.")
    return bytes(content)


def _events(boundary: bytes, blocks: Iterable[bytes]) -> Iterator[FormEvent]:
    """What a form consists of, by Werkzeug's decoder, which holds no more than a block."""
    decoder = MultipartDecoder(boundary)
    for block in chain(blocks, [None]):
        decoder.receive_data(block)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
