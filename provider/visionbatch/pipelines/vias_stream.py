"""Reading what VIAS has written into a stream (DIS): each event landed once, and how far it was read on record."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from visionbatch.errors import ConfigError, Refused
from visionbatch.flow.effects import Flow
from visionbatch.io.clock import Clock, SystemClock
from visionbatch.io.closing import Closable
from visionbatch.io.control import Origin
from visionbatch.io.drive import drive
from visionbatch.io.landing import Landing
from visionbatch.io.plane_pool import PlanePool
from visionbatch.model.bounded_json import json_object
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.pipelines.client import Tuning
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.vias_access import Access, Accounts
from visionbatch.pipelines.vias_manifest import BucketOutcome
from visionbatch.pipelines.vias_results import WantedResults
from visionbatch.vias.api import with_project
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.dis import DisApi, StreamPage, StreamRecord, dis_address
from visionbatch.vias.notifications import vias_event_line, vias_notice
from visionbatch.vias.settings import ViasSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

READ = "vias_stream_read"
"""Note of a run record: the last sequence number that was landed, by partition."""

RECORDS = ".read"
"""Folder, in the place that is landed in, of the records of how far it was read."""

EMPTY_PAGES = 2
"""In a row: one may be empty though more lies behind it."""


class _Fate(StrEnum):
    """What became of a record."""

    LANDED = "events"
    REPEATED = "repeated"
    """It was here already: a message may come twice, and a read may be broken off before it is on record."""
    NOT_WANTED = "not_wanted"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class StreamResults:
    """One reading of a stream.

    :param source: its address.
    :param batch_id: whose events were kept; empty for all.
    :param counted: records by what became of them.
    :param gaps: partitions of which the stream does not keep any more what was to be read next.
    """

    source: str
    batch_id: str = ""
    counted: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()

    @property
    def outcome(self) -> BucketOutcome:
        """As of results out of a bucket; a gap and a record that is no event make it partial."""
        if self.gaps or self.counted.get(_Fate.UNREADABLE):
            return BucketOutcome.PARTIAL
        return BucketOutcome.DONE if self.counted.get(_Fate.LANDED) else BucketOutcome.NOTHING

    def counts(self) -> dict[str, int]:
        """Numbers for people and metrics."""
        return {fate.value: self.counted.get(fate, 0) for fate in _Fate}

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return {
            "service": SERVICE,
            "source": self.source,
            "batch_id": self.batch_id,
            "outcome": self.outcome.value,
            "counts": self.counts(),
            "gaps": list(self.gaps[:10]),
        }


class ViasStream(Closable):
    """One stream into which VIAS writes; use as a context manager.

    :param settings: the project; its id is looked up when it is not given.
    :param accounts: gives the account, as for `visionbatch.Vias`.
    :param stream: name of the stream, as the batch task's output names it.
    """

    def __init__(
        self,
        settings: ViasSettings,
        accounts: Accounts,
        stream: str,
        *,
        tuning: Tuning | None = None,
        clock: Clock | None = None,
    ) -> None:
        tuning, clock = tuning or Tuning(), clock or SystemClock()
        self._access = Access(settings, accounts, tuning.retry, clock)
        origin = Origin(settings.dis_url, settings.allow_plain_http)
        self._planes = PlanePool(origin, self._access.credential, now=clock.now)
        self.clock = clock
        self.settings = settings
        self._retry = tuning.retry
        # A name that cannot be is refused before anything is asked.
        DisApi(settings, stream, tuning.retry)
        self.stream = stream

    @property
    def api(self) -> DisApi:
        """The operations as flows, for `perform`."""
        return DisApi(with_project(self.settings, self._access.project_id()), self.stream, self._retry)

    def perform(self, flow: Flow[T]) -> T:
        """Run a flow of the stream's operations."""
        with self._planes.plane() as plane:
            return drive(flow, plane, self.clock)

    def close(self) -> None:
        """Close the connections."""
        self._access.close()
        self._planes.close()


