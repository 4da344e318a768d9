"""`/data-staging/v1/external/{workspace}`, and the bare root that tells a key's workspace."""

from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.roboflow.auth import enter
from visionbatch_mock.roboflow.batches import StagedBatch
from visionbatch_mock.roboflow.bodies import image_of_form, json_body
from visionbatch_mock.roboflow.files import StagedFile
from visionbatch_mock.roboflow.grants import Grant
from visionbatch_mock.roboflow.paging import page, page_outlook
from visionbatch_mock.roboflow.references import Finder, Request, read, slices, subscription
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.room import Roboflow
from visionbatch_mock.roboflow.tars import Found
from visionbatch_mock.roboflow.words import BatchType, ContentType

bp = Blueprint("roboflow_staging", __name__)

BATCHES = "/data-staging/v1/external/<workspace>/batches"
BATCH = f"{BATCHES}/<batch_id>"


@bp.get("/")
@operation(Operation.ROBOFLOW_WORKSPACE)
def root() -> Response:
    """The workspace of the key."""
    told = {"welcome": "This is a mock.", "workspace": current().tenant.behaviour.roboflow_workspace}
    return json_answer(told)


@bp.get(BATCHES)
@operation(Operation.ROBOFLOW_BATCHES_LIST, page_outlook)
def list_batches(workspace: str) -> Response:
    """The batches of the workspace, those of jobs included, newest first."""
    room = _room(workspace)
    with room.lock:
        shown, token = page(room.staging.all())
        return json_answer({"batches": [batch.as_json() for batch in shown], **token})


@bp.get(BATCH)
@operation(Operation.ROBOFLOW_BATCHES_GET)
def get(workspace: str, batch_id: str) -> Response:
    """What the service says of a batch."""
    room = _room(workspace)
    with room.lock:
        return json_answer({"batch": _find(room, batch_id).as_json()})


@bp.get(f"{BATCH}/count")
@operation(Operation.ROBOFLOW_BATCHES_COUNT)
def count(workspace: str, batch_id: str) -> Response:
    """How many files of the batch are ready."""
    room = _room(workspace)
    with room.lock:
        batch = _find(room, batch_id)
        return json_answer({"count": sum(1 for _ in batch.files(_part(batch)))})


@bp.get(f"{BATCH}/shards")
@operation(Operation.ROBOFLOW_BATCHES_SHARDS, page_outlook)
def shards(workspace: str, batch_id: str) -> Response:
    """Shards in the order of their arrival."""
    room = _room(workspace)
    words = current().tenant.behaviour.roboflow_shard_words
    with room.lock:
        listed = [shard for shard in _find(room, batch_id).shards.values() if shard.listed]
        shown, token = page(listed)
        told = [shard.as_json(lambda word: words.get(word, word)) for shard in shown]
        return json_answer({"shards": told, **token})


@bp.get(f"{BATCH}/parts")
@operation(Operation.ROBOFLOW_BATCHES_PARTS)
def parts(workspace: str, batch_id: str) -> Response:
    """Parts of a multipart batch; any other is refused, which is assumed."""
    room = _room(workspace)
    with room.lock:
        batch = _find(room, batch_id)
        if batch.type is not BatchType.MULTIPART:
            raise Refused(400, f"Batch {batch_id} is a {batch.type} and has no parts.")
        return json_answer({"batchParts": [part.as_json() for part in batch.parts.values()]})


@bp.get(f"{BATCH}/list")
@operation(Operation.ROBOFLOW_BATCHES_CONTENT, page_outlook)
def content(workspace: str, batch_id: str) -> Response:
    """Files with signed URLs to read them."""
    room = _room(workspace)
    with room.lock:
        batch = _find(room, batch_id)
        part = _part(batch)
        if batch.type is BatchType.MULTIPART and part is None:
            raise Refused(400, f"Batch {batch_id} is a {batch.type}; partName is needed.")
        shown, token = page(list(batch.files(part)))
        return json_answer({"filesMetadata": [_entry(room, batch, part, file) for file in shown], **token})


@bp.post(f"{BATCH}/upload/image")
@operation(Operation.ROBOFLOW_IMAGES_UPLOAD)
def upload_image(workspace: str, batch_id: str) -> Response:
    """One image, in a form with one file of any name."""
    room = _room(workspace)
    name = _file_name()
    stored = image_of_form(room.staging.warehouse, current().tenant.behaviour.roboflow_max_image_bytes)
    with room.lock:
        batch = _begin(room, batch_id, BatchType.SIMPLE, ContentType.IMAGES)
        room.staging.add(batch, name, stored)
    return json_answer({"status": "ok"})


@bp.post(f"{BATCH}/upload/video")
@operation(Operation.ROBOFLOW_VIDEOS_SIGN)
def sign_video(workspace: str, batch_id: str) -> Response:
    """A signed URL for one video."""
    room = _room(workspace)
    name = _file_name()
    with room.lock:
        batch = _begin(room, batch_id, BatchType.SIMPLE, ContentType.VIDEOS)
        return _signed(room.staging.sign_video(batch, name))


