"""Whoever opens our archives finds what went in: libraries, programs, and those that read from a pipe."""

from __future__ import annotations

import os
import subprocess
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.archives import KINDS, in_memory
from support.books import sparse
from support.readers import PATIENCE_S, READERS, Reader, program
from visionbatch.io.local_tree import LocalTree
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.source import Source

GIB = 1 << 30
ENDING = b"the end"
BLOCK = 1 << 20
ZEROS = bytes(BLOCK)

ODD = {
    "at-the-root.json": b"{}",
    "WO_1/plain.jpg": b"1" * 700,
    "WO_1/empty.jpg": b"",
    "WO_1/one-record.jpg": b"2" * 512,
    "WO_1/with space, 'quotes' & $(signs).jpg": b"3",
    "WO_1//between two slashes.jpg": b"4",
    "WO_2/\N{LATIN SMALL LETTER E WITH ACUTE}.jpg": b"5",
    "WO_2/decomposed-e\N{COMBINING ACUTE ACCENT}.jpg": b"6",
    "\N{CJK UNIFIED IDEOGRAPH-65E5}\N{CJK UNIFIED IDEOGRAPH-672C}/\N{CAT FACE}.jpg": b"7" * 5000,
    f"WO_3/{'long' * 40}.jpg": b"8",
    f"{'deep/' * 60}end.jpg": b"9",
}

MANY = {f"WO_{number % 97}/{number}.jpg": b"%d" % number for number in range(65_600)}
"""More than 16 bits can count."""

CASES = [(kind, name) for kind, readers in READERS.items() for name in readers]


@pytest.fixture(params=CASES, ids=[f"{kind}-{name}" for kind, name in CASES])
def case(request: pytest.FixtureRequest) -> tuple[str, Reader]:
    kind, name = request.param
    return kind, READERS[kind][name]


def write(source: Source, target: Path) -> Path:
    """The archive as a file, with holes where it has nothing but zeros."""
    with target.open("wb") as file:
        for block in source.blocks(0, source.size, BLOCK):
            if block == ZEROS[: len(block)]:
                file.seek(len(block), os.SEEK_CUR)
            else:
                file.write(block)
        file.truncate(source.size)
    return target


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("archives")
    return {
        kind: {
            name: write(in_memory(kind, files), folder / f"{name}.{kind}")
            for name, files in (("odd", ODD), ("many", MANY))
        }
        for kind in KINDS
    }


def composed(path: str) -> str:
    """A path as a file system that normalises would have it; libarchive composes names on its own."""
    return unicodedata.normalize("NFC", path.replace("//", "/"))


def test_every_name_and_byte_is_unpacked(
    case: tuple[str, Reader], archives: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    kind, reader = case
    reader.unpack(archives[kind]["odd"], tmp_path)
    found = {composed(str(path.relative_to(tmp_path))): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == {composed(path): ODD[path] for path in ODD}


def test_more_members_than_the_old_directory_counts_are_all_read(
    case: tuple[str, Reader], archives: dict[str, dict[str, Path]]
) -> None:
    kind, reader = case
    assert b"".join(reader.contents(archives[kind]["many"])) == b"".join(MANY.values())


class Contents:
    """Length and CRC-32 of bytes that are too many to be kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.length = self.crc = 0
        for piece in pieces:
            self.length += len(piece)
            self.crc = zlib.crc32(piece, self.crc)


LARGE = {"zip": [4 * GIB + 1, 7, 4 * GIB + 1, 7], "tar": [8 * GIB + 1, 7]}
"""Bytes of members, some beyond what 32 bits and eleven octal digits can say, as a place in the archive may be too."""


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Archives of holes, each with a few bytes at the end of every member."""
    folder = tmp_path_factory.mktemp("huge")
    made = {}
    for kind, make in KINDS.items():
        plan = Plan("huge")
        with ExitStack() as stack:
            for size in LARGE[kind]:
                file = stack.enter_context(sparse(size))
                with file.open("r+b") as end:
                    end.seek(-len(ENDING), os.SEEK_END)
                    end.write(ENDING)
                plan.add(Member(file.name, size, b""))
            tree = stack.enter_context(LocalTree(file.parent))
            made[kind] = write(make(plan, tree), folder / f"huge.{kind}")
    yield made
    for path in made.values():
        path.unlink()


@pytest.mark.readers
@pytest.mark.timeout(900)
def test_members_beyond_4_and_8_gib_are_read_to_the_last_byte(case: tuple[str, Reader], huge: dict[str, Path]) -> None:
    kind, reader = case
    length, endings, before = 0, 0, b""
    for piece in reader.contents(huge[kind]):
        length += len(piece)
        endings += (before + piece).count(ENDING)
        before = piece[1 - len(ENDING) :]
    assert length == sum(LARGE[kind])
    assert endings == len(LARGE[kind])


def read_by_java(way: str, archive: Path) -> list[tuple[int, int, str]]:
    """CRC, length and name of every member."""
    command = [program("java", "openjdk-17-jdk-headless"), str(Path(__file__).with_name("ReadZip.java")), way]
    told = subprocess.run(
        [*command, str(archive)], capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False
    )
    assert told.returncode == 0, told.stderr
    lines = [line.split(" ", 2) for line in told.stdout.splitlines()]
    return [(int(crc), int(length), name) for crc, length, name in lines]


@pytest.mark.readers
@pytest.mark.parametrize("way", ["file", "stream"])
def test_java_reads_every_name_and_byte(way: str, archives: dict[str, dict[str, Path]]) -> None:
    for name, files in (("odd", ODD), ("many", MANY)):
        expected = [(zlib.crc32(content), len(content), path) for path, content in files.items()]
        assert sorted(read_by_java(way, archives["zip"][name])) == sorted(expected)


@pytest.mark.readers
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["file", "stream"])
def test_java_reads_members_beyond_4_gib(way: str, huge: dict[str, Path]) -> None:
    assert [length for _, length, _ in read_by_java(way, huge["zip"])] == LARGE["zip"]
