"""The archive that is never written: the same at every offset, on every machine, for every reader."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.books import sparse
from support.orders import photo, read_whole, write_orders
from support.trees import MemoryTree
from visionbatch import CheckSettings
from visionbatch.errors import InputChanged
from visionbatch.model.tree import Member
from visionbatch.pipelines.inputs import opened
from visionbatch.transfer.checksum import PrefixChecksum
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.zip_archive import WHOLE_BYTES, ZipArchive

GIB = 1 << 30
MEMORY_LIMIT = 100 * 1000 * 1000


def plan_of(files: dict[str, bytes], sizes: dict[str, int] | None = None) -> Plan:
    """A plan for files in memory, with other sizes than they have where given."""
    plan = Plan("memory")
    for path, content in files.items():
        plan.add(Member(path, (sizes or {}).get(path, len(content)), content[:4096]))
    return plan


def archive_of(files: dict[str, bytes], sizes: dict[str, int] | None = None) -> ZipArchive:
    return ZipArchive(plan_of(files, sizes), MemoryTree(files.__getitem__))


FILES = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=8).map(
        lambda name: f"WO/{name}"
    ),
    st.binary(max_size=40),
    max_size=6,
)


@settings(max_examples=300)
@given(files=FILES, data=st.data())
def test_a_block_from_any_offset_is_the_part_of_the_whole(files: dict[str, bytes], data: st.DataObject) -> None:
    archive = archive_of(files)
    whole = read_whole(archive)
    assert len(whole) == archive.size

    offset = data.draw(st.integers(0, archive.size), label="offset")
    stop = data.draw(st.integers(offset, archive.size), label="stop")
    block_bytes = data.draw(st.integers(1, 64), label="block")
    # Another process begins there without having read what is in front.
    blocks = list(archive_of(files).blocks(offset, stop, block_bytes))

    assert b"".join(blocks) == whole[offset:stop]
    assert all(len(block) == block_bytes for block in blocks[:-1])


@settings(max_examples=200)
@given(files=FILES)
def test_every_reader_finds_the_names_and_bytes_that_went_in(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(read_whole(archive_of(files)))) as found:
        assert {name: found.read(name) for name in found.namelist()} == files
        assert found.testzip() is None


def test_every_boundary_of_a_small_archive_is_a_place_to_go_on() -> None:
    files = {"WO_1/a.jpg": b"12345", "WO_1/\N{SNOWMAN}.jpg": b"", "WO_2/b.jpg": b"x" * 30}
    whole = read_whole(archive_of(files))

    for offset in range(len(whole) + 1):
        tail = b"".join(archive_of(files).blocks(offset, len(whole), 7))
        assert tail == whole[offset:], f"from {offset}"


def test_a_large_member_is_gone_on_with_at_any_place() -> None:
    content = os.urandom(WHOLE_BYTES + 3)
    files = {"WO/small.jpg": b"s", "WO/large.mp4": content, "WO/z.jpg": b"z"}
    whole = read_whole(archive_of(files))
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None

    for offset in (0, 60, 100, WHOLE_BYTES // 2, WHOLE_BYTES + 90, len(whole) - 5):
        tail = b"".join(archive_of(files).blocks(offset, len(whole), 1 << 18))
        assert tail == whole[offset:], f"from {offset}"


def test_names_beyond_ascii_are_marked_as_utf_8() -> None:
    names = ["WO/plain.jpg", "WO/\N{LATIN SMALL LETTER E WITH ACUTE}.jpg", "WO/\N{CAT FACE}.jpg"]
    whole = read_whole(archive_of(dict.fromkeys(names, b"x")))

    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.namelist() == names
        assert [bool(info.flag_bits & 0x800) for info in found.infolist()] == [False, True, True]


def test_a_small_member_is_read_once_for_its_bytes_and_its_directory_line() -> None:
    files = {"WO/a.jpg": b"a", "WO/b.jpg": b"b"}
    tree = MemoryTree(files.__getitem__)
    read_whole(ZipArchive(plan_of(files), tree))
    assert tree.opened == list(files)


@pytest.mark.parametrize("size", [4, 6], ids=["grew", "shrank"])
@pytest.mark.parametrize("scale", [1, WHOLE_BYTES], ids=["small", "large"])
def test_a_member_of_another_size_than_planned_is_noticed(size: int, scale: int) -> None:
    archive = archive_of({"WO/a.mp4": bytes(5 * scale)}, sizes={"WO/a.mp4": size * scale})
    with pytest.raises(InputChanged, match=r"WO/a\.mp4 is not what was planned"):
        read_whole(archive)


@pytest.mark.parametrize("scale", [1, WHOLE_BYTES], ids=["small", "large"])
def test_a_member_that_is_rewritten_between_two_readings_is_noticed(scale: int) -> None:
    files = {"WO/a.mp4": b"12345" * scale}
    archive = archive_of(files)
    read_whole(archive)
    files["WO/a.mp4"] = b"54321" * scale

    with pytest.raises(InputChanged, match="written to while the archive was sent"):
        read_whole(archive)


def test_a_member_that_cannot_be_read_any_more_is_named() -> None:
    plan = Plan("gone")
    plan.add(Member("WO/a.jpg", 5, b"12345"))

    def gone(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(InputChanged, match=r"WO/a\.jpg can no longer be read: Permission denied"):
        read_whole(ZipArchive(plan, MemoryTree(gone)))


def aged(folder: Path, moment: float) -> Path:
    for path in folder.rglob("*"):
        os.utime(path, (moment, moment))
    return folder


@pytest.mark.fault("AR3")
def test_the_same_folder_is_the_same_archive_whatever_its_place_and_times(tmp_path: Path) -> None:
    in_1970 = aged(write_orders(tmp_path / "one" / "orders"), 0)
    in_2200 = aged(write_orders(tmp_path / "two" / "elsewhere"), 7_258_118_400)
    with opened(in_1970, CheckSettings()) as one, opened(in_2200, CheckSettings()) as other:
        assert one.report.fingerprint == other.report.fingerprint
        first, second = read_whole(one.ready()), read_whole(other.ready())

    assert first == second
    target = tmp_path / "archive.zip"
    target.write_bytes(first)
    with zipfile.ZipFile(target) as found:
        assert found.testzip() is None
        assert {info.date_time for info in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert found.read("WO_2/cabinet-1.jpg") == photo(201)
    if shutil.which("unzip"):
        listed = subprocess.run(["unzip", "-t", target], capture_output=True, text=True, timeout=60, check=True)
        assert "No errors detected" in listed.stdout


def peak_memory_of(script: str, *arguments: object) -> int:
    """Runs a script of this folder in a process of its own and gives the most memory that it ever held, in bytes."""
    told = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return int(told.stdout)


def opens_with_half_a_million_members(target: Path) -> None:
    assert peak_memory_of("large_archive.py", target, 500_000, 70_000) < MEMORY_LIMIT
    with zipfile.ZipFile(target) as found:
        names = found.namelist()
        assert len(names) == 500_000
        assert len({name.partition("/")[0] for name in names}) == 70_000
        assert found.read(names[0]) == found.read(names[-1]) == b"photo"


def opens_with_a_member_beyond_4_gib(target: Path) -> None:
    with sparse(4 * GIB + 1) as video:
        assert peak_memory_of("huge_member.py", video) < MEMORY_LIMIT


@pytest.mark.fault("AR8")
@pytest.mark.parametrize(
    "opens", [opens_with_half_a_million_members, opens_with_a_member_beyond_4_gib], ids=["members", "member"]
)
def test_archives_beyond_the_old_limits_open_and_take_little_memory(
    opens: Callable[[Path], None], tmp_path: Path
) -> None:
    opens(tmp_path / "large.zip")


def test_the_limits_of_the_old_format_are_met_to_the_member() -> None:
    for count in (65_534, 65_535, 65_536):
        plan = Plan("many")
        for number in range(count):
            plan.add(Member(f"WO/{number}", 0, b""))
        archive = ZipArchive(plan, MemoryTree(lambda path: b""))
        with zipfile.ZipFile(io.BytesIO(read_whole(archive))) as found:
            assert len(found.infolist()) == count


@settings(max_examples=200)
@given(content=st.binary(max_size=60), data=st.data())
def test_the_running_checksum_covers_a_prefix_however_often_parts_come_again(
    content: bytes, data: st.DataObject
) -> None:
    import google_crc32c  # noqa: PLC0415  # beside its only use

    checksum = PrefixChecksum()
    for _ in range(data.draw(st.integers(0, 8))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, len(content)))
        checksum.update(start, content[start:stop])
    checksum.update(0, content)

    assert checksum.known == (len(content), google_crc32c.value(content))


def test_plans_that_differ_anywhere_have_different_identities() -> None:
    def identity(*members: Member) -> str:
        plan = Plan("same name")
        for member in members:
            plan.add(member)
        return plan.fingerprint

    one = Member("a/b", 3, b"abc")
    others = [
        (Member("a/c", 3, b"abc"),),
        (Member("a/b", 4, b"abc"),),
        (Member("a/b", 3, b"abd"),),
        (one, one),
        (),
        (Member("a/b3", 3, b"bc"),),
    ]
    assert len({identity(one), *(identity(*other) for other in others)}) == 1 + len(others)
