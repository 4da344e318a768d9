"""The tar that is never written: any part of it, names and sizes beyond the old header, members that change."""

from __future__ import annotations

import io
import os
import random
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.archives import FOLDERS, files_of, in_memory, of_tree, part
from support.books import Books
from support.orders import read_whole
from support.trees import MemoryTree
from visionbatch.errors import InputChanged
from visionbatch.io.local_tree import LocalTree
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.source import Source
from visionbatch.transfer.tar_format import LARGEST_SIZE, member_header
from visionbatch.transfer.tar_shard import WHOLE_BYTES, TarShard

FILES = FOLDERS.map(lambda folder: dict(files_of(folder)))
PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=160).filter(
    lambda path: not path.endswith("/")
)


@settings(max_examples=300)
@given(files=FILES, data=st.data())
def test_any_part_is_the_slice_of_the_whole(files: dict[str, bytes], data: st.DataObject) -> None:
    whole = read_whole(in_memory("tar", files))
    shard = in_memory("tar", files)
    assert len(whole) == shard.size

    offset = data.draw(st.integers(0, shard.size), label="offset")
    stop = data.draw(st.integers(offset, shard.size), label="stop")
    block_bytes = data.draw(st.integers(1, 2000), label="block")
    blocks = [bytes(block) for block in shard.blocks(offset, stop, block_bytes)]

    assert b"".join(blocks) == whole[offset:stop]
    assert all(len(block) == block_bytes for block in blocks[:-1])


@settings(max_examples=300)
@given(files=st.dictionaries(PATHS, st.binary(max_size=600), max_size=4))
def test_every_name_and_byte_comes_out_again(files: dict[str, bytes]) -> None:
    whole = read_whole(in_memory("tar", files))
    for mode in ("r:", "r|"):
        with tarfile.open(fileobj=io.BytesIO(whole), mode=mode) as found:
            assert {member.name: content(found, member) for member in found} == files


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    assert member.isreg()
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def test_every_offset_of_a_small_one_is_a_place_to_go_on() -> None:
    files = {"a.jpg": b"12345", "\N{SNOWMAN}.jpg": b"", "n" * 101: b"x" * 512, "z": b"y" * 513}
    whole = read_whole(in_memory("tar", files))
    for offset in range(len(whole) + 1):
        assert part(in_memory("tar", files), offset, len(whole), 600) == whole[offset:], f"from {offset}"


def test_owner_mode_and_time_are_always_the_same() -> None:
    with tarfile.open(fileobj=io.BytesIO(read_whole(in_memory("tar", {"a": b"a", "\N{SNOWMAN}": b"b"})))) as found:
        facts = {(one.uid, one.gid, one.uname, one.gname, one.mode, one.mtime, one.type) for one in found}
    assert facts == {(0, 0, "", "", 0o644, 315_532_800, tarfile.REGTYPE)}


@pytest.mark.parametrize("size", [LARGEST_SIZE, LARGEST_SIZE + 1, 1 << 40])
def test_a_size_of_more_than_eleven_octal_digits_is_told(size: int) -> None:
    header = member_header(b"video.mp4", size)
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024))) as found:
        first = found.firstmember
    assert first is not None
    assert (first.name, first.size) == ("video.mp4", size)
    assert len(header) == (512 if size == LARGEST_SIZE else 3 * 512)


def planned(sizes: dict[str, int]) -> Plan:
    plan = Plan("planned")
    for path, size in sizes.items():
        plan.add(Member(path, size, b""))
    return plan


def test_a_large_member_is_gone_on_with_at_any_place_and_read_from_there() -> None:
    size = 2 * WHOLE_BYTES + 3
    content = random.Random(5).randbytes(size)
    files = {"a.jpg": b"a", "b.mp4": content, "c.jpg": b"c"}
    whole = read_whole(in_memory("tar", files))
    plan = planned({path: len(data) for path, data in files.items()})
    start = 1024 + 512
    for offset in (0, 1024, start, start + 1, start + WHOLE_BYTES, start + size - 1, start + size, start + size + 9):
        tree = Places(files)
        assert part(TarShard(plan, tree), offset, len(whole)) == whole[offset:], f"from {offset}"
        assert ("b.mp4", min(max(offset - start, 0), size)) in tree.places


class Places(MemoryTree):
    """Remembers from where members were read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files.__getitem__)
        self.places: list[tuple[str, int]] = []

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        self.places.append((path, offset))
        return super().open(path, offset)


@pytest.mark.parametrize("expected", [0, 4, 6], ids=["was-empty", "grew", "shrank"])
@pytest.mark.parametrize("scale", [1, 1 << 20], ids=["small", "large"])
@pytest.mark.parametrize("start", [0, 513], ids=["whole", "from-the-middle"])
def test_a_member_of_another_size_than_planned_is_noticed(expected: int, scale: int, start: int) -> None:
    shard = in_memory("tar", {"a.mp4": bytes(5 * scale)}, sizes={"a.mp4": expected * scale})
    if not expected and start:
        start = 1
    with pytest.raises(InputChanged, match=r"a\.mp4 is not what was planned"):
        part(shard, start, shard.size)


def test_a_part_that_ends_with_a_member_sees_that_it_has_grown() -> None:
    shard = in_memory("tar", {"a": b"12345"}, sizes={"a": 4})
    with pytest.raises(InputChanged, match="5 bytes instead of 4"):
        part(shard, 0, 512 + 4)


def test_a_member_that_cannot_be_read_any_more_is_named_and_a_disk_in_trouble_is_not_a_change() -> None:
    with pytest.raises(InputChanged, match=r"a\.jpg can no longer be read: No such file"):
        read_whole(refusing(FileNotFoundError(2, os.strerror(2), "a.jpg")))
    with pytest.raises(OSError, match="Input/output error"):
        read_whole(refusing(OSError(5, os.strerror(5), "a.jpg")))


def refusing(error: OSError) -> Source:
    def refuse(path: str) -> bytes:
        raise error

    return TarShard(planned({"a.jpg": 5}), MemoryTree(refuse))


def test_files_are_closed_when_nobody_reads_on() -> None:
    opened: list[BinaryIO] = []

    class Watched(MemoryTree):
        def open(self, path: str, offset: int = 0) -> BinaryIO:
            opened.append(super().open(path, offset))
            return opened[-1]

    size = 2 * WHOLE_BYTES
    blocks = TarShard(planned({"a": size}), Watched(lambda path: bytes(size))).blocks(0, size, 1000)
    next(blocks)
    assert not opened[0].closed
    del blocks
    assert opened[0].closed


def test_an_empty_plan_is_an_archive_without_members() -> None:
    shard = TarShard(Plan("empty"), MemoryTree(lambda path: b""))
    with tarfile.open(fileobj=io.BytesIO(read_whole(shard))) as found:
        assert found.getnames() == []


def test_it_is_sent_like_any_archive_and_gone_on_with_where_the_server_stands(
    site: Any, orders: Path, books: Books, faults: Any
) -> None:
    faults("storage.sessions.chunk", "persist-nothing", "persist-nothing")
    client = site()
    batch = client.create("tar")

    with LocalTree(orders) as tree:
        client.upload(of_tree("tar", tree), batch.upload_url, batch_id=batch.batch_id)
        expected = read_whole(of_tree("tar", tree))

    assert books.arrived_once(expected) == batch.batch_id