@bp.post(f"{BATCH}/bulk-upload/image-files")
@operation(Operation.ROBOFLOW_SHARDS_SIGN)
def sign_shard(workspace: str, batch_id: str) -> Response:
    """A signed URL for one archive of images, which becomes a shard of its own."""
    room = _room(workspace)
    with room.lock:
        batch = _begin(room, batch_id, BatchType.SHARDED, ContentType.IMAGES)
        grant = room.staging.sign_shard(batch)
    return _signed(grant, maxFilesInArchive=current().tenant.behaviour.roboflow_max_images_in_archive)


@bp.post(f"{BATCH}/bulk-upload/image-references")
@operation(Operation.ROBOFLOW_IMAGES_REFER)
def refer_images(workspace: str, batch_id: str) -> Response:
    """Images by URL."""
    return _refer(workspace, batch_id, BatchType.SHARDED, ContentType.IMAGES)


@bp.post(f"{BATCH}/bulk-upload/video-references")
@operation(Operation.ROBOFLOW_VIDEOS_REFER)
def refer_videos(workspace: str, batch_id: str) -> Response:
    """Videos by URL; their batch is simple, because sharded ones hold images only."""
    return _refer(workspace, batch_id, BatchType.SIMPLE, ContentType.VIDEOS)


@bp.post(f"{BATCH}/roboql-ingest")
@operation(Operation.ROBOFLOW_IMAGES_QUERY)
def query_images(workspace: str, batch_id: str) -> Response:
    """Images that the service hosts; the mock hosts none, so nothing is found, in time and with a webhook."""
    room, told = _room(workspace), json_body()
    if not isinstance(told.get("query"), str) or not isinstance(told.get("displayName"), str | None):
        raise Refused(400, "query has to be a text, displayName too where it is given")
    subscriber = subscription(told, room.new_id)
    with room.lock:
        batch = room.staging.begin(batch_id, BatchType.SHARDED, ContentType.IMAGES, told.get("displayName"))
        room.staging.refer(batch, subscriber, [Found], listed=True)
    room.expect_events()
    return json_answer({"status": "ok"})


def _refer(workspace: str, batch_id: str, type_: BatchType, kind: ContentType) -> Response:
    room, behaviour = _room(workspace), current().tenant.behaviour
    told = json_body()
    if not behaviour.roboflow_batch_plan:
        raise Refused(402, "The plan of this workspace has no references.")
    asked, images = read(told, kind, room.new_id), kind is ContentType.IMAGES
    with room.lock:
        batch = _begin(room, batch_id, type_, kind)
        before = room.repetition(batch, asked)
        if before is None:
            finder = Finder(room.staging.warehouse, behaviour, kind)
            shard_ids = room.take(batch, asked, slices(asked, finder), listed=images)
            before = asked, shard_ids
            duplicated = False
        else:
            duplicated = True
    return json_answer(_taken(*before, duplicated=duplicated, images=images))


def _taken(asked: Request, shard_ids: list[str], *, duplicated: bool, images: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"status": "ok", "ingestId": asked.subscription.ingest_id, "duplicated": duplicated}
    # Whoever sends the URL of a list cannot be told its shards yet.
    return {**told, "shardIds": shard_ids} if images and asked.list_url is None else told


def _room(workspace: str) -> Roboflow:
    """The tenant's room, settled, once it is clear that the key opens it."""
    enter(workspace)
    room = current().tenant.roboflow
    room.settle()
    return room


def _find(room: Roboflow, batch_id: str) -> StagedBatch:
    batch = room.staging.get(batch_id)
    if batch is None:
        raise Refused(404, f"Batch {batch_id} does not exist.")
    return batch


def _begin(room: Roboflow, batch_id: str, type_: BatchType, kind: ContentType) -> StagedBatch:
    return room.staging.begin(batch_id, type_, kind, request.args.get("displayName"))


def _part(batch: StagedBatch) -> str | None:
    name = request.args.get("partName")
    if name is not None and name not in batch.parts:
        raise Refused(404, f"Batch {batch.id} has no part {name}.")
    return name


def _file_name() -> str:
    name = request.args.get("fileName", "")
    if not name or "/" in name or "\\" in name or name in {".", ".."}:
        current().body.drain()
        raise Refused(400, f"fileName has to be the name of a file, not {name!r}")
    return name


def _entry(room: Roboflow, batch: StagedBatch, part: str | None, file: StagedFile) -> dict[str, Any]:
    grant = room.staging.grants.read(file, batch.expires)
    return {
        "downloadURL": grant.url(request.host_url.rstrip("/")),
        "fileName": file.name,
        "partName": part,
        "shardId": file.shard_id,
        "contentType": file.kind.value,
        "nestedContentType": file.nested and file.nested.value,
    }


def _signed(grant: Grant, **limits: int) -> Response:
    details = {
        "uploadURL": grant.url(request.host_url.rstrip("/")),
        "method": grant.method,
        "extensionHeaders": dict(grant.headers),
        "maxFileSizeBytes": current().tenant.behaviour.roboflow_max_file_bytes,
        **limits,
    }
    return json_answer({"status": "ok", "signedURLDetails": details})
