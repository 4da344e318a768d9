"""How bodies leave: by the kernel, by reading, from memory; slowly when asked to, and several at a time."""

from __future__ import annotations

import errno
import os
import random
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.books import At, Books, BytesSource
from support.clocks import HandClock
from support.listener import PATIENCE_S, Sink
from support.orders import CHUNK
from visionbatch.config import AllowedHosts, TransferSettings
from visionbatch.errors import InputChanged, SourceUnreadable
from visionbatch.io.bandwidth import SLICE_S, Bandwidth
from visionbatch.io.wire_pool import WirePool
from visionbatch.transfer.source import FileSource, Source
from visionbatch.transfer.upload import Upload, Uploaded

CONTENT = random.Random(11).randbytes(9 * CHUNK + 777)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["plain", "tls"])
def sink(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    context = None
    if request.param == "tls":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
    with Sink(context, keep=True) as found:
        yield found


def send(source: Source, sink: Sink, **settings: Any) -> Uploaded:
    with WirePool.of(TransferSettings(**settings), HandClock()) as pool:
        return send_over(pool, source, sink, **settings)


def send_over(pool: WirePool, source: Source, sink: Sink, **settings: Any) -> Uploaded:
    url = AllowedHosts([f"localhost:{sink.port}", f"http://localhost:{sink.port}"]).admit(sink.url)
    with pool.wire() as wire:
        return Upload(source, url, wire=wire, clock=HandClock(), settings=TransferSettings(**settings)).run()


@pytest.mark.parametrize("block_bytes", [1000, CHUNK, 64 * CHUNK])
def test_a_file_arrives_byte_for_byte_in_one_request(sink: Sink, file: Path, block_bytes: int) -> None:
    with FileSource(file) as source:
        uploaded = send(source, sink, block_bytes=block_bytes)
    assert sink.content == CONTENT
    assert (uploaded.requests, uploaded.sent_bytes, sink.connections) == (1, len(CONTENT), 1)


def test_what_is_computed_arrives_byte_for_byte_in_one_request(sink: Sink) -> None:
    uploaded = send(BytesSource(CONTENT), sink, block_bytes=1000)
    assert sink.content == CONTENT
    assert uploaded.requests == 1


def failing_sendfile(number: int) -> Any:
    def sendfile(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return sendfile


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_that_cannot_feed_a_socket_is_read_instead(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "sendfile", failing_sendfile(number))
    with Sink(keep=True) as sink, FileSource(file) as source:
        send(source, sink)
    assert sink.content == CONTENT


def test_a_disk_that_fails_below_the_kernel_is_not_taken_for_the_network(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", failing_sendfile(errno.EIO))
    with Sink() as sink, FileSource(file) as source, pytest.raises(SourceUnreadable, match="Input/output error"):
        send(source, sink)


def test_the_last_bytes_stay_here_when_the_file_was_touched_while_one_request_carried_it(
    site: Any, books: Books, file: Path
) -> None:
    client = site(chunk_bytes=0, block_bytes=CHUNK)
    url = client.create("touched").upload_url
    touch = At(4 * CHUNK, lambda: os.utime(file, (1, 1)))

    with FileSource(file) as source, pytest.raises(InputChanged):
        client.upload(source, url, progress=touch)

    assert touch.happened
    assert not books.effects("archive.committed")
    books.nothing_processed()


def test_one_connection_serves_the_uploads_that_follow_each_other() -> None:
    with Sink() as sink, WirePool.of(TransferSettings(), HandClock()) as pool:
        for _ in range(3):
            sink.persisted = 0
            send_over(pool, BytesSource(CONTENT), sink)
        assert sink.connections == 1


def test_no_more_uploads_run_at_a_time_than_the_setting_allows() -> None:
    three, lock = threading.Barrier(3), threading.Lock()
    running = most = 0

    def upload(pool: WirePool) -> None:
        nonlocal running, most
        with pool.wire():
            with lock:
                running += 1
                most = max(most, running)
            three.wait(PATIENCE_S)
            with lock:
                running -= 1

    with WirePool.of(TransferSettings(parallel_uploads=3), HandClock()) as pool, ThreadPoolExecutor(12) as threads:
        for done in [threads.submit(upload, pool) for _ in range(12)]:
            done.result(PATIENCE_S)
    assert most == 3


def test_many_threads_may_upload_with_one_client(site: Any, books: Books) -> None:
    client = site(chunk_bytes=0, parallel_uploads=2)
    urls = [client.create(f"batch {number}").upload_url for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(client.upload, BytesSource(CONTENT), url) for url in urls]:
            done.result(PATIENCE_S)
    committed = books.effects("archive.committed")
    assert len({entry["batch_id"] for entry in committed}) == len(committed) == 8


@pytest.mark.parametrize("senders", [1, 5])
def test_a_limit_holds_for_all_who_send_together(senders: int) -> None:
    clock = HandClock()
    bandwidth = Bandwidth(1_000_000, clock, clock.now)
    began = clock.now()
    left = [3_000_000 // senders] * senders
    while any(left):
        left = [rest - bandwidth.take(rest) if rest else 0 for rest in left]
    assert clock.now() - began == pytest.approx(3.0 - SLICE_S, abs=0.01)
    assert all(pause.at_least <= SLICE_S * 1.001 for pause in clock.pauses)


def test_what_was_allowed_and_not_sent_is_not_paid_for() -> None:
    clock = HandClock()
    bandwidth = Bandwidth(1_000_000, clock, clock.now)
    bandwidth.give_back(bandwidth.take(50_000))
    bandwidth.take(50_000)
    assert not clock.pauses


@pytest.mark.parametrize("source", ["file", "memory"])
def test_an_upload_keeps_to_the_limit_whatever_it_sends(sink: Sink, file: Path, source: str) -> None:
    clock = HandClock()
    with WirePool.of(TransferSettings(max_bytes_per_s=1_000_000), clock) as pool, FileSource(file) as on_disk:
        send_over(pool, on_disk if source == "file" else BytesSource(CONTENT), sink)
    assert sink.content == CONTENT
    assert len(clock.pauses) >= len(CONTENT) // int(1_000_000 * SLICE_S)
