"""Fetching an export: its data files, the images that their records name, and what is missing of them."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from visionbatch.config import DownloadSettings
from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import InputMissing, UnreadableRecord
from visionbatch.flow.judge import judge
from visionbatch.io.clock import Clock, SystemClock
from visionbatch.io.folders import Folder
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.model.bucket_file import BucketFile
from visionbatch.model.policy import OnPartial
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Counts, Phase, Snapshot
from visionbatch.pipelines.arrivals import Arrivals
from visionbatch.pipelines.export_inputs import Inputs
from visionbatch.pipelines.export_manifest import FetchedFile, FetchManifest, FetchOutcome
from visionbatch.pipelines.fetched import MANIFEST
from visionbatch.pipelines.journal import Journal
from visionbatch.transfer.download import Download
from visionbatch.transfer.in_threads import each_in_parallel
from visionbatch.transfer.remote import Progress

log = logging.getLogger(__name__)

SERVICE = "deepomatic_export"
SAME_RUN_S = 3600.0
"""Seconds within which images and the data files of one export are written, either of them first."""

NOTED_S = 30.0
"""Seconds between two manifests on the way: what a kill leaves unnoted in an object store is fetched again."""


@dataclass(frozen=True)
class Wanted:
    """Which files of an export are to be fetched.

    :param since: Unix seconds; only files finished then or later. ``None`` is all.
    :param until: Unix seconds; only files finished then or earlier.
    :param names: only these data files, where they are known; whole names in the bucket.
    :param images: the images of their inputs as well.
    """

    since: float | None = None
    until: float | None = None
    names: tuple[str, ...] = ()
    images: bool = True

    def takes(self, file: BucketFile) -> bool:
        """Whether a data file is one of them."""
        late_enough = self.since is None or file.created >= self.since
        early_enough = self.until is None or file.created <= self.until
        return late_enough and early_enough and (not self.names or file.name in self.names)


@dataclass
class _Found:
    """What the bucket has: data files that are wanted, and images by input id."""

    data: list[BucketFile] = field(default_factory=list)
    images: dict[str, tuple[BucketFile, str]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Identity of the data files."""
        lines = (f"{file.name}\0{file.generation}\n" for file in sorted(self.data, key=lambda file: file.name))
        return sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


