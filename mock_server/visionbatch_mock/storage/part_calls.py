"""The four calls of an upload in parts: begin, send a part, complete, abort."""

from collections.abc import Sequence

from flask import Response, request

from visionbatch_mock.answers import empty_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.ledger import Effect
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.asking import header_conditions, require
from visionbatch_mock.storage.downloads import read
from visionbatch_mock.storage.hashes import promise_of_request
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.parts import MOST_PARTS, PartedUpload, XmlRefusal
from visionbatch_mock.storage.permissions import Permission
from visionbatch_mock.storage.preconditions import Preconditions
from visionbatch_mock.storage.spool import Spool
from visionbatch_mock.storage.watching import ObjectWatcher
from visionbatch_mock.storage.whole import keep_whole
from visionbatch_mock.storage.xml_documents import document, parts_of
from visionbatch_mock.storage.xml_headers import described, promised, show_written, writing_to
from visionbatch_mock.text import whole_number

MOST_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Ours: room for a list of 10,000 parts."""


@operation(Operation.PARTS_BEGIN)
def begin(bucket: str, name: str) -> Response:
    """A new upload, with the description that its object shall have."""
    current().body.drain()
    _refuse_conditions()
    writing_to(bucket, name)
    upload = current().tenant.parted.begin(Target(bucket, name, described(), of_parts=True))
    current().tenant.ledger.commit(Effect.PARTS_BEGUN, bucket=bucket, object=name, upload=upload.id)
    return document("InitiateMultipartUploadResult", _named(upload))


@operation(Operation.PARTS_PUT)
def put(bucket: str, name: str) -> Response:
    """Take a part."""
    _refuse_conditions()
    upload = _upload(bucket, name)
    number = _number()
    watcher = _PartWatcher(upload, number)
    part = keep_whole(Target(bucket, name), current().body.blocks(), watcher, promised(), watcher.part)
    upload.keep(number, part)
    return show_written(empty_answer(200), part)


@operation(Operation.PARTS_COMPLETE)
def complete(bucket: str, name: str) -> Response:
    """Make an object of the parts that the body lists."""
    _refuse_conditions()
    upload = _upload(bucket, name, even_complete=True)
    body = current().body.read_all(MOST_DOCUMENT_BYTES)
    if body is None:
        raise XmlRefusal("EntityTooLarge", f"The list of parts exceeds {MOST_DOCUMENT_BYTES} bytes.")
    stored = upload.complete(parts_of(body), _join)
    where = f"{request.host_url}{bucket}/{name}"
    fields = [("Location", where), *_named(upload)[:2], ("ETag", stored.entity_tag)]
    return show_written(document("CompleteMultipartUploadResult", fields), stored)


@operation(Operation.PARTS_ABORT)
def abort(bucket: str, name: str) -> Response:
    """Forget the upload: 204."""
    current().body.drain()
    upload = _upload(bucket, name)
    current().tenant.parted.abort(upload)
    current().tenant.ledger.commit(Effect.PARTS_ABORTED, bucket=bucket, object=name, upload=upload.id)
    return empty_answer(204)


class _PartWatcher:
    """Makes a part of spooled bytes, and writes it into the ledger."""

    def __init__(self, upload: PartedUpload, number: int) -> None:
        self._upload = upload
        self._number = number

    def part(self, target: Target, spool: Spool) -> StoredObject:
        """The part, which no bucket lists."""
        spool.seal()
        now = current().tenant.clock.now()
        facts = (spool.path, spool.size, spool.digests(), 0, now, target.description, now)
        return StoredObject(target.bucket, target.name, *facts)

    def persisted(self, start: int, stop: int) -> None:
        """Nothing counts before the part is whole."""

    def completed(self, stored: StoredObject) -> None:
        """The part is here."""
        current().tenant.ledger.commit(
            Effect.PART_STORED,
            bucket=stored.bucket,
            object=stored.name,
            upload=self._upload.id,
            part=self._number,
            size=stored.size,
            crc32c=stored.digests.crc32c,
        )

    def cancelled(self) -> None:
        """Nothing was kept."""


def _join(target: Target, parts: Sequence[StoredObject]) -> StoredObject:
    """One object of the bytes of all parts."""
    blocks = (block for part in parts for block in read(part, 0, part.size))
    watcher = ObjectWatcher(current().tenant.ledger, target.bucket, target.name)
    return keep_whole(target, blocks, watcher, promise_of_request())


def _named(upload: PartedUpload) -> list[tuple[str, str]]:
    return [("Bucket", upload.target.bucket), ("Key", upload.target.name), ("UploadId", upload.id)]


def _upload(bucket: str, name: str, *, even_complete: bool = False) -> PartedUpload:
    require(Permission.OBJECTS_CREATE, bucket, name)
    return current().tenant.parted.get(request.args["uploadId"], bucket, name, even_complete=even_complete)


def _number() -> int:
    told = request.args.get("partNumber", "")
    number = whole_number(told)
    if number is None or not 1 <= number <= MOST_PARTS:
        raise XmlRefusal("InvalidArgument", f"partNumber has to be a number from 1 to {MOST_PARTS}, not {told[:20]!r}.")
    return number


def _refuse_conditions() -> None:
    if header_conditions() != Preconditions():
        raise XmlRefusal("InvalidArgument", "Uploads in parts take no preconditions.")
