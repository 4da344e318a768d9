from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check.builders import BATCH, JPEG, PNG, accepted, broken, check, errors, findings, zipped
from visionbatch.io import zip_tree
from visionbatch.io.zip_tree import ZipTree
from visionbatch.model.tree import Entry, Kind


class Pipe(io.RawIOBase):
    """Makes zipfile write data descriptors: it cannot seek back."""

    def __init__(self) -> None:
        super().__init__()
        self.body = io.BytesIO()

    def writable(self):
        return True

    def write(self, data):
        return self.body.write(data)


def with_descriptors(files: dict[str, bytes]) -> io.BytesIO:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    assert b"PK\x07\x08" in pipe.body.getvalue()
    return pipe.body


def with_zip64(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    body = zipped(files)
    assert b"PK\x06\x06" in body.getvalue()
    return body


def flagged(files: dict[str, bytes], flag: int = 0, method: int | None = None) -> io.BytesIO:
    """The archive with general flags or the method changed in every header, as another tool had written it."""
    body = bytearray(zipped(files).getvalue())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = body.find(signature)
        while found >= 0:
            (flags,) = struct.unpack_from("<H", body, found + at)
            struct.pack_into("<H", body, found + at, flags | flag)
            if method is not None:
                struct.pack_into("<H", body, found + at + 2, method)
            found = body.find(signature, found + 4)
    return io.BytesIO(bytes(body))


@pytest.mark.fault("AR11")
def test_a_ready_made_archive_is_accepted_or_explained(monkeypatch):
    inside = {f"export/{path}": content for path, content in BATCH.items()}
    corpus = {
        "wrapping-folder": zipped(inside | {"__MACOSX/._x": b""}),
        "nested-archive": zipped(BATCH | {"WO_1/more.zip": zipped(BATCH).getvalue()}),
        "archive-encrypted": flagged(BATCH, flag=1),
        "archive-compression": flagged(BATCH, method=99),
        "archive-path": zipped(BATCH | {"../evil.jpg": b"x", "/etc/x": b"x", "C:\\x": b"x", "WO_1//x": b"x"}),
    }
    for rule, body in corpus.items():
        found = errors(check(ZipTree(body)))
        assert {name for name, _ in found} == {rule}
    for body in (with_descriptors(BATCH), with_zip64(BATCH, monkeypatch)):
        results = check(ZipTree(body), deep=True)
        assert findings(results) == []
        assert accepted(results) == ["WO_1", "WO_2"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\x1f\x8b\x08\0\0\0", "gzip, not zip"),
        (b"<html>", "HTML"),
        (b"hello", "no zip"),
        (zipped(BATCH).getvalue()[:-30], "not copied to its end"),
    ],
)
def test_a_file_that_is_no_zip_is_one_finding_with_the_reason(content, said):
    [found] = check(ZipTree(io.BytesIO(content)))
    assert (found.rule, found.path) == ("not-a-zip", "")
    assert said in found.message


def test_an_archive_with_nothing_in_it_is_an_empty_source():
    assert broken(check(ZipTree(zipped({})))) == {("empty-source", "")}


def test_a_path_that_is_there_twice_is_an_error():
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("WO_1/door-0.jpg", JPEG)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("WO_1/door-0.jpg", PNG)
    assert broken(check(ZipTree(body))) == {("archive-duplicate", "WO_1/door-0.jpg")}


def test_a_link_or_pipe_inside_an_archive_is_not_followed():
    body = zipped({"WO_2/door-0.jpg": JPEG})
    with zipfile.ZipFile(body, "a") as archive:
        for path, mode in (("WO_1/link-0.jpg", 0o120777), ("WO_1/pipe-0.jpg", 0o10644), ("WO_3", 0o120777)):
            info = zipfile.ZipInfo(path)
            info.external_attr = mode << 16
            archive.writestr(info, b"/etc/passwd")
    assert broken(check(ZipTree(body))) == {
        ("link", "WO_1/link-0.jpg"),
        ("special-file", "WO_1/pipe-0.jpg"),
        ("link", "WO_3"),
    }


def test_a_bomb_is_refused_by_what_it_claims_and_never_inflated(monkeypatch):
    inflated = []
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: inflated.append(n))
    body = zipped({"WO_1/door-0.jpg": bytes(50_000_000), "WO_1/metadata.json": bytes(5_000_000)})
    assert {rule for rule, _ in broken(check(ZipTree(body)))} == {"archive-expansion"}
    assert inflated == []


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_claims():
    body = bytearray(zipped({"WO_1/door-0.jpg": bytes(50_000_000)}).getvalue())
    central = body.find(b"PK\x01\x02")
    struct.pack_into("<I", body, central + 24, 5_000)
    tree = ZipTree(io.BytesIO(bytes(body)))
    with pytest.raises(OSError, match="damaged in the archive"), tree.open("WO_1/door-0.jpg") as stream:
        stream.read()
    assert broken(check(tree)) == {("unreadable", "WO_1/door-0.jpg")}


def test_a_name_without_the_mark_of_utf_8_is_a_warning():
    body = zipped({"WO_1/cafe-0.jpg": JPEG}).getvalue().replace(b"cafe", b"caf\x82")
    results = check(ZipTree(io.BytesIO(body)))
    assert broken(results) == {("archive-name-encoding", "WO_1/café-0.jpg")}
    assert accepted(results) == ["WO_1"]


def test_a_nul_in_a_stored_name_is_an_error_although_the_reader_hides_it():
    body = zipped({"WO_1/door-0.jpg": JPEG, "WO_1/x-0.jpg.exe": b"x"}).getvalue().replace(b".exe", b"\0exe")
    assert errors(check(ZipTree(io.BytesIO(body)))) == {("archive-path", "WO_1/x-0.jpg")}


def test_a_path_of_very_many_folders_takes_no_memory_of_its_own():
    tree = ZipTree(zipped({f"WO_1/{'a/' * 30_000}{n}": b"" for n in range(20)}))
    assert list(tree.entries("WO_1")) == [Entry("a", Kind.FOLDER)]


@pytest.mark.parametrize("limit", ["MAX_INFLATED_BYTES", "SMALL_BYTES"])
def test_stored_members_may_be_of_any_size(monkeypatch, limit):
    monkeypatch.setattr(zip_tree, limit, 10)
    body = zipped({"WO_1/door-0.jpg": JPEG}, compress_type=zipfile.ZIP_STORED)
    assert accepted(check(ZipTree(body))) == ["WO_1"]


WHOLE = zipped(BATCH | {"WO_2/parameters.json": b'{"a": 1}'}).getvalue()


@given(st.data())
def test_no_damaged_archive_makes_the_check_fail(data):
    body = bytearray(WHOLE[: data.draw(st.sampled_from([len(WHOLE), len(WHOLE) - 1, 100]))])
    for _ in range(data.draw(st.integers(0, 4))):
        # Most of the file is a photo; the headers that matter are at its two ends.
        at = data.draw(st.integers(0, 120) | st.integers(-420, -1))
        if -len(body) <= at < len(body):
            body[at] = data.draw(st.integers(0, 255))
    assert check(ZipTree(io.BytesIO(bytes(body))))