class ExportFetch:
    """One fetch of an export into a folder.

    :param store: keeps the run record, by which a later try goes on, and says when all has been done.
    :param on_missing: what images that are not in the bucket mean, see `visionbatch.model.policy.OnPartial`.
    :param progress: called with bytes that are there and bytes in all, over all files that are known so far.
    """

    def __init__(
        self,
        bucket: GcsBucket,
        layout: ExportLayout,
        folder: Folder,
        *,
        store: RunStore | None = None,
        on_missing: OnPartial | None = None,
        settings: DownloadSettings | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._bucket = bucket
        self._layout = layout
        self._folder = folder
        self._store = store
        self._on_missing = on_missing or OnPartial.parse("warn")
        self._settings = settings or DownloadSettings()
        self._clock = clock or SystemClock()
        self._arrivals = Arrivals(progress)
        self._guard = threading.Lock()
        self._noted: dict[str, FetchedFile] = {}
        self._files: dict[str, FetchedFile] = {}
        self._fetched_bytes = 0
        self._noted_at = self._clock.now()
        self._manifest = FetchManifest(self._bucket.place(layout.prefix), folder.location)

    def run(self, wanted: Wanted) -> FetchManifest:
        """Fetch what is wanted and not there yet.

        :raises DownloadError: when a file cannot be fetched; what has arrived stays.
        :raises JobPartial: when more images are missing than ``on_missing`` accepts.
        :raises InputMissing: when a data file that was named is not there.
        """
        found = self._find(wanted)
        self._manifest = dataclasses.replace(self._manifest, fingerprint=found.fingerprint)
        journal, done = self._begun()
        if done is not None:
            return dataclasses.replace(done, outcome=FetchOutcome.ALREADY_DONE, fetched_bytes=0)
        if not found.data:
            return dataclasses.replace(self._manifest, outcome=FetchOutcome.NOTHING_NEW)
        try:
            self._fetch_all([(file, self._data_path(file), "") for file in found.data])
            whole = dataclasses.replace(self._manifest, outcome=FetchOutcome.DONE)
            manifest = self._with_images(found) if wanted.images else whole
        finally:
            self._note(self._manifest)
        manifest = self._note(manifest)
        self._judge(manifest)
        if journal is not None:
            journal.update(stage=Stage.ENDED, outcome=manifest.outcome.value, sent=self._fetched_bytes)
        return manifest

    def _find(self, wanted: Wanted) -> _Found:
        found = _Found()
        for file in self._bucket.files(self._layout.prefix):
            if self._layout.is_data(file.name):
                if wanted.takes(file):
                    found.data.append(file)
            elif wanted.images and (image := self._layout.input_of(file.name)) is not None:
                found.images[image[0]] = (file, image[1])
        gone = sorted(set(wanted.names) - {file.name for file in found.data})
        if gone:
            raise InputMissing(f"{len(gone)} of the named files are not in the bucket, such as {gone[0]}")
        return found

    def _begun(self) -> tuple[Journal | None, FetchManifest | None]:
        """The run record in hand, and the manifest when all of this has been done before."""
        before = self._read_manifest()
        self._noted = {file.name: file for file in before.files} if before else {}
        if self._store is None:
            return None, None
        place = f"{self._manifest.source} to {self._manifest.folder}"
        fresh = RunRecord(SERVICE, self._manifest.fingerprint, place=place)
        journal = Journal(self._store, fresh)
        record = journal.load()
        if record is None or (record.fingerprint, record.place) != (fresh.fingerprint, place):
            journal.record = fresh
        ended = journal.record.stage is Stage.ENDED
        if ended and before is not None and before.fingerprint == fresh.fingerprint:
            return journal, before
        journal.update(stage=Stage.INTENT)
        return journal, None

    def _read_manifest(self) -> FetchManifest | None:
        text = self._folder.read(MANIFEST)
        try:
            return None if text is None else FetchManifest.parse(text)
        except UnreadableRecord as error:
            log.warning("%s: %s", self._manifest.folder, error)
            return None

    def _data_path(self, file: BucketFile) -> str:
        return f"data/{self._layout.relative(file.name)}"

    def _fetch_all(self, jobs: Sequence[tuple[BucketFile, str, str]]) -> None:
        """Fetch large files one by one, each over several connections, and small ones several at a time."""
        for _, path, _ in jobs:
            self._folder.target(path)
        self._arrivals.expect(sum(file.size for file, _, _ in jobs))
        large = [job for job in jobs if job[0].size > self._settings.part_bytes]
        small = [job for job in jobs if job[0].size <= self._settings.part_bytes]
        for job in large:
            self._fetch(job)
        for _ in each_in_parallel(small, self._fetch, self._settings.connections):
            self._note_on_the_way()

    def _fetch(self, job: tuple[BucketFile, str, str]) -> None:
        file, path, input_id = job
        noted = self._noted.get(file.name)
        if not self._folder.has(path, file, noted.generation if noted and noted.path == path else None):
            target = self._folder.target(path)
            remote = self._bucket.remote(file)
            done = Download(
                remote,
                target,
                settings=self._settings,
                clock=self._clock,
                progress=lambda arrived, _: self._arrivals.advance(path, arrived),
            ).run()
            file = dataclasses.replace(file, generation=int(done.version))
            self._folder.keep(path)
            with self._guard:
                self._fetched_bytes += done.fetched_bytes
        with self._guard:
            self._files[file.name] = FetchedFile(file.name, file.generation, file.size, path, file.created, input_id)
        self._arrivals.advance(path, file.size)

    def _with_images(self, found: _Found) -> FetchManifest:
        inputs = Inputs()
        for file in found.data:
            with self._folder.opened(self._data_path(file)) as lines:
                inputs.take(lines)
        jobs, missing = [], []
        for input_id in inputs.ids:
            if input_id in found.images:
                image, extension = found.images[input_id]
                jobs.append((image, f"images/{input_id}{extension}", input_id))
            else:
                missing.append(input_id)
        surplus = _surplus(found, inputs.ids)
        self._fetch_all(jobs)
        return dataclasses.replace(
            self._manifest,
            outcome=FetchOutcome.PARTIAL if missing else FetchOutcome.DONE,
            missing=tuple(missing),
            surplus=surplus,
            unreadable_lines=inputs.unreadable_lines,
        )

    def _note_on_the_way(self) -> None:
        now = self._clock.now()
        if now - self._noted_at >= NOTED_S:
            self._noted_at = now
            self._note(self._manifest)

    def _note(self, manifest: FetchManifest) -> FetchManifest:
        """Write the manifest with what is there so far."""
        with self._guard:
            files = tuple(self._files.values())
        noted = dataclasses.replace(manifest, files=files, fetched_bytes=self._fetched_bytes)
        location = self._folder.write(MANIFEST, noted.whole())
        return dataclasses.replace(noted, location=location)

    def _judge(self, manifest: FetchManifest) -> None:
        """Say what is missing or too much, and whether that is accepted.

        :raises JobPartial: when it is not.
        """
        if manifest.surplus:
            log.warning("%d images belong to no input, such as %s", len(manifest.surplus), manifest.surplus[0])
        if not manifest.missing:
            return
        wanted = len(manifest.images) + len(manifest.missing)
        counts = Counts(wanted, len(manifest.images), len(manifest.missing))
        verdict = judge(Snapshot(Phase.SUCCEEDED, "fetched", counts), self._on_missing)
        log.warning("%d of %d images are not in the bucket: %s", len(manifest.missing), wanted, verdict.reason)
        verdict.require(SERVICE, manifest.source)


def _surplus(found: _Found, ids: Iterable[str]) -> tuple[str, ...]:
    """Images that no input names, of those that were written together with these data files.

    Images of other intervals lie in the same place, and belong to their own files.
    """
    oldest = min(file.created for file in found.data) - SAME_RUN_S
    newest = max(file.created for file in found.data) + SAME_RUN_S
    named = set(ids)
    among = (file for one, (file, _) in found.images.items() if one not in named and oldest <= file.created <= newest)
    return tuple(sorted(file.name for file in among))


def fetch_export(
    bucket: GcsBucket,
    layout: ExportLayout,
    folder: Folder,
    wanted: Wanted | None = None,
    *,
    store: RunStore | None = None,
    on_missing: str | OnPartial = "warn",
    settings: DownloadSettings | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> FetchManifest:
    """Fetch an export into a folder; see `ExportFetch`, whose arguments these are.

    Data files go to ``data/`` by their names behind the prefix, images to ``images/`` by ``{input id}{extension}``, and
    the whole manifest to ``manifest.json``. Two fetches into one folder at a time are refused where they meet.
    """
    fetch = ExportFetch(
        bucket,
        layout,
        folder,
        store=store,
        on_missing=OnPartial.parse(on_missing),
        settings=settings,
        clock=clock,
        progress=progress,
    )
    return fetch.run(wanted or Wanted())
