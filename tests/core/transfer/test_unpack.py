"""Unpacking: what was packed comes out, whole or not at all."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.patience import wait_until
from support.tars import END, member, of_files, packed, tar
from visionbatch.errors import AlreadyRunning, Damaged, NoRoom, UnsafeName
from visionbatch.io.fresh_folder import NOTE, FreshFolder
from visionbatch.transfer.unpack import Unpacked, unpack

FILES = {"results.jsonl": b'{"image": "a.jpg"}\n' * 9000, "a/b/photo.jpg": b"\xff\xd8photo", "empty": b"",
         "å/ü.txt": b"text", "n" * 120 + "/" + "m" * 200: b"long"}  # fmt: skip


def zipped(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return raw.getvalue()


def out(archive: bytes, target: Path, **more) -> Unpacked:
    return unpack(io.BytesIO(archive), target, name="results.tar", **more)


def shown(target: Path) -> dict[str, bytes]:
    """The files below a folder."""
    found = (path for path in target.rglob("*") if path.is_file() and path.name != NOTE)
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in found}


def beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "place" / "results"


MAKERS = {
    "tar": of_files,
    "gzipped tar": lambda files: packed(of_files(files)),
    "zip": zipped,
    "two gzip members": lambda files: packed(of_files(files)[:700]) + packed(of_files(files)[700:]),
}


@pytest.mark.parametrize("made", MAKERS.values(), ids=MAKERS)
def test_what_was_packed_comes_out_with_its_checksums(target, made):
    done = out(made(FILES), target, expected_files=len(FILES))
    assert shown(target) == FILES
    assert {file.path: (file.size, file.crc32c) for file in done.files} == {
        name: (len(content), google_crc32c.value(content)) for name, content in FILES.items()
    }
    assert beside(target) == []


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(target, form):
    name = "folder-of-a-long-name/" * 9 + "x.jpg"
    out(tar(member("./", kind=tarfile.DIRTYPE), member(f"./{name}", b"one", form=form), member("y", b"two")), target)
    assert shown(target) == {name: b"one", "y": b"two"}


def test_what_gnu_tar_and_the_official_client_make_comes_out(target, tmp_path):
    source = tmp_path / "source"
    for name, content in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    archive = subprocess.run(["tar", "-C", source, "-cz", "."], check=True, capture_output=True).stdout
    out(archive, target)
    assert shown(target) == FILES


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}(/[a-z]{4,6}){0,2}\.x", fullmatch=True), st.binary(max_size=2000),
                       max_size=8))  # fmt: skip
def test_any_tree_comes_out(tmp_path_factory, files):
    target = tmp_path_factory.mktemp("any") / "out"
    out(packed(of_files(files, "w")) if files else tar(), target)
    assert shown(target) == files
    shutil.rmtree(target)


@pytest.mark.fault("EX7")
@pytest.mark.parametrize("made", [bytes, packed], ids=["tar", "gzipped"])
def test_a_tar_that_was_cut_between_two_members_is_damaged_and_nothing_is_kept(target, made):
    first, second = member("one.jpg", b"1" * 600), member("two.jpg", b"2" * 600)
    with pytest.raises(Damaged, match=r"results\.tar ends without its end mark"):
        out(made(first), target)
    with pytest.raises(Damaged, match="end mark"):
        out(made(first + second), target)
    assert not target.exists()
    assert beside(target) == []
    # A writer's own end mark may be cut out of the middle as well; then only the number of files tells.
    with pytest.raises(Damaged, match="has 1 files, 2 should be"):
        out(made(first + END), target, expected_files=2)
    assert not target.exists()


WHOLE = of_files({"one.jpg": b"1" * 600, "two.jpg": b"2" * 600})[: 4 * 1024 + 512]


@given(st.integers(0, 2 * (512 + 1024) - 1))
def test_a_tar_that_was_cut_anywhere_before_its_end_mark_is_damaged(tmp_path_factory, length):
    target = tmp_path_factory.mktemp("cut") / "out"
    with pytest.raises(Damaged):
        out(WHOLE[:length], target)
    assert not target.exists()


@pytest.mark.parametrize("made", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_archive_of_any_kind_is_damaged(target, made, share):
    whole = made(FILES)
    with pytest.raises(Damaged):
        out(whole[: int(share * len(whole))], target)
    assert not target.exists()


@pytest.mark.parametrize("made", [MAKERS["gzipped tar"], MAKERS["zip"]], ids=["gzipped", "zip"])
def test_a_flipped_byte_is_found_by_the_archives_own_checksum(target, made):
    whole = bytearray(made({"one.jpg": bytes(range(256)) * 40}))
    whole[150] ^= 0x55
    with pytest.raises(Damaged):
        out(bytes(whole), target)
    assert not target.exists()


def test_a_damaged_header_is_not_taken_for_the_end(target):
    broken = bytearray(member("two.jpg", b"2"))
    broken[3] ^= 1
    with pytest.raises(Damaged, match="damaged header"):
        out(tar(member("one.jpg", b"1"), bytes(broken)), target)


def test_what_stands_behind_the_end_is_not_left_out_in_silence(target):
    with pytest.raises(Damaged, match="behind its end mark"):
        out(tar(member("one.jpg", b"1")) + tar(member("two.jpg", b"2")), target)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 90, b"\x1f\x8b\x08"])
def test_what_is_no_archive_is_said_so(target, content):
    with pytest.raises(Damaged, match=r"results\.tar"):
        out(content, target)


def test_a_later_archive_replaces_an_earlier_one_in_one_step(target):
    out(of_files({"old": b"old", "both": b"1"}), target)
    out(of_files({"new": b"new", "both": b"2"}), target)
    assert shown(target) == {"new": b"new", "both": b"2"}
    with pytest.raises(Damaged):
        out(of_files({"third": b"3"})[:700], target)
    assert shown(target) == {"new": b"new", "both": b"2"}
    assert beside(target) == []


def test_where_two_folders_cannot_swap_names_the_old_one_goes_aside_first(target, monkeypatch):
    monkeypatch.setattr("visionbatch.io.fresh_folder._exchanged", lambda *_: False)
    out(of_files({"old": b"old"}), target)
    out(of_files({"new": b"new"}), target)
    assert shown(target) == {"new": b"new"}
    # Killed between its two renames: the next one puts the old set back before it does anything else.
    target.rename(target.with_name(".results.replaced"))
    with pytest.raises(Damaged):
        out(b"", target)
    assert shown(target) == {"new": b"new"}
    assert beside(target) == []


def test_a_folder_that_was_not_made_here_is_never_replaced(target):
    target.mkdir(parents=True)
    (target / "thesis.tex").write_text("mine")
    with pytest.raises(UnsafeName, match="not replaced"):
        out(of_files({"new": b"new"}), target)
    assert shown(target) == {"thesis.tex": b"mine"}
    assert beside(target) == []


PROGRAM = """
import sys
from pathlib import Path
from visionbatch.transfer.unpack import unpack
unpack(sys.stdin.buffer, Path(sys.argv[1]))
"""


@pytest.mark.fault("EX10")
def test_a_kill_in_the_middle_leaves_the_old_set_and_the_next_try_the_new_one(target):
    out(of_files({"old": b"old"}), target)
    whole = of_files({f"{number:03}.jpg": bytes([number]) * 100_000 for number in range(20)})
    halfway = target.with_name(".results.unpacking") / "009.jpg"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, target], stdin=subprocess.PIPE) as process:
        process.stdin.write(whole[: len(whole) // 2])
        process.stdin.flush()
        try:
            wait_until(halfway.exists)
            with pytest.raises(AlreadyRunning):
                out(whole, target)
            assert shown(target) == {"old": b"old"}
        finally:
            process.send_signal(signal.SIGKILL)
    assert shown(target) == {"old": b"old"}
    out(whole, target)
    assert len(shown(target)) == 20
    assert beside(target) == []


def test_a_full_disk_leaves_nothing_half(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        for size in (900_000, 40_000_000):
            # The one fills it on the way, the other says beforehand that it will.
            with pytest.raises(NoRoom):
                out(of_files({"one": bytes(range(200)) * (size // 200), "two": b"2" * 900_000}), place / "results")
            assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", place], check=True)


def test_the_folder_has_the_rights_of_the_one_that_it_is_in(target):
    target.parent.mkdir(mode=0o755)
    target.parent.chmod(0o750)
    with FreshFolder(target) as fresh:
        assert fresh.path.stat().st_mode & 0o777 == 0o700
        fresh.publish()
    assert target.stat().st_mode & 0o777 == 0o750
