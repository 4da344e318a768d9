"""A source that changes while it is sent: the upload stops, and what was sent is taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from support.books import At, Books
from support.orders import CHUNK, photo, write_orders, zip_orders
from support.runs import submit
from support.silence import Silence
from visionbatch.errors import InputChanged, InputMissing
from visionbatch.transfer.object_source import ObjectSource
from visionbatch.transfer.source import FileSource

WRITER = "import os, sys; path = sys.argv[1]; exec(sys.argv[2])"


def by_another_process(path: Path, what: str) -> None:
    subprocess.run([sys.executable, "-I", "-c", WRITER, str(path), what], check=True, timeout=60)


CHANGES: dict[str, Callable[[Path], None]] = {
    "grows": lambda path: by_another_process(path, "open(path, 'ab').write(bytes(4096))"),
    "shrinks": lambda path: by_another_process(path, "os.truncate(path, 300_000)"),
    "is-replaced": lambda path: by_another_process(
        path, "old = open(path, 'rb').read(); open(path + '.new', 'wb').write(old); os.replace(path + '.new', path)"
    ),
    "is-touched": lambda path: by_another_process(path, "os.utime(path, (1, 1))"),
    "goes-away": lambda path: path.unlink(),
}


@pytest.mark.fault("UP20")
@pytest.mark.parametrize("at", [1, 3 * CHUNK, 4 * CHUNK + 1], ids=["first-chunk", "third-chunk", "last-chunk"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_archive_that_changes_on_the_way_is_taken_back(
    site: Any, orders: Path, tmp_path: Path, books: Books, silence: Silence, change: str, at: int
) -> None:
    place = zip_orders(orders, tmp_path / "orders.zip")
    writer = At(at, lambda: CHANGES[change](place))

    with silence.raises(InputChanged):
        submit(site(), place, progress=writer)

    assert writer.happened
    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


FOLDER_CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "shrinks": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "goes-away": lambda path: path.unlink(),
    "becomes-a-link": lambda path: (path.rename(path.with_suffix(".old")), path.symlink_to(path.with_suffix(".old"))),
    "becomes-a-folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("change", FOLDER_CHANGES)
def test_a_photo_that_changes_before_it_is_sent_is_noticed(
    site: Any, tmp_path: Path, books: Books, change: str
) -> None:
    place = write_orders(tmp_path / "orders")
    writer = At(CHUNK, lambda: FOLDER_CHANGES[change](place / "WO_2/cabinet-4.jpg"))

    with pytest.raises(InputChanged, match=r"WO_2/cabinet-4\.jpg"):
        submit(site(), place, progress=writer)

    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


def test_a_photo_overwritten_with_as_many_bytes_after_it_was_sent_is_noticed_when_it_is_sent_again(
    site: Any, tmp_path: Path, books: Books, faults: Any
) -> None:
    place = write_orders(tmp_path / "orders")
    first = place / "WO_1/cabinet-0.jpg"
    faults("storage.sessions.chunk", "persist-nothing")
    other = photo(100)[:-2] + b"\x00\x00"
    writer = At(CHUNK, lambda: first.write_bytes(other))

    with pytest.raises(InputChanged, match="written to"):
        submit(site(), place, progress=writer)

    books.nothing_processed()


def test_a_missing_archive_names_the_path_and_the_machine(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match=f"{tmp_path}/no.zip on {os.uname().nodename}"):
        FileSource(tmp_path / "no.zip")


def test_a_missing_folder_names_the_path(site: Any, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no-orders"), site().check(tmp_path / "no-orders"):
        pass


def test_an_archive_has_the_same_identity_wherever_it_lies(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    content = os.urandom(300_000)
    (tmp_path / "a.zip").write_bytes(content)
    (tmp_path / "b.zip").write_bytes(content)
    memory.pipe_file("/identity/a.zip", content)
    with FileSource(tmp_path / "a.zip") as one, FileSource(tmp_path / "b.zip") as other:
        assert one.fingerprint == other.fingerprint == ObjectSource(memory, "/identity/a.zip").fingerprint


def test_an_object_that_is_replaced_or_deleted_is_noticed(tmp_path: Path) -> None:
    local = fsspec.filesystem("file")
    path = tmp_path / "a.zip"
    path.write_bytes(b"12345")
    source = ObjectSource(local, str(path))
    source.verify()
    assert (source.name, source.size) == ("a", 5)
    assert b"".join(source.blocks(1, 4, 2)) == b"234"

    os.utime(path, (1, 1))
    with pytest.raises(InputChanged, match="replaced"):
        source.verify()
    path.write_bytes(b"123")
    with pytest.raises(InputChanged, match="shorter"):
        list(source.blocks(0, 5, 2))
    path.unlink()
    with pytest.raises(InputChanged, match="gone"):
        source.verify()
    with pytest.raises(InputMissing):
        ObjectSource(local, str(path))


def test_an_object_archive_is_sent_like_a_file(site: Any, orders: Path, tmp_path: Path, books: Books) -> None:
    memory = fsspec.filesystem("memory")
    content = zip_orders(orders, tmp_path / "orders.zip").read_bytes()
    memory.pipe_file("/sent/orders.zip", content)
    client = site()
    batch = client.create("object")

    with client.check("/sent/orders.zip", filesystem=memory) as checked:
        client.upload_to(batch.batch_id, checked.ready())

    books.processed_once(content)
