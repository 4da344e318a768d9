"""Filling one batch of Data Staging: check, plan, intent, and every part sent once, whatever earlier tries did."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from visionbatch.errors import InputMissing
from visionbatch.io.local_tree import LocalTree
from visionbatch.io.object_tree import ObjectTree
from visionbatch.io.sinks import Sink
from visionbatch.io.wire_pool import WirePool
from visionbatch.model.outside import outside_url
from visionbatch.model.policy import OnInputChange
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.tree import Tree
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.stage_batch import BatchChoice
from visionbatch.pipelines.stage_cargo import (
    Cargo,
    ImageShards,
    SingleImages,
    Videos,
    Ways,
)
from visionbatch.pipelines.stage_manifest import StageManifest, names_as_lines, reasons
from visionbatch.pipelines.stage_notes import StageNotes
from visionbatch.pipelines.stage_sending import Halted, PartSender
from visionbatch.pipelines.stage_settling import Settling
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.media import Collection, Media, survey
from visionbatch.roboflow.stage_settings import Kind, StageSettings
from visionbatch.transfer.plan import Plan

if TYPE_CHECKING:
    from visionbatch.roboflow.references import ReferenceList

log = logging.getLogger(__name__)


class RoboflowStageRun:
    """One run over one record; any later try, on any machine, goes on where it stopped.

    :param store: where the record is kept; it never holds a signed address.
    :param identity: of the run, any text; the batch's id comes from it where none is given.
    :param on_input_change: what to do when the input is another than at the beginning, and not all of that was sent. A
        batch cannot be emptied, so ``cancel_and_new`` begins another one, and leaves the old one to expire. Once all
        was sent, another input always begins another batch.
    :param sink: where the list of renamed files is written.
    :raises UnsafeUrl: for a ``notifications_url`` that leads inside a network.
    """

    def __init__(
        self,
        site: Roboflow,
        store: RunStore,
        settings: StageSettings | None = None,
        *,
        identity: str = "",
        on_input_change: OnInputChange = OnInputChange.FAIL,
        sink: Sink | None = None,
    ) -> None:
        self._site = site
        if settings is not None and settings.notifications_url is not None:
            inside = site.api.calls.settings.allow_inside
            schemes = ("https", "http") if inside else ("https",)
            url = settings.notifications_url.reveal()
            outside_url(url, what="notifications_url", schemes=schemes, allow_inside=inside)
        self._journal = Journal(store, RunRecord(SERVICE, ""))
        self._settings = settings or StageSettings()
        self._identity = identity
        self._on_input_change = on_input_change
        self._sink = sink
        self._stop = Event()

    def images(self, place: str | Path, batch_id: str = "", *, filesystem: Any = None) -> StageManifest:
        """Send the images of a folder and all below it.

        The kind is decided once for the batch: a later try keeps it, whatever its settings say.

        :param place: path, in ``filesystem`` if that is given, else on the local disk.
        :param filesystem: any fsspec filesystem.
        :raises InvalidInput: when a file cannot be sent, with all such files; nothing was.
        :raises InputChanged: by ``on_input_change``.
        :raises IdTaken: when ``batch_id`` belongs to a batch that no record of this run knows.
        :raises VisionBatchError: anything the service or the network does; the record says how to go on.
        """
        with _tree(place, filesystem) as tree:
            found = survey(tree, Media.IMAGES, self._settings.image_bytes)
            kind = self._settings.kind_of_images(len(found))

            def cargo(kind: Kind) -> Cargo:
                return SingleImages(found, tree) if kind is Kind.SINGLE else ImageShards(found, tree)

            return self._files(found, batch_id, kind, cargo)

    def videos(self, place: str | Path, batch_id: str = "", *, filesystem: Any = None) -> StageManifest:
        """Send the videos of a folder and all below it; as `images` else."""
        with _tree(place, filesystem) as tree:
            found = survey(tree, Media.VIDEOS)
            return self._files(found, batch_id, Kind.VIDEOS, lambda _: Videos(found, place, filesystem))

    def references(self, listed: ReferenceList, batch_id: str = "", *, videos: bool = False) -> StageManifest:
        """Have the service fetch images, or videos, from addresses; as `images` else."""
        # A folder needs none of it.
        from visionbatch.pipelines.stage_references import ReferenceChunks  # noqa: PLC0415

        cargo = ReferenceChunks(listed, videos=videos)
        notes = self._begin(listed.fingerprint, listed.location, batch_id, cargo.kind, len(listed))
        return self._done(notes, self._send(cargo, notes), StageManifest("", "", 0))

    def _files(self, found: Collection, batch_id: str, kind: Kind, cargo: Any) -> StageManifest:
        found.require()
        notes = self._begin(_fingerprint(found), found.location, batch_id, kind, len(found))
        names = self._keep_names(found)
        sent = self._send(cargo(notes.kind), notes)
        about = StageManifest(
            "", "", 0, bytes=found.bytes, skipped=reasons(found.skipped), renamed=found.renamed, names=names
        )
        return self._done(notes, sent, about)

    def _begin(self, fingerprint: str, location: str, batch_id: str, kind: Kind, items: int) -> StageNotes:
        choice = BatchChoice(self._site, self._journal, self._identity, self._on_input_change, self._settings.settle_s)
        choice.make(fingerprint, location, batch_id, StageNotes.first(kind, items))
        every_s = self._site.tuning.transfer.checkpoint_s
        return StageNotes(self._journal, self._site.clock, ahead=self._settings.parallel, every_s=every_s)

    def _keep_names(self, found: Collection) -> str:
        if not found.renamed:
            return ""
        if self._sink is None:
            log.warning("%d files have another name in the batch, and nobody asked for the list", found.renamed)
            return ""
        return self._sink.write(f"{self._journal.record.ref}.names.jsonl", names_as_lines(found))

    def _send(self, cargo: Cargo, notes: StageNotes) -> int:
        """Send what is missing; gives the bytes that took."""
        self._stop.clear()
        # Asked for once, and not by each thread.
        self._site.workspace()
        transfer, record = self._site.tuning.transfer, self._journal.record
        with WirePool.of(transfer, self._site.clock, at_once=self._settings.parallel) as wires:
            if record.stage is Stage.ENDED:
                return 0
            ways = Ways(self._site, wires, self._settings, record.ref, record.generation, self._passing)
            cargo.cut(ways, notes)
            Settling(self._site, record.ref, self._settings.settle_s).settle(cargo, notes)
            sender = PartSender(cargo, notes, self._settings.parallel, self._stop)
            try:
                sender.send()
            finally:
                notes.close()
        self._journal.update(stage=Stage.ENDED, total=sender.sent_bytes, sent=sender.sent_bytes)
        return sender.sent_bytes

    def _passing(self, _done: int, _total: int) -> None:
        if self._stop.is_set():
            raise Halted

    def _done(self, notes: StageNotes, sent_bytes: int, about: StageManifest) -> StageManifest:
        record = self._journal.record
        return StageManifest(
            record.ref,
            notes.kind.value,
            notes.items,
            notes.units,
            about.bytes,
            sent_bytes,
            notes.duplicated,
            about.skipped,
            about.renamed,
            about.names,
            record.place,
            record.fingerprint,
            record.generation,
        )


def _fingerprint(found: Collection) -> str:
    plan = Plan("")
    for member in found.members():
        plan.add(member)
    return plan.fingerprint


def _tree(place: str | Path, filesystem: Any) -> AbstractContextManager[Tree]:
    """A folder, open for reading.

    :raises InputMissing: when there is none.
    """
    if filesystem is not None:
        return nullcontext(ObjectTree(filesystem, str(place).rstrip("/")))
    if not Path(place).is_dir():
        raise InputMissing(f"there is no folder {Path(place).absolute()} on this machine")
    return LocalTree(Path(place))
