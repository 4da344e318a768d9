"""References as a cargo: chunks of a list, each a request of its own."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from typing import Any

from visionbatch.pipelines.stage_cargo import Cargo, Sent, Ways
from visionbatch.pipelines.stage_notes import StageNotes
from visionbatch.roboflow.references import Reference, ReferenceList
from visionbatch.roboflow.stage_settings import IMAGE_REFERENCES, VIDEO_REFERENCES, Kind


class ReferenceChunks(Cargo):
    """References, as many in a request as the service takes.

    Each request has an ingest id that is the same on every try. By what the service knows a repetition is not
    published, and fresh signatures make another request of it, so images are not sent again while it is in doubt
    whether they arrived. Videos may be: under the same name one takes the place of the one before.
    """

    def __init__(self, references: ReferenceList, *, videos: bool = False) -> None:
        super().__init__()
        self.kind = Kind.VIDEO_REFERENCES if videos else Kind.IMAGE_REFERENCES
        self._videos = videos
        self.repeatable = videos
        self._most = VIDEO_REFERENCES if videos else IMAGE_REFERENCES
        self._references = references

    def cut(self, ways: Ways, notes: StageNotes) -> None:
        """Into chunks of the same size on every try."""
        self._ways = ways
        self._most = notes.files or self._most
        if not notes.units:
            notes.cut(-(-len(self._references) // self._most), files=self._most)

    def send(self, unit: int) -> Sent:
        """Send one chunk."""
        ways, staging = self._ways, self._ways.site.api.staging
        chunk = self._chunk(unit)
        body: dict[str, Any] = {
            "videoReferences" if self._videos else "imageReferences": [
                {"name": reference.name, "url": reference.url} for reference in chunk
            ],
            "ingestId": f"{ways.ingest_id}-{unit}",
        }
        if ways.settings.notifications_url is not None:
            body["notificationsURL"] = ways.settings.notifications_url
        ways.progress(0, len(chunk))
        act = staging.ingest_videos if self._videos else staging.ingest_images
        # Whatever the last answer is, one before it may have been lost.
        self.doubtful.add(unit)
        ingest = ways.site.perform(act(ways.batch_id, body, ways.settings.display_name))
        return Sent(duplicated=ingest.duplicated, shards=len(ingest.shard_ids))

    def arrived(self, units: AnyCollection[int], names: AnyCollection[str]) -> set[int]:
        """Chunks of which the service lists a file."""
        there = frozenset(names)
        return {unit for unit in units if any(reference.name in there for reference in self._chunk(unit))}

    def _chunk(self, unit: int) -> Sequence[Reference]:
        return self._references.chunk(unit * self._most, (unit + 1) * self._most)
