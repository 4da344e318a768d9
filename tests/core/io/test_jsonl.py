"""Lines and their numbers, whatever a file holds."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch.errors import InputMissing, SourceUnreadable
from visionbatch.io import jsonl
from visionbatch.io.jsonl import Line, blocks, lines, opened

LIMIT = 40


def found(content: bytes, limit: int = LIMIT) -> list[Line]:
    return read(io.BytesIO(content), limit)


def read(stream: BinaryIO, limit: int = LIMIT) -> list[Line]:
    return [line for block in blocks(stream, limit) for line in lines(block, limit)]


def test_blank_lines_are_counted_and_left_out() -> None:
    assert found(b"a\n\n \t\r\nb\n") == [Line(1, b"a", True), Line(4, b"b", True)]


def test_only_a_line_feed_ends_a_line() -> None:
    content = "one\u2028still\u2029one\x85\x0b\x0c\r".encode()
    assert found(content + b"\ntwo") == [Line(1, content, True), Line(2, b"two", True)]


def test_a_byte_order_mark_is_taken_off_the_first_line_only() -> None:
    assert found(b"\xef\xbb\xbfa\n\xef\xbb\xbfb") == [Line(1, b"a", True), Line(2, b"\xef\xbb\xbfb", True)]


def test_a_file_that_holds_nothing_has_no_lines() -> None:
    assert found(b"") == found(b"\n \n") == found(b"\xef\xbb\xbf\n") == []


@given(
    st.lists(st.binary(max_size=120).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    st.integers(1, 64),
    st.booleans(),
)
def test_lines_are_those_of_a_plain_split_wherever_blocks_end(content: list[bytes], block: int, ended: bool) -> None:
    whole = b"\n".join(content) + (b"\n" if ended else b"")
    wanted = [
        Line(number, line[:LIMIT], len(line) <= LIMIT)
        for number, line in enumerate(whole.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        if line.strip()
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "BLOCK_BYTES", block)
        assert found(whole) == wanted


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    with opened(path) as stream:
        assert [line.content for line in read(stream)] == [b"one", b"two"]


@pytest.mark.parametrize("spoilt", [lambda whole: whole[:-9], lambda whole: whole[:20] + b"\0" * (len(whole) - 20)])
def test_a_damaged_gzip_file_is_not_taken_for_its_beginning(spoilt: object, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl.gz"
    path.write_bytes(spoilt(gzip.compress(b"a line that is long enough to be cut\n" * 50)))  # type: ignore[operator]
    with opened(path) as stream, pytest.raises(SourceUnreadable, match="cannot be read to its end"):
        read(stream)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match=r"nowhere\.jsonl"), opened(tmp_path / "nowhere.jsonl"):
        pass


def test_a_folder_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=str(tmp_path)), opened(tmp_path):
        pass