class StreamRead:
    """One reading of a stream, up to the moment at which it began.

    :param landing: where each event becomes a file of one line, in a folder of its task, named by its message id: the
        same place may take what a webhook receiver lands.
    :param store: keeps how far each partition was read. It is for one place and one wish.
    :param wanted: of which tasks, and from when on; the end and pictures do not apply.
    """

    def __init__(self, client: ViasStream, landing: Landing, store: RunStore, wanted: WantedResults) -> None:
        self._client = client
        self._landing = landing
        self._wanted = wanted
        source = dis_address(client.stream)
        self._journal = Journal(store, RunRecord(SERVICE, source, place=wanted.batch_id, stage=Stage.CREATED))
        self._counted: Counter[str] = Counter()
        self._gaps: list[str] = []
        self._began = client.clock.now()

    def run(self) -> StreamResults:
        """Read what is new in each partition.

        :raises NotFound: when there is no such stream.
        :raises Unreachable: when an event could not be landed; a later reading goes on there.
        """
        stored, fresh = self._journal.stored(), self._journal.record
        if stored is not None and (stored.fingerprint, stored.place) == (fresh.fingerprint, fresh.place):
            self._journal.record = stored
        api = self._client.api
        for partition in self._client.perform(api.partitions()):
            self._read(api, partition)
        return StreamResults(
            dis_address(self._client.stream), self._wanted.batch_id, dict(self._counted), tuple(self._gaps)
        )

    def _read(self, api: DisApi, partition: str) -> None:
        cursor, empty = self._cursor(api, partition), 0
        while cursor and empty < EMPTY_PAGES:
            page = self._page(api, partition, cursor)
            for record in page.records:
                self._counted[self._land(partition, record)] += 1
            if page.records:
                last = page.records[-1]
                self._journal.update(
                    notes={**self._journal.record.notes, READ: {**self._sequences, partition: last.sequence}}
                )
                if last.arrived is not None and last.arrived > self._began:
                    return
            empty = 0 if page.records else empty + 1
            cursor = page.after

    def _page(self, api: DisApi, partition: str, cursor: str) -> StreamPage:
        try:
            return self._client.perform(api.records(cursor))
        except Refused as error:
            # Landing a page may have taken longer than a cursor is good for.
            log.info("%s partition %s: a new cursor, for %s", SERVICE, partition, error.what)
            return self._client.perform(api.records(self._cursor(api, partition)))

    def _cursor(self, api: DisApi, partition: str) -> str:
        after = self._sequences.get(partition, "")
        if not after:
            return self._client.perform(api.cursor(partition, since=self._wanted.since))
        try:
            return self._client.perform(api.cursor(partition, after=after))
        except Refused as error:
            log.warning(
                "%s partition %s: the stream does not keep what follows %s any more, so events may be lost: %s",
                SERVICE,
                partition,
                after,
                error.what,
            )
            self._gaps.append(partition)
            return self._client.perform(api.cursor(partition))

    @property
    def _sequences(self) -> dict[str, str]:
        noted = self._journal.record.notes.get(READ)
        return dict(noted) if isinstance(noted, dict) else {}

    def _land(self, partition: str, record: StreamRecord) -> _Fate:
        try:
            value = json_object(record.data)
            notice = vias_notice(value)
        except ValueError as error:
            log.warning("%s partition %s: record %s is no event: %s", SERVICE, partition, record.sequence, error)
            self._landing.land("unreadable", f"{partition}-{record.sequence}.bin", record.data)
            return _Fate.UNREADABLE
        if self._wanted.tasks is not None and notice.ref not in self._wanted.tasks:
            return _Fate.NOT_WANTED
        new = self._landing.land(notice.ref, f"{notice.event_id}.jsonl", vias_event_line(value))
        return _Fate.LANDED if new else _Fate.REPEATED


def stream_record(stream: str, batch_id: str = "") -> str:
    """What a reading of a stream is known by, in the place that it lands in."""
    return f"{dis_address(stream)} {batch_id}".rstrip()


def require_readable(wanted: WantedResults) -> None:
    """Refuse what a stream cannot be asked for.

    :raises ConfigError: for an end in time, and for events without their pictures.
    """
    if wanted.until is not None or not wanted.pictures:
        raise ConfigError(
            "a stream is read to its end, and its events hold their pictures",
            next_step="Leave out until and pictures (--until, --no-pictures).",
        )


def read_vias_stream(
    client: ViasStream, landing: Landing, store: RunStore, wanted: WantedResults | None = None
) -> StreamResults:
    """Read what is new in a stream and land each event once; see `StreamRead`.

    :raises ConfigError: see `require_readable`.
    """
    given = wanted or WantedResults()
    require_readable(given)
    return StreamRead(client, landing, store, given).run()
