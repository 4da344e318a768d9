"""Fetching the results of a Roboflow job: its output batches, file by file, unpacked, checked and written down."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from visionbatch.config import DownloadSettings
from visionbatch.errors import ConfigError
from visionbatch.io.folders import Folder
from visionbatch.io.ranged import Ranges
from visionbatch.io.wire import WireLimits
from visionbatch.model.bucket_file import BucketFile
from visionbatch.model.policy import OnBadMember
from visionbatch.model.safe_names import tame_name
from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import printable
from visionbatch.pipelines.fetch_log import FetchLog
from visionbatch.pipelines.logged_fetch import LoggedFetch
from visionbatch.pipelines.places import archive_suffix, unpacked_path
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
from visionbatch.transfer.download import Download
from visionbatch.transfer.in_threads import each_in_parallel
from visionbatch.transfer.link import Link
from visionbatch.transfer.remote import Downloaded, Progress
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
    download: DownloadSettings = field(default_factory=lambda: DownloadSettings(connections=16))

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


class RoboflowFetch(LoggedFetch[ResultFile, ResultsManifest]):
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
        manifest = ResultsManifest(listing.job_id, listing.batches, folder.location, fingerprint=listing.fingerprint)
        super().__init__(folder, manifest, listing.fingerprint, ResultFile.read, TABLES, progress=progress)
        self._client = client
        self._listing = listing
        self._settings = settings or FetchSettings()

    def _goes_on_from(self, before: ResultsManifest) -> bool:
        same = before.fingerprint == self._listing.fingerprint
        if not same:
            where, count = self._folder.location, len(before.files)
            log.warning("%s has %d files of other results: those that are not replaced now stay there", where, count)
        return same

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
        self._arrived(file, noted, done.fetched_bytes)

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

    def _ended(self) -> ResultsManifest:
        table = self._joined() if self._settings.table else {}
        return dataclasses.replace(self._manifest, outcome=self._outcome(table), table=table)

    def _outcome(self, table: Mapping[str, Any]) -> ResultsOutcome:
        if not self._files:
            return ResultsOutcome.NOTHING
        refused = any(file.refused_count for file in self._files.values()) or table.get("quarantined")
        return ResultsOutcome.PARTIAL if refused else ResultsOutcome.DONE

    def _joined(self) -> dict[str, Any]:
        return join_results(self._files.values(), self._folder, self._settings.table or RowSettings())


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
    :raises DownloadError: see `visionbatch.pipelines.logged_fetch.LoggedFetch.run`.
    """
    if settings is not None and settings.table is not None:
        joiner()
    listing = ResultListing(client, source, stage)
    return RoboflowFetch(client, listing, folder, settings=settings, progress=progress).run()
