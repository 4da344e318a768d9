"""Fetching the results of a Roboflow job: its output batches, file by file, unpacked, checked and written down."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from visionbatch.config import DownloadSettings
from visionbatch.errors import ConfigError, UnreadableRecord
from visionbatch.io.folders import Folder
from visionbatch.io.held import held
from visionbatch.io.ranged import Ranges
from visionbatch.io.wire import WireLimits
from visionbatch.model.bucket_file import BucketFile
from visionbatch.model.policy import OnBadMember
from visionbatch.model.safe_names import tame_name
from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import printable
from visionbatch.pipelines.arrivals import Arrivals
from visionbatch.pipelines.fetch_log import NAME as LOG
from visionbatch.pipelines.fetch_log import FetchLog
from visionbatch.pipelines.fetched import MANIFEST
from visionbatch.pipelines.places import Places, archive_suffix, unpacked_path
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.roboflow_listing import EXPORT, ResultListing
from visionbatch.pipelines.roboflow_manifest import (
    MemberFile,
    ResultFile,
    ResultKey,
    ResultsManifest,
    ResultsOutcome,
)
from visionbatch.pipelines.roboflow_rows import TABLES, join_results, joiner
from visionbatch.pipelines.row_settings import RowSettings
from visionbatch.transfer.download import Download, Downloaded, Progress, each_in_parallel
from visionbatch.transfer.link import Link
from visionbatch.transfer.unpack_budget import UnpackBudget

if TYPE_CHECKING:
    from visionbatch.transfer.unpack import Unpacked

log = logging.getLogger(__name__)

WHOLE = "whole"
"""Part of the path of what lies in a batch without parts."""

_NOTED = 1
"""For a store that knows no checksum, a file that a note of the same results names is the same."""


@dataclass(frozen=True)
class FetchSettings:
    """How results are brought here.

    :param unpack: each archive into a folder of its own, in place of the archive.
    :param keep_archives: the archives as well.
    :param on_bad_member: ``fail``, or ``skip`` to leave out links, devices and names that lead elsewhere.
    :param budget: what one archive may become.
    :param table: join the rows of all files to one Parquet table in ``table/``; needs the extra ``parquet``.
    :param download: how files travel; ``connections`` is also how many files travel at a time.
    """

    unpack: bool = True
    keep_archives: bool = False
    on_bad_member: str = OnBadMember.FAIL
    budget: UnpackBudget = field(default_factory=UnpackBudget)
    table: RowSettings | None = None
    download: DownloadSettings = field(default_factory=lambda: DownloadSettings(connections=8))

    def __post_init__(self) -> None:
        if self.on_bad_member not in tuple(OnBadMember):
            raise ConfigError(f"on_bad_member is fail or skip, not {self.on_bad_member!r}")


@dataclass(frozen=True)
class _Job:
    """A file to be fetched, and where to."""

    key: ResultKey
    url: SecretUrl
    path: str

    @property
    def label(self) -> str:
        """For messages."""
        return printable("/".join(filter(None, (self.key.batch, self.key.part, self.key.name))), 300)


class RoboflowFetch:
    """One fetch of results into a folder.

    :param progress: called with the bytes that are there, and 0: the service tells no sizes beforehand.
    """

    def __init__(
        self,
        client: Roboflow,
        listing: ResultListing,
        folder: Folder,
        *,
        settings: FetchSettings | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._client = client
        self._listing = listing
        self._folder = folder
        self._settings = settings or FetchSettings()
        self._arrivals = Arrivals(progress)
        self._guard = threading.Lock()
        self._noted: dict[ResultKey, ResultFile] = {}
        self._places = Places(MANIFEST, LOG, TABLES)
        self._files: dict[ResultKey, ResultFile] = {}
        self._fetched_bytes = 0
        self._manifest = ResultsManifest(
            listing.job_id, listing.batches, folder.location, fingerprint=listing.fingerprint
        )

    def run(self) -> ResultsManifest:
        """Fetch what is not there yet, and write the manifest.

        :raises DownloadError: when a file cannot be fetched or unpacked; what has arrived stays, for a later try.
        :raises AlreadyRunning: when another process fetches into the folder.
        """
        root = self._folder.target(MANIFEST).parent
        root.mkdir(parents=True, exist_ok=True)
        with held(root, "fetches into"), FetchLog(root / LOG, self._listing.fingerprint, ResultFile.read) as noted:
            self._noted = {**self._from_manifest(), **noted.noted}
            for file in self._noted.values():
                self._places.take(file.path)
            try:
                self._fetch_all(noted)
            except BaseException:
                # What was not looked at yet stays noted, and is looked at by the next run.
                self._files = {**self._noted, **self._files}
                self._write(self._manifest)
                raise
            table = self._joined() if self._settings.table else {}
            manifest = self._write(dataclasses.replace(self._manifest, outcome=self._outcome(table), table=table))
            noted.done()
        return manifest

    def _from_manifest(self) -> dict[ResultKey, ResultFile]:
        """What an earlier run has put here of the same results."""
        text = self._folder.read(MANIFEST)
        try:
            before = None if text is None else ResultsManifest.parse(text)
        except UnreadableRecord as error:
            log.warning("%s: %s", self._folder.location, error)
            return {}
        if before is None:
            return {}
        if before.fingerprint != self._listing.fingerprint:
            where, count = self._folder.location, len(before.files)
            log.warning("%s has %d files of other results: those that are not replaced now stay there", where, count)
            return {}
        return {file.key: file for file in before.files}

    def _fetch_all(self, noted: FetchLog[ResultFile]) -> None:
        settings = self._settings.download
        with Ranges(WireLimits.of(settings)) as ranges:
            fetch = partial(self._fetch, ranges, noted)
            for _ in each_in_parallel(self._jobs(), fetch, settings.connections):
                pass

    def _jobs(self) -> Iterator[_Job]:
        for key, url in self._listing.files():
            before = self._noted.get(key)
            if before is not None and self._has(before):
                self._add(before)
                continue
            where = f"{tame_name(key.batch, 'batch')}/{tame_name(key.part, WHOLE)}"
            yield _Job(key, url, before.path if before is not None else self._places.place(where, key.name))

    def _has(self, file: ResultFile) -> bool:
        """Whether a file that was noted is there as it was, or all that came out of it is."""
        if file.unpacked != (self._settings.unpack and bool(archive_suffix(file.key.name))):
            return False
        if not file.unpacked:
            return self._intact(file.path, file.size, file.crc32c)
        if self._settings.keep_archives and not self._intact(file.path, file.size, file.crc32c):
            return False
        return all(self._intact(f"{file.place}/{one.path}", one.size, one.crc32c) for one in file.members)

    def _intact(self, path: str, size: int, crc32c: str) -> bool:
        return self._folder.has(path, BucketFile(path, _NOTED, size, 0.0, int(crc32c, 16)), _NOTED)

    def _fetch(self, ranges: Ranges, noted: FetchLog[ResultFile], job: _Job) -> None:
        done = self._downloaded(ranges, job)
        file = ResultFile(job.key, job.path, done.size, f"{done.crc32c:08x}")
        if self._settings.unpack and archive_suffix(job.path):
            file = self._unpacked(job, done, file)
        else:
            self._folder.keep(job.path)
        noted.add(file)
        with self._guard:
            self._fetched_bytes += done.fetched_bytes
        self._add(file)

    def _downloaded(self, ranges: Ranges, job: _Job) -> Downloaded:
        used = job.url

        def renewed() -> str:
            nonlocal used
            used = self._listing.fresh(job.key, used)
            return used.reveal()

        link = Link(
            used.reveal(),
            hosts=self._client.api.calls.settings.download_hosts,
            renew=renewed,
            label=job.label,
            ranges=ranges,
        )
        return Download(
            link,
            self._folder.target(job.path),
            settings=self._settings.download,
            clock=self._client.clock,
            progress=lambda arrived, _: self._arrivals.advance(job.key, arrived),
        ).run()

    def _unpacked(self, job: _Job, done: Downloaded, file: ResultFile) -> ResultFile:
        from visionbatch.transfer.unpack import unpack  # noqa: PLC0415  # single files need no readers of archives

        place = unpacked_path(job.path)
        with done.path.open("rb") as archive:
            out = unpack(
                archive,
                self._folder.target(place),
                name=job.label,
                on_bad_member=self._settings.on_bad_member,
                budget=self._settings.budget,
            )
        self._put(place, out)
        if self._settings.keep_archives:
            self._folder.keep(job.path)
        else:
            done.path.unlink()
        return dataclasses.replace(
            file,
            unpacked=True,
            members=tuple(MemberFile(one.path, one.size, f"{one.crc32c:08x}") for one in out.files),
            refused=tuple((one.name, one.rule) for one in out.refused),
            refused_count=out.refused_count,
        )

    def _put(self, place: str, out: Unpacked) -> None:
        """Take what came out to where it belongs, when that is not on this disk."""
        if self._folder.spooled:
            for one in out.files:
                self._folder.keep(f"{place}/{one.path}")
            shutil.rmtree(out.folder)

    def _add(self, file: ResultFile) -> None:
        with self._guard:
            self._files[file.key] = file
        self._arrivals.advance(file.key, file.size)

    def _outcome(self, table: Mapping[str, Any]) -> ResultsOutcome:
        if not self._files:
            return ResultsOutcome.NOTHING
        refused = any(file.refused_count for file in self._files.values()) or table.get("quarantined")
        return ResultsOutcome.PARTIAL if refused else ResultsOutcome.DONE

    def _joined(self) -> dict[str, Any]:
        return join_results(self._files.values(), self._folder, self._settings.table or RowSettings())

    def _write(self, manifest: ResultsManifest) -> ResultsManifest:
        with self._guard:
            files = tuple(sorted(self._files.values(), key=lambda file: file.path))
        told = dataclasses.replace(
            manifest,
            files=files,
            fetched_bytes=self._fetched_bytes,
            location=f"{self._folder.location.rstrip('/')}/{MANIFEST}",
        )
        self._folder.write(MANIFEST, told.whole())
        return told


def fetch_results(
    client: Roboflow,
    source: str | Sequence[str],
    folder: Folder,
    *,
    stage: str = EXPORT,
    settings: FetchSettings | None = None,
    progress: Progress | None = None,
) -> ResultsManifest:
    """Fetch the results of a job, or of batches, into a folder.

    A file goes to ``{batch}/{part}/{name}``, where its name is made harmless, and gets a number when it is taken; the
    manifest says which is which. An archive is unpacked to the same path without its ending. A later try goes on where
    this one stopped; results that were made anew meanwhile are fetched anew.

    :param source: id of a job that has ended, or ids of batches.
    :param stage: ``export`` for archives, ``processing`` for the single files, also of a job that failed later.
    :raises InputMissing: when the job has no such stage, or it is still running.
    :raises DownloadError: see `RoboflowFetch.run`.
    """
    if settings is not None and settings.table is not None:
        joiner()
    listing = ResultListing(client, source, stage)
    return RoboflowFetch(client, listing, folder, settings=settings, progress=progress).run()
