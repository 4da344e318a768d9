"""Data Staging: batches, what is in them, and where to send more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from visionbatch.config import AllowedHosts
from visionbatch.flow.effects import Body, Flow, Request
from visionbatch.flow.retry import RetryPolicy
from visionbatch.roboflow.calls import Calls, Query, named
from visionbatch.roboflow.decode import Fields, every
from visionbatch.roboflow.staged import BatchPart, Ingest, Shard, StagedFile, StagingBatch, UploadSlot


class Staging:
    """The operations of Data Staging. Every error names the service and the batch."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._upload_hosts = AllowedHosts(calls.settings.upload_hosts)
        self._download_hosts = AllowedHosts(calls.settings.download_hosts, "download URL")

    def batches(self) -> Flow[tuple[StagingBatch, ...]]:
        """All batches that there are, those that jobs wrote included."""
        return named("", self._batches())

    def _batches(self) -> Flow[tuple[StagingBatch, ...]]:
        path = yield from self._calls.staging("/batches")
        found = yield from self._calls.pages(path, "batches", of="batch")
        return every(found, StagingBatch.read)

    def batch(self, batch_id: str) -> Flow[StagingBatch]:
        """What is known of a batch.

        :raises NotFound: before the first upload, and after it has expired.
        """
        return named(batch_id, self._batch(batch_id))

    def _batch(self, batch_id: str) -> Flow[StagingBatch]:
        path = yield from self._calls.staging("/batches/{}", batch_id)
        answer = yield from self._calls.get(path)
        return StagingBatch.read(Fields(answer, "the answer").inner("batch", "a batch"))

    def count(self, batch_id: str, part: str = "", retry: RetryPolicy | None = None) -> Flow[int]:
        """How many items are in a batch, or in a part of it; grows while a sharded batch is being ingested."""
        return named(batch_id, self._count(batch_id, part, retry))

    def _count(self, batch_id: str, part: str, retry: RetryPolicy | None) -> Flow[int]:
        path = yield from self._calls.staging("/batches/{}/count", batch_id)
        answer = yield from self._calls.get(path, _part(part), retry)
        return Fields(answer, "a batch").number("count")

    def shards(self, batch_id: str, retry: RetryPolicy | None = None) -> Flow[tuple[Shard, ...]]:
        """The shards of a batch and how far their ingestion is."""
        return named(batch_id, self._shards(batch_id, retry))

    def _shards(self, batch_id: str, retry: RetryPolicy | None) -> Flow[tuple[Shard, ...]]:
        path = yield from self._calls.staging("/batches/{}/shards", batch_id)
        found = yield from self._calls.pages(path, "shards", of="shard", retry=retry)
        return every(found, Shard.read)

    def parts(self, batch_id: str) -> Flow[tuple[BatchPart, ...]]:
        """The parts of a multipart batch."""
        return named(batch_id, self._parts(batch_id))

    def _parts(self, batch_id: str) -> Flow[tuple[BatchPart, ...]]:
        path = yield from self._calls.staging("/batches/{}/parts", batch_id)
        answer = yield from self._calls.get(path)
        return every(Fields(answer, "the answer").each("batchParts", "a part"), BatchPart.read)

    def content(self, batch_id: str, part: str = "") -> Flow[tuple[StagedFile, ...]]:
        """The files of a batch, or of a part of it, with signed addresses.

        :raises UnsafeUrl: for an address outside the download hosts.
        """
        return named(batch_id, self._content(batch_id, part))

    def _content(self, batch_id: str, part: str) -> Flow[tuple[StagedFile, ...]]:
        found: list[StagedFile] = []
        yield from self._each_file(batch_id, found.append, part)
        return tuple(found)

    def each_file(self, batch_id: str, take: Callable[[StagedFile], object], part: str = "") -> Flow[None]:
        """The same for batches whose files are too many to be held: each is handed over, page by page."""
        return named(batch_id, self._each_file(batch_id, take, part))

    def _each_file(self, batch_id: str, take: Callable[[StagedFile], object], part: str) -> Flow[None]:
        path = yield from self._calls.staging("/batches/{}/list", batch_id)

        def read(entries: list[Fields]) -> bool:
            for entry in entries:
                take(self._file(entry))
            return False

        yield from self._calls.each_page(path, "filesMetadata", read, of="file", query=_part(part))

    def _file(self, file: Fields) -> StagedFile:
        return StagedFile(
            name=file.text("fileName"),
            url=self._download_hosts.admit(file.text("downloadURL")),
            content=file.text("contentType"),
            part=file.maybe_text("partName"),
            shard=file.maybe_text("shardId"),
            nested_content=file.maybe_text("nestedContentType"),
        )

    def put_image(self, batch_id: str, file_name: str, form: Body, display_name: str = "") -> Flow[None]:
        """Send one image into a simple batch; under the same name it replaces the one before, so it may be repeated.

        :param form: ``multipart/form-data`` with one file in it.
        """
        return named(batch_id, self._put_image(batch_id, file_name, form, display_name))

    def _put_image(self, batch_id: str, file_name: str, form: Body, display_name: str) -> Flow[None]:
        path = yield from self._calls.staging("/batches/{}/upload/image", batch_id)
        query = (("fileName", file_name), *_display(display_name))
        yield from self._calls.post(Request("POST", path, query, body=form))

    def video_slot(self, batch_id: str, file_name: str, display_name: str = "") -> Flow[UploadSlot]:
        """Where a video is to be PUT."""
        return named(batch_id, self._slot(batch_id, "upload/video", (("fileName", file_name), *_display(display_name))))

    def archive_slot(self, batch_id: str, display_name: str = "") -> Flow[UploadSlot]:
        """Where one archive of images, a new shard, is to be PUT. A slot that is not used makes no shard."""
        return named(batch_id, self._slot(batch_id, "bulk-upload/image-files", _display(display_name)))

    def _slot(self, batch_id: str, route: str, query: Query) -> Flow[UploadSlot]:
        path = yield from self._calls.staging(f"/batches/{{}}/{route}", batch_id)
        answer = yield from self._calls.post(Request("POST", path, tuple(query)))
        slot = Fields(answer, "the answer").inner("signedURLDetails", "the signed URL")
        headers = slot.inner("extensionHeaders", "the extension headers")
        sent = {name: headers.text(name) for name in headers.values}
        limits = {name: value for name, value in slot.values.items() if type(value) is int}
        return UploadSlot(self._upload_hosts.admit(slot.text("uploadURL")), sent, limits)

    def ingest_images(self, batch_id: str, body: dict[str, Any], display_name: str = "") -> Flow[Ingest]:
        """Have images fetched from signed addresses.

        :param body: ``imageReferences`` or ``imageReferencesURL``, and what else the service takes. With an
            ``ingestId`` it may be repeated: the service recognises it.
        """
        return named(batch_id, self._ingest(batch_id, "image-references", body, display_name))

    def ingest_videos(self, batch_id: str, body: dict[str, Any], display_name: str = "") -> Flow[Ingest]:
        """The same for videos, with ``videoReferences`` or ``videoReferencesURL``."""
        return named(batch_id, self._ingest(batch_id, "video-references", body, display_name))

    def _ingest(self, batch_id: str, route: str, body: dict[str, Any], display_name: str) -> Flow[Ingest]:
        path = yield from self._calls.staging(f"/batches/{{}}/bulk-upload/{route}", batch_id)
        # Without an id of our own nobody could tell a repetition from a second ingest.
        request = Request("POST", path, _display(display_name or batch_id), body, repeatable="ingestId" in body)
        answer = Fields((yield from self._calls.post(request)), "the answer to an ingest")
        return Ingest(answer.text("ingestId"), answer.texts("shardIds"), answer.flag("duplicated"))

    def ingest_query(self, batch_id: str, body: dict[str, Any]) -> Flow[None]:
        """Have images that Roboflow hosts selected by a RoboQL ``query``; the answer tells nothing."""
        return named(batch_id, self._ingest_query(batch_id, body))

    def _ingest_query(self, batch_id: str, body: dict[str, Any]) -> Flow[None]:
        path = yield from self._calls.staging("/batches/{}/roboql-ingest", batch_id)
        yield from self._calls.send(Request("POST", path, body=body, repeatable="ingestId" in body))


def _part(part: str) -> Query:
    return (("partName", part),) if part else ()


def _display(display_name: str) -> tuple[tuple[str, str], ...]:
    return (("displayName", display_name),) if display_name else ()
