"""Reading while sending: drives in trouble, pipes, slow sources, and what is waited for at the end."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import google_crc32c
import pytest

from support.books import At, Books, BytesSource
from support.clocks import HandClock
from support.listener import PATIENCE_S, Sink
from support.orders import CHUNK
from support.trees import MemoryTree
from visionbatch.config import AllowedHosts, TransferSettings
from visionbatch.errors import InputChanged, InputMissing, SourceUnreadable, TimedOut
from visionbatch.io import body
from visionbatch.io.behind import Behind
from visionbatch.io.body import PaceMeter, Slowness
from visionbatch.io.wire_pool import WirePool
from visionbatch.model.tree import Member
from visionbatch.transfer import read_ahead
from visionbatch.transfer.object_source import ObjectSource
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.read_ahead import ahead
from visionbatch.transfer.source import FileSource
from visionbatch.transfer.upload import Checkpoint, Upload
from visionbatch.transfer.zip_archive import ZipArchive


class Died(Exception):
    pass


def zip_of(files: dict[str, bytes]) -> tuple[ZipArchive, MemoryTree]:
    plan, tree = Plan("memory"), MemoryTree(files.__getitem__)
    for path, content in files.items():
        plan.add(Member(path, len(content), content[:4096]))
    return ZipArchive(plan, tree), tree


PASSING = (errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.ECONNABORTED, errno.EREMOTEIO, errno.EBUSY, errno.ESTALE)


@pytest.mark.parametrize("number", PASSING, ids=errno.errorcode.get)
def test_a_drive_in_trouble_is_no_changed_file(site: Any, books: Books, number: int) -> None:
    def failing(path: str) -> bytes:
        raise OSError(number, os.strerror(number), path)

    plan = Plan("drive")
    plan.add(Member("WO/a.jpg", 5, b"12345"))
    client = site()
    url = client.create("drive").upload_url
    with pytest.raises(SourceUnreadable) as caught:
        client.upload(ZipArchive(plan, MemoryTree(failing)), url)
    assert caught.value.retry_safe
    assert not books.effects("batch.deleted")


def test_a_resumed_archive_reads_each_member_once(site: Any, books: Books) -> None:
    files = {f"WO/{number:03}.jpg": random.Random(number).randbytes(30_000) for number in range(60)}
    client = site(chunk_bytes=0, checkpoint_s=0)
    url = client.create("resumed").upload_url
    saved: list[Checkpoint] = []

    def die() -> None:
        raise Died

    with pytest.raises(Died):
        client.upload(zip_of(files)[0], url, progress=At(4 * CHUNK, die), checkpoint=saved.append)
    archive, tree = zip_of(files)
    client.upload(archive, url, resume=saved[-1])

    twice = {path for path in files if tree.opened.count(path) > 1}
    assert set(tree.opened) == set(files)
    # Those that the network still held when the first try died are compared, and sent again; and one lies on the edge.
    assert len(twice) * 30_000 <= saved[-1].checked - books.stored_runs().popitem()[1][0][0][0]
    (committed,) = books.effects("archive.committed")
    assert committed["size"] == archive.size


def test_a_reader_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "STOP_S", 0.05)
    disk = threading.Event()

    def blocks() -> Iterator[bytes]:
        yield b"first"
        disk.wait(PATIENCE_S)

    found = ahead(blocks())
    next(found)
    found.close()
    (reader,) = [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
    disk.set()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()


def test_what_is_done_behind_ends_in_order_and_tells_its_error() -> None:
    done: list[int] = []

    def fail() -> None:
        raise InputChanged("changed")

    with Behind("test") as behind:
        first = behind.do(lambda: done.append(1))
        failed = behind.do(fail)
        last = behind.do(lambda: done.append(2))
        assert last.result(PATIENCE_S) is None
        assert first.done()
        with pytest.raises(InputChanged):
            failed.result(PATIENCE_S)
    assert done == [1, 2]


def test_time_that_the_source_takes_is_not_the_peers_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(body.time, "monotonic", lambda: now[0])
    pace = PaceMeter(Slowness(min_bytes_per_s=1000, window_s=30.0))
    with pace.excused():
        now[0] += 100
    now[0] += 1
    pace.check(10)
    now[0] += 31
    with pytest.raises(TimedOut, match="too slow to go on"):
        pace.check(20)


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "archive.zip")
    with pytest.raises(InputMissing, match="is not a plain file"):
        FileSource(tmp_path / "archive.zip")


def test_a_complete_upload_is_compared_with_what_an_earlier_try_says_it_sent() -> None:
    content = bytes(3 * CHUNK)
    with Sink() as sink, WirePool() as pool, pool.wire() as wire:
        sink.persisted = len(content)
        url = AllowedHosts([f"http://localhost:{sink.port}"]).admit(sink.url)
        earlier = Checkpoint(len(content), len(content), google_crc32c.value(content) ^ 1)
        upload = Upload(
            BytesSource(content), url, wire=wire, clock=HandClock(), settings=TransferSettings(), resume=earlier
        )
        with pytest.raises(InputChanged, match="are not those that were sent before"):
            upload.run()


class StoreError(Exception):
    """What a filesystem of an object store raises of its own."""


def test_an_error_of_the_store_while_sending_is_the_sources(monkeypatch: pytest.MonkeyPatch, site: Any) -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe_file("/broken/archive.zip", bytes(3 * CHUNK))
    source = ObjectSource(filesystem, "/broken/archive.zip")
    client = site()
    url = client.create("store").upload_url

    def failing(*_: object, **__: object) -> None:
        raise StoreError("503")

    monkeypatch.setattr(filesystem, "open", failing)
    with pytest.raises(SourceUnreadable, match="StoreError: 503"):
        client.upload(source, url)
    monkeypatch.setattr(filesystem, "info", failing)
    with pytest.raises(SourceUnreadable, match="StoreError: 503"):
        client.upload(source, client.create("store").upload_url)


def test_a_wire_that_is_lent_while_its_pool_closes_is_closed_when_it_comes_back() -> None:
    with Sink() as sink:
        url = AllowedHosts([f"http://localhost:{sink.port}"]).admit(sink.url)
        pool = WirePool()
        with pool.wire() as wire:
            settings = TransferSettings(chunk_bytes=CHUNK)
            Upload(BytesSource(bytes(2 * CHUNK)), url, wire=wire, clock=HandClock(), settings=settings).run()
            pool.close()
        assert wire._line._connection is None
