"""Fetching what VIAS has written into a bucket: events and pictures, verified, of one batch or of all.

How its objects are called is in no document. So nothing is concluded from a name but that ``.json`` may be a document,
and that what is called the same but for its ending belongs to it; whose event a document is, it says itself.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from visionbatch.config import MIB, DownloadSettings
from visionbatch.io.clock import Clock, SystemClock
from visionbatch.io.folders import Folder
from visionbatch.io.s3_bucket import S3Bucket, S3File
from visionbatch.model.bucket_file import BucketFile
from visionbatch.model.safe_names import tame_name
from visionbatch.pipelines.fetch_log import FetchLog
from visionbatch.pipelines.logged_fetch import LoggedFetch
from visionbatch.pipelines.vias_manifest import (
    BucketOutcome,
    FetchedObject,
    ObjectKey,
    ObjectKind,
    ViasResults,
)
from visionbatch.transfer.download import Download
from visionbatch.transfer.in_threads import each_in_parallel
from visionbatch.transfer.remote import Progress

log = logging.getLogger(__name__)

DOCUMENT_BYTES = 64 * MIB
"""Ours: no event is as large, its picture included; what is larger is kept, and not read."""

CONNECTIONS = 8
"""Files at a time: results are many and small."""

_NOTED = 1
"""A file that a note names is the same when its bytes are: S3 counts no generations."""

_Stored = tuple[S3File, str]
"""An object, and the path that it gets."""


@dataclass(frozen=True)
class WantedResults:
    """Which objects are to be fetched.

    :param batch_id: only the events of this batch's tasks; a path that only one batch writes to needs no such look.
    :param tasks: ids of these tasks; ``None`` for all that lie there.
    :param since: Unix seconds; only objects written then or later. ``None`` is all.
    :param until: Unix seconds; only objects written then or earlier.
    :param pictures: what is no document as well.
    """

    batch_id: str = ""
    tasks: frozenset[str] | None = None
    since: float | None = None
    until: float | None = None
    pictures: bool = True

    def takes(self, file: S3File) -> bool:
        """Whether an object is one of them, by its time."""
        late_enough = self.since is None or file.modified >= self.since
        return late_enough and (self.until is None or file.modified <= self.until)


class BucketFetch(LoggedFetch[FetchedObject, ViasResults]):
    """One fetch out of a bucket into a folder.

    :param path: in the bucket, as the batch's output names it.
    :param progress: called with bytes that are there and bytes in all.
    """

    def __init__(
        self,
        bucket: S3Bucket,
        path: str,
        folder: Folder,
        wanted: WantedResults,
        *,
        settings: DownloadSettings | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> None:
        prefix = f"{path.strip('/')}/" if path.strip("/") else ""
        source = bucket.place(prefix)
        manifest = ViasResults(source, folder.location, wanted.batch_id, tasks=len(wanted.tasks or ()))
        fingerprint = sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        super().__init__(folder, manifest, fingerprint, FetchedObject.read, progress=progress)
        self._bucket = bucket
        self._prefix = prefix
        self._wanted = wanted
        self._settings = settings or DownloadSettings(connections=CONNECTIONS)
        self._clock = clock or SystemClock()
        self._paths: dict[str, str] = {}

    def _goes_on_from(self, before: ViasResults) -> bool:
        return before.source == self._manifest.source

    def _landed(self, before: ViasResults) -> Iterable[FetchedObject]:
        # A file beside may be told of as not wanted too; that it is here counts more.
        return (*before.files, *before.beside)

    def _fetch_all(self, noted: FetchLog[FetchedObject]) -> None:
        self._paths = {file.key.name: file.path for file in self._noted.values() if file.path}
        listed = [file for file in self._bucket.files(self._prefix) if not file.name.endswith("/")]
        # A picture may have been written a moment before or after its document: it is the document's time that counts.
        documents = [file for file in listed if _is_document(file.name) and self._wanted.takes(file)]
        self._bring(documents, noted)
        self._bring(self._pictures(listed), noted)

    def _pictures(self, listed: Iterable[S3File]) -> list[S3File]:
        """What is no document: beside an event that is kept, or, when all are wanted, by its own time."""
        if not self._wanted.pictures:
            return []
        kept = {_stem(file.key.name) for file in self._files.values() if file.kind is not ObjectKind.NOT_WANTED}
        others = [file for file in listed if not _is_document(file.name)]
        alone = self._wanted.tasks is None
        return [file for file in others if _stem(file.name) in kept or (alone and self._wanted.takes(file))]

    def _bring(self, files: list[S3File], noted: FetchLog[FetchedObject]) -> None:
        self._arrivals.expect(sum(file.size for file in files))

        def fetch(stored: _Stored) -> None:
            self._fetch(stored, noted)

        for _ in each_in_parallel(self._missing(files), fetch, self._settings.connections):
            pass

    def _missing(self, files: Iterable[S3File]) -> Iterator[_Stored]:
        for file in files:
            before = self._noted.get(ObjectKey(file.name, file.etag))
            if before is not None and self._stands(before):
                self._add(before)
            elif before is None or not self._is_anothers(before):
                # What is written anew takes the place of what it was.
                yield file, self._paths.get(file.name) or self._place(file.name)

    def _stands(self, before: FetchedObject) -> bool:
        """Whether a note still holds: for who is asked for now, and for what is in the folder."""
        if before.kind is ObjectKind.NOT_WANTED:
            return not self._is_wanted(before.task_id)
        return not self._is_anothers(before) and self._is_there(before)

    def _is_there(self, before: FetchedObject) -> bool:
        noted = BucketFile(before.path, _NOTED, before.size, 0.0, int(before.crc32c, 16))
        return self._folder.has(before.path, noted, _NOTED)

    def _is_anothers(self, file: FetchedObject) -> bool:
        """Whether it is an event that an earlier fetch has brought, for a batch that is not asked for now."""
        return file.kind is ObjectKind.EVENT and not self._is_wanted(file.task_id)

    def _is_wanted(self, task_id: str) -> bool:
        return self._wanted.tasks is None or task_id in self._wanted.tasks

    def _place(self, name: str) -> str:
        relative = PurePosixPath(tame_name(name.removeprefix(self._prefix), "unnamed"))
        folder = "results" if str(relative.parent) == "." else f"results/{relative.parent}"
        return self._places.place(folder, relative.name)

    def _fetch(self, stored: _Stored, noted: FetchLog[FetchedObject]) -> None:
        file, path = stored
        target = self._folder.target(path)
        done = Download(
            self._bucket.remote(file),
            target,
            settings=self._settings,
            clock=self._clock,
            progress=lambda arrived, _: self._arrivals.advance(file.name, arrived),
        ).run()
        kind, task_id, message_id = _NO_DOCUMENT
        if _is_document(file.name) and done.size <= DOCUMENT_BYTES:
            kind, task_id, message_id = _read(target.read_bytes())
        key = ObjectKey(file.name, done.version)
        found = FetchedObject(key, path, done.size, file.modified, f"{done.crc32c:08x}", kind, task_id, message_id)
        if self._is_anothers(found):
            found = self._left_out(found)
        else:
            self._folder.keep(path)
        self._arrived(found, noted, done.fetched_bytes, file.name)

    def _left_out(self, found: FetchedObject) -> FetchedObject:
        """An event of another batch: it goes, unless it is a newer writing of what an earlier fetch has brought."""
        if found.key.name in self._paths:
            self._folder.keep(found.path)
            self._noted[found.key] = found
        else:
            self._folder.target(found.path).unlink()
        return dataclasses.replace(found, path="", kind=ObjectKind.NOT_WANTED)

    def _ended(self) -> ViasResults:
        return dataclasses.replace(
            self._manifest, outcome=self._outcome(), silent=self._silent(), beside=tuple(self._beside())
        )

    def _beside(self) -> Iterator[FetchedObject]:
        """What earlier fetches have put here and this one did not ask for."""
        told = {file.path for file in self._files.values()}
        for file in self._noted.values():
            if file.path and file.path not in told and self._is_there(file):
                told.add(file.path)
                yield file

    def _outcome(self) -> BucketOutcome:
        kinds = {file.kind for file in self._files.values()}
        if ObjectKind.UNREADABLE in kinds:
            return BucketOutcome.PARTIAL
        return BucketOutcome.DONE if kinds - {ObjectKind.NOT_WANTED} else BucketOutcome.NOTHING

    def _silent(self) -> tuple[str, ...]:
        heard = {file.task_id for file in self._files.values() if file.kind is ObjectKind.EVENT}
        return tuple(sorted((self._wanted.tasks or frozenset()) - heard))


_NO_DOCUMENT = (ObjectKind.OTHER, "", "")


def _read(document: bytes) -> tuple[ObjectKind, str, str]:
    """What a document is, and of whom; the events of all algorithms have the same envelope."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return ObjectKind.UNREADABLE, "", ""
    task_id = value.get("task_id") if isinstance(value, dict) else None
    if not isinstance(task_id, str):
        return _NO_DOCUMENT
    message_id = value.get("message_id")
    return ObjectKind.EVENT, task_id, message_id.upper() if isinstance(message_id, str) else ""


def _is_document(name: str) -> bool:
    return name.lower().endswith(".json")


def _stem(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.rpartition('.')[0] or last}"


def fetch_vias_results(
    bucket: S3Bucket,
    path: str,
    folder: Folder,
    wanted: WantedResults | None = None,
    *,
    settings: DownloadSettings | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> ViasResults:
    """Fetch results into ``results/`` of a folder, and the whole manifest into ``manifest.json``; see `BucketFetch`.

    Objects keep their names behind the path, where those are made harmless, and the manifest says which is which. A
    later fetch into the same folder brings what is new, so that a stream's results can be fetched day by day.

    :raises NotFound: when there is no such bucket.
    :raises DownloadError: see `visionbatch.pipelines.logged_fetch.LoggedFetch.run`.
    """
    given = wanted or WantedResults()
    return BucketFetch(bucket, path, folder, given, settings=settings, clock=clock, progress=progress).run()
