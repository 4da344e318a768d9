"""What a batch can be filled with, each cut into parts that are sent on their own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from collections.abc import Collection as AnyCollection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbatch.errors import InputChanged, SourceUnreadable, UploadRefused
from visionbatch.io.wire_pool import WirePool
from visionbatch.model.tree import Member, Tree
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.stage_notes import StageNotes
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.image_form import image_form
from visionbatch.roboflow.media import Collection
from visionbatch.roboflow.stage_limits import ToldLimits
from visionbatch.roboflow.stage_settings import Kind, StageSettings
from visionbatch.roboflow.staged import UploadSlot
from visionbatch.transfer.members import read_whole
from visionbatch.transfer.object_source import ObjectSource
from visionbatch.transfer.renamed import RenamedTree
from visionbatch.transfer.shards import ShardLimits, Shards
from visionbatch.transfer.signed_put import SignedPut
from visionbatch.transfer.source import FileSource, Source
from visionbatch.transfer.tar_shard import TarShard

if TYPE_CHECKING:
    from visionbatch.transfer.upload import Progress

NOTIFICATION_CONFIG = "notification_config.json"
"""The member of an archive by which the service is told where to post events (the vendor's client)."""


@dataclass(frozen=True)
class Sent:
    """What became of one part.

    :param bytes: handed to the network.
    :param duplicated: whether the service had it already, and said so.
    :param shards: that the service made of it.
    """

    bytes: int = 0
    duplicated: bool = False
    shards: int = 0


@dataclass(frozen=True)
class Ways:
    """What every cargo needs to be sent.

    :param progress: called while bytes leave; may raise to stop them.
    """

    site: Roboflow
    wires: WirePool
    settings: StageSettings
    batch_id: str
    generation: int
    progress: Progress

    @property
    def ingest_id(self) -> str:
        """The same for every try of one generation."""
        return f"{self.batch_id}-{self.generation}"


class Cargo(ABC):
    """One batch's worth.

    :param ways: set before the first part is cut.
    """

    kind: Kind
    repeatable = True
    """Whether sending a part twice does no more than sending it once."""
    shards_each = 0
    """Shards that the service makes of one part; 0 where that is its own affair."""

    def __init__(self) -> None:
        self.doubtful: set[int] = set()

    @abstractmethod
    def cut(self, ways: Ways, notes: StageNotes) -> None:
        """Cut it into parts, and remember how; as an earlier try did, if there was one."""

    @abstractmethod
    def send(self, unit: int) -> Sent:
        """Send one part. May be called from many threads."""

    def arrived(self, units: AnyCollection[int], names: AnyCollection[str]) -> set[int]:  # noqa: ARG002
        """Which of these parts are at the service, by the names of the files that it lists."""
        return set()


class SingleImages(Cargo):
    """Images, one request each; under the same name an image takes the place of the one before."""

    kind = Kind.SINGLE

    def __init__(self, images: Collection, tree: Tree) -> None:
        super().__init__()
        self._images = images
        self._tree = tree

    def cut(self, ways: Ways, notes: StageNotes) -> None:
        """One part for each image."""
        self._ways = ways
        notes.cut(len(self._images))

    def send(self, unit: int) -> Sent:
        """Send one image."""
        ways, name, size = self._ways, self._images.name(unit), self._images.sizes[unit]
        origin = self._images.paths[unit]
        try:
            content = read_whole(self._tree, origin, size)
        except OSError as error:
            raise SourceUnreadable(f"{origin} cannot be read: {error.strerror or type(error).__name__}") from error
        form = image_form(name, content)
        ways.progress(0, size)
        ways.site.perform(ways.site.api.staging.put_image(ways.batch_id, name, form, ways.settings.display_name))
        return Sent(size)


class _Signed(Cargo):
    """What goes to signed addresses."""

    def put(self, unit: int, source: Source, slot: UploadSlot, ask: Callable[[], UploadSlot]) -> Sent:
        """Send one body."""
        ways, most = self._ways, ToldLimits.of(slot.limits).bytes
        if 0 < most < source.size:
            raise UploadRefused(f"{source.name} has {source.size} bytes, the service takes {most}", total=source.size)
        with ways.wires.wire() as wire:
            upload = SignedPut(
                source,
                slot,
                wire=wire,
                clock=ways.site.clock,
                settings=ways.site.tuning.transfer,
                renew=ask,
                repeatable=self.repeatable,
                progress=ways.progress,
            )
            try:
                return Sent(upload.run().sent_bytes, shards=self.shards_each)
            except BaseException:
                if upload.doubtful:
                    self.doubtful.add(unit)
                raise

    _ways: Ways


class ImageShards(_Signed):
    """Images in archives, which are computed while they leave.

    Each archive that arrives is a shard of its own, so one that was sent twice counts twice.
    """

    kind = Kind.SHARDS
    repeatable = False
    shards_each = 1

    def __init__(self, images: Collection, tree: Tree) -> None:
        super().__init__()
        self._images = images
        self._tree = tree
        self._slots: deque[UploadSlot] = deque()

    def cut(self, ways: Ways, notes: StageNotes) -> None:
        """As the limits want it that the service told with the first address, or told an earlier try."""
        self._ways = ways
        files, room, around = notes.files, notes.room, self._subscription()
        if not notes.units:
            self._slots.extend(self._asked_ahead())
            told = ToldLimits.of(self._slots[0].limits)
            files = min(ways.settings.images_per_shard, told.files or ways.settings.images_per_shard)
            size = min(ways.settings.shard_bytes, told.bytes or ways.settings.shard_bytes)
            # The subscription is one member more, and its place is held free. What is left is on record and not what it
            # was made of: a later try may have another receiver, and has to cut in the same places.
            room = max(size - 1024 - sum(len(content) + 1024 for content in around.values()), 1)
        limits = ShardLimits(files, room, ways.settings.image_bytes)
        self._shards = Shards(ways.batch_id, self._images.members(), limits)
        self._extra = around
        if notes.units not in (0, len(self._shards)):
            raise InputChanged(
                f"batch {ways.batch_id} was begun with {notes.units} archives, and would be cut into "
                f"{len(self._shards)} now",
                service=SERVICE,
                ref=ways.batch_id,
            )
        if not notes.units:
            notes.cut(len(self._shards), files=files, room=room)

    def send(self, unit: int) -> Sent:
        """Send one archive."""
        plan = self._shards.plan(unit)
        for name, content in self._extra.items():
            plan.add(Member(name, len(content), content))
        try:
            slot = self._slots.popleft()
        except IndexError:
            slot = self._ask()
        origins = dict(self._images.origins(self._shards.span(unit)))
        return self.put(unit, TarShard(plan, RenamedTree(self._tree, origins, self._extra)), slot, self._ask)

    def arrived(self, units: AnyCollection[int], names: AnyCollection[str]) -> set[int]:
        """Shards of which the service lists a file."""
        there = frozenset(names)
        return {unit for unit in units if any(path.decode() in there for path, _ in self._shards.plan(unit))}

    def _asked_ahead(self) -> list[UploadSlot]:
        """The first address, whose limits are wanted before anything is cut, and with it those of the archives that
        leave first: that is one wait less, and an address that is not used makes no shard.
        """  # noqa: D205  # one sentence
        settings = self._ways.settings
        count = min(settings.parallel, -(-len(self._images) // settings.images_per_shard))
        with ThreadPoolExecutor(count, "slot") as threads:
            return list(threads.map(lambda _: self._ask(), range(count)))

    def _ask(self) -> UploadSlot:
        ways = self._ways
        return ways.site.perform(ways.site.api.staging.archive_slot(ways.batch_id, ways.settings.display_name))

    def _subscription(self) -> dict[str, bytes]:
        url = self._ways.settings.notifications_url
        if url is None:
            return {}
        told = {"ingestId": self._ways.ingest_id, "notificationsURL": url.reveal()}
        return {NOTIFICATION_CONFIG: json.dumps(told).encode()}


class Videos(_Signed):
    """Videos, each to an address of its own; under the same name a video takes the place of the one before."""

    kind = Kind.VIDEOS

    def __init__(self, videos: Collection, place: str | Path, filesystem: Any = None) -> None:
        super().__init__()
        self._videos = videos
        self._place = place
        self._filesystem = filesystem

    def cut(self, ways: Ways, notes: StageNotes) -> None:
        """One part for each video."""
        self._ways = ways
        notes.cut(len(self._videos))

    def send(self, unit: int) -> Sent:
        """Send one video."""
        ways, name = self._ways, self._videos.name(unit)

        def ask() -> UploadSlot:
            staging = ways.site.api.staging
            return ways.site.perform(staging.video_slot(ways.batch_id, name, ways.settings.display_name))

        with self._opened(self._videos.paths[unit]) as source:
            return self.put(unit, source, ask(), ask)

    def _opened(self, origin: str) -> AbstractContextManager[Source]:
        if self._filesystem is None:
            return FileSource(Path(self._place, origin))
        return nullcontext(ObjectSource(self._filesystem, f"{self._place}/{origin}"))
