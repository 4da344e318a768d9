"""Results out of a stream: read to its end, each message landed once, and never from the beginning again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.conftest import Faults
from core.vias.bodies import batch_task, groups
from core.vias.conftest import TUNING, Project
from support.books import Books
from visionbatch import (
    FileRunStore,
    LocalLanding,
    StreamResults,
    ViasStream,
    WantedResults,
    read_vias_stream,
    tasks_of_batch,
)
from visionbatch.cli import main
from visionbatch.errors import ConfigError, NotFound, Unavailable
from visionbatch.pipelines.vias import Vias
from visionbatch.vias.dis import stream_in
from visionbatch.vias.outputs import DisOutput, Outputs
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.streams import CURSOR_S

STREAM = "inspections"
RECORDS, CURSORS = "vias.streams.records", "vias.streams.cursor"


class Reader:
    """Readings of this test's stream into one folder; each is by a client of its own, as another process's would be."""

    def __init__(self, project: Project, folder: Path) -> None:
        self._project = project
        self.folder = folder

    def __call__(self, wanted: WantedResults | None = None, account: Any = None) -> StreamResults:
        settings, key = self._project.settings(dis_url=self._project.url), account or self._project.key
        store = FileRunStore(self.folder / ".read", STREAM)
        with ViasStream(settings, lambda: key, STREAM, tuning=TUNING, clock=self._project.clock) as client:
            return read_vias_stream(client, LocalLanding(self.folder), store, wanted)

    def landed(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in sorted(self.folder.glob("*/*.jsonl"))]


@pytest.fixture
def read(project: Project, tmp_path: Path) -> Reader:
    return Reader(project, tmp_path / "landed")


def finished_batch(vias: Vias, tenant: Tenant, name: str, *sources: str) -> str:
    """A batch of which each task has found something, written into the stream."""
    outputs = Outputs(dis=DisOutput(STREAM))
    made = vias.create(batch_task(name=name, groups=groups(*sources), outputs=outputs))
    tenant.clock.advance(30)
    tenant.vias.deliver()
    return made.batch_id


def streamed(books: Books) -> set[str]:
    return {str(effect["message_id"]) for effect in books.effects("vias.result_streamed")}


@pytest.mark.parametrize("account", ["key", "user"])
def test_every_event_is_landed_once_and_the_next_reading_brings_what_is_new(
    vias: Vias, tenant: Tenant, books: Books, project: Project, read: Reader, account: str
) -> None:
    tenant.configure(vias_stream_page=2, vias_webhook_copies=2)
    who = getattr(project, account)
    finished_batch(vias, tenant, "one", *(f"source-000{number}" for number in range(5)))
    told = read(account=who)
    assert (told.outcome, told.counts()) == ("done", {"events": 5, "repeated": 5, "not_wanted": 0, "unreadable": 0})
    assert {event["message_id"] for event in read.landed()} == streamed(books)
    assert read(account=who).counts()["repeated"] == 0
    assert read(account=who).outcome == "nothing"
    finished_batch(vias, tenant, "two", "source-0009")
    assert read(account=who).counts() == {"events": 1, "repeated": 1, "not_wanted": 0, "unreadable": 0}
    assert {event["message_id"] for event in read.landed()} == streamed(books)


def test_only_the_events_of_one_batch_or_from_a_moment_on(vias: Vias, tenant: Tenant, read: Reader) -> None:
    finished_batch(vias, tenant, "other", "source-0001")
    since = tenant.clock.now()
    mine = finished_batch(vias, tenant, "mine", "source-0002", "source-0003")
    told = read(tasks_of_batch(vias, mine))
    assert (told.counts()["events"], told.counts()["not_wanted"]) == (2, 1)
    assert {event["task_id"] for event in read.landed()} == {task["id"] for task in vias.tasks(mine)}
    assert read(WantedResults(since=since)).counts() == {"events": 0, "repeated": 2, "not_wanted": 0, "unreadable": 0}


def test_a_reading_that_is_broken_off_goes_on_where_it_was(
    vias: Vias, tenant: Tenant, books: Books, faults: Faults, read: Reader
) -> None:
    tenant.configure(vias_stream_page=1, vias_stream_partitions=1)
    finished_batch(vias, tenant, "one", "source-0001", "source-0002", "source-0003")
    faults(RECORDS, "pass", *["return-503"] * 4)
    with pytest.raises(Unavailable):
        read()
    assert len(read.landed()) == 1
    assert read().counts() == {"events": 2, "repeated": 0, "not_wanted": 0, "unreadable": 0}
    assert {event["message_id"] for event in read.landed()} == streamed(books)


def test_a_cursor_that_runs_out_is_had_again(
    vias: Vias, tenant: Tenant, books: Books, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.configure(vias_stream_page=1, vias_stream_partitions=1)
    finished_batch(vias, tenant, "one", "source-0001", "source-0002")
    land = LocalLanding.land

    def slow(self: LocalLanding, *told: Any) -> bool:
        tenant.clock.advance(CURSOR_S + 1)
        return land(self, *told)

    monkeypatch.setattr(LocalLanding, "land", slow)
    assert read().counts()["events"] == 2
    assert {event["message_id"] for event in read.landed()} == streamed(books)
    assert len(books.requests(CURSORS)) > 1


def test_what_the_stream_does_not_keep_any_more_is_told_as_a_gap(
    vias: Vias, tenant: Tenant, read: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(vias_stream_partitions=1)
    finished_batch(vias, tenant, "one", "source-0001")
    read()
    finished_batch(vias, tenant, "two", "source-0002", "source-0003")
    tenant.vias.deliveries.streams.forget(STREAM, 0, 2)
    told = read()
    assert (told.outcome, told.gaps, told.counts()["events"]) == ("partial", ("shardId-0000000000",), 1)
    assert "may be lost" in caplog.text
    assert read().gaps == ()


def test_what_is_no_event_is_kept_aside_and_ends_nothing(
    vias: Vias, tenant: Tenant, read: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    finished_batch(vias, tenant, "one", "source-0001")
    tenant.vias.deliveries.streams.put(STREAM, "k", b"{broken", tenant.clock.now(), 2)
    told = read()
    assert (told.outcome, told.counts()["events"], told.counts()["unreadable"]) == ("partial", 1, 1)
    (aside,) = (read.folder / "unreadable").iterdir()
    assert aside.read_bytes() == b"{broken"
    assert read().outcome == "nothing"


def test_what_cannot_be_read_is_refused_before_any_request(project: Project, books: Books, read: Reader) -> None:
    for wanted in (WantedResults(until=1.0), WantedResults(pictures=False)):
        with pytest.raises(ConfigError, match="to its end"):
            read(wanted)
    with pytest.raises(ConfigError, match="dis-stream"):
        ViasStream(project.settings(), lambda: project.key, "no stream")
    assert not books.tenant.journal.entries()
    with pytest.raises(NotFound):
        read()
    assert [stream_in(text) for text in ("dis://a", "obs://a/b", "a")] == ["a", "", ""]


def test_the_command_reads_a_stream_and_says_when_there_is_nothing_new(
    vias: Vias,
    tenant: Tenant,
    project: Project,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shell(*arguments: str) -> tuple[int, Any]:
        options = ["--url", project.url, "--iam-url", project.url, "--access-key", tenant.token]
        more = ["--dis-url", project.url, "--error-on-nothing"]
        code = main(["--json", "vias", *options, "fetch", f"dis://{STREAM}", str(tmp_path), *arguments, *more])
        return code, json.loads(capsys.readouterr().out)

    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "secret")
    batch_id = finished_batch(vias, tenant, "one", "source-0001", "source-0002")
    tenant.clock.run()
    code, told = shell("--batch", batch_id)
    assert (code, told["counts"]["events"], told["source"]) == (0, 2, f"dis://{STREAM}")
    assert len(list(tmp_path.glob("*/*.jsonl"))) == 2
    assert shell("--batch", batch_id)[0] == 9
    assert shell()[1]["counts"]["repeated"] == 2
    assert shell("--no-pictures")[0] == 2
