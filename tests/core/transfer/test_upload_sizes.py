"""Archives of every awkward size arrive to the byte; one of none is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from support.books import Books, BytesSource, sparse
from support.clocks import HandClock
from support.listener import Sink
from support.orders import CHUNK
from support.silence import Silence
from visionbatch import DeepomaticSettings
from visionbatch.config import AllowedHosts, TransferSettings
from visionbatch.errors import ConfigError, InvalidInput
from visionbatch.io.wire import Wire
from visionbatch.transfer.source import FileSource
from visionbatch.transfer.upload import Upload

GIB = 1 << 30

SIZES = [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK + 1]


@pytest.mark.fault("UP22")
@pytest.mark.parametrize("size", [0, *SIZES, 4 * GIB + 1], ids=lambda size: f"{size}B")
def test_archives_of_every_awkward_size_arrive_to_the_byte(
    site: Any, books: Books, silence: Silence, size: int
) -> None:
    if size == 0:
        client = site()
        batch = client.create("nothing")
        assert batch.upload_url is not None
        with silence.raises(InvalidInput, match="is empty"):
            client.upload(BytesSource(b""), batch.upload_url)
        assert not books.on_sessions
    elif size > GIB:
        with Sink() as sink, sparse(size) as path, FileSource(path) as source:
            hosts = (f"http://localhost:{sink.port}",)
            client = site(settings={"upload_hosts": hosts}, chunk_bytes=2 * GIB, block_bytes=1 << 19)
            uploaded = client.upload(source, client.api.admit(sink.url))
        assert (sink.persisted, uploaded.sent_bytes, uploaded.requests, uploaded.gaps) == (size, size, 3, 0)
    else:
        content = random.Random(size).randbytes(size)
        client = site()
        batch = client.create("sized")
        assert batch.upload_url is not None
        uploaded = client.upload(BytesSource(content), batch.upload_url)
        books.arrived_once(content)
        assert uploaded.requests == -(-size // CHUNK)
        assert books.sent_bytes == size


def test_an_empty_archive_is_found_by_the_check(site: Any, tmp_path: Path, books: Books) -> None:
    (tmp_path / "nothing.zip").touch()
    with site().check(tmp_path / "nothing.zip") as checked, pytest.raises(InvalidInput):
        checked.ready()


def test_a_folder_without_work_orders_is_not_sent(site: Any, tmp_path: Path, books: Books) -> None:
    (tmp_path / "empty").mkdir()
    with site().check(tmp_path / "empty") as checked, pytest.raises(InvalidInput):
        checked.ready()


@pytest.mark.parametrize("chunk_bytes", [1, CHUNK - 1, CHUNK + 1, -CHUNK])
def test_a_chunk_size_that_the_protocol_refuses_is_a_setting_error(chunk_bytes: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 262144"):
        TransferSettings(chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("name", ["block_bytes", "connect_timeout_s", "read_timeout_s", "deadline_s", "attempts"])
def test_a_bound_of_zero_is_a_setting_error(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        TransferSettings(**{name: 0})


@pytest.mark.parametrize("chunk_bytes", [0, CHUNK, 4 * CHUNK])
@pytest.mark.parametrize("block_bytes", [1000, CHUNK, 10 * CHUNK])
def test_blocks_and_chunks_of_any_length_give_the_same_archive(
    site: Any, books: Books, chunk_bytes: int, block_bytes: int
) -> None:
    content = random.Random(3).randbytes(2 * CHUNK + 777)
    client = site(chunk_bytes=chunk_bytes, block_bytes=block_bytes)
    batch = client.create("blocks")
    assert batch.upload_url is not None

    client.upload(BytesSource(content), batch.upload_url)

    books.arrived_once(content)


def test_one_connection_serves_a_whole_upload() -> None:
    with Sink() as sink:
        url = AllowedHosts([f"http://localhost:{sink.port}"]).admit(sink.url)
        with Wire() as wire:
            settings = TransferSettings(chunk_bytes=CHUNK)
            Upload(BytesSource(bytes(5 * CHUNK)), url, wire=wire, clock=HandClock(), settings=settings).run()
        assert len(sink.requests) == 5
        assert sink.connections == 1


def test_upload_hosts_are_a_list_and_never_one_string() -> None:
    with pytest.raises(ConfigError, match="a list of hosts"):
        DeepomaticSettings("https://api.example.com", upload_hosts="storage.googleapis.com")  # type: ignore[arg-type]
