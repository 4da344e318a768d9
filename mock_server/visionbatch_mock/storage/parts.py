"""Uploads in parts, of the XML API: numbered parts in any order, and a list that makes one object of them.

By Google's page on XML API multipart uploads: a part that is sent again replaces the one before, every part but the
last has 5 MiB, numbers go up to 10,000, and an upload lives until it is completed or aborted. Ours: an upload that was
completed answers the same list again as it did, because clients repeat that call when an answer is lost.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from visionbatch_mock.ids import IdSource
from visionbatch_mock.refusals import Refusal
from visionbatch_mock.storage.objects import StoredObject, Target

LEAST_PART_BYTES = 5 * 1024 * 1024
MOST_PARTS = 10_000

Listed = Sequence[tuple[int, str]]
"""Numbers of parts with the entity tags that the client was given for them."""


class XmlRefusal(Refusal):
    """A request that is refused with one of the XML API's error codes."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(status, message)
        self.code = code


@dataclass(slots=True)
class PartedUpload:
    """One upload: where it shall end up, the parts that are here, and what it became."""

    id: str
    target: Target
    parts: dict[int, StoredObject] = field(default_factory=dict)
    completed: tuple[Listed, StoredObject] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, number: int, part: StoredObject) -> None:
        """Take a part, in place of one of the same number."""
        with self.lock:
            self.parts[number] = part

    def complete(self, listed: Listed, join: Callable[[Target, Sequence[StoredObject]], StoredObject]) -> StoredObject:
        """What the listed parts make together; raises `XmlRefusal`, or what `join` raises."""
        with self.lock:
            if self.completed is not None and self.completed[0] == listed:
                return self.completed[1]
            stored = join(self.target, list(self._chosen(listed)))
            self.completed = (listed, stored)
            self.parts.clear()
            return stored

    def _chosen(self, listed: Listed) -> Iterator[StoredObject]:
        if not listed or self.completed is not None:
            raise XmlRefusal("InvalidPart", "No part is listed that is there.")
        numbers = [number for number, _ in listed]
        if numbers != sorted(set(numbers)):
            raise XmlRefusal("InvalidPartOrder", "The parts are not listed in ascending order of their numbers.")
        for number, tag in listed:
            part = self.parts.get(number)
            if part is None or part.entity_tag.strip('"') != tag:
                raise XmlRefusal("InvalidPart", f"Part {number} is not there, or its entity tag is not {tag}.")
            if part.size < LEAST_PART_BYTES and number != numbers[-1]:
                raise XmlRefusal("EntityTooSmall", f"Part {number} has {part.size} bytes, fewer than 5 MiB.")
            yield part


class PartedUploads:
    """Those of one tenant."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self._uploads: dict[str, PartedUpload] = {}

    def begin(self, target: Target) -> PartedUpload:
        """A new upload."""
        made = PartedUpload(self._ids.token(), target)
        self._uploads[made.id] = made
        return made

    def get(self, upload_id: str, bucket: str, name: str, *, even_complete: bool = False) -> PartedUpload:
        """The upload of that id; raises `XmlRefusal` where it is none of this object, or over."""
        found = self._uploads.get(upload_id)
        gone = found is not None and found.completed is not None and not even_complete
        if found is None or gone or (found.target.bucket, found.target.name) != (bucket, name):
            raise XmlRefusal("NoSuchUpload", "The specified upload does not exist.", 404)
        return found

    def abort(self, upload: PartedUpload) -> None:
        """Forget an upload and its parts."""
        self._uploads.pop(upload.id, None)
