"""Archives that were made to do harm."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.tars import member, packed, tar
from visionbatch.errors import ConfigError, Damaged, UnsafeArchive, UnsafeName
from visionbatch.io.fresh_folder import NOTE
from visionbatch.io.partial import safe_target
from visionbatch.model.safe_names import broken_rule, tame_name
from visionbatch.transfer.unpack import Unpacked, unpack
from visionbatch.transfer.unpack_budget import UnpackBudget

MIB = 1 << 20
GOOD = member("good.jpg", b"good")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with everything in it that must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "keys").write_text("before")
    return tmp_path


def out(archive: bytes, world: Path, **more) -> Unpacked:
    return unpack(io.BytesIO(archive), world / "in" / "results", name="results.tar.gz", **more)


def all_of(world: Path) -> list[str]:
    """Every path there is, links not followed."""
    return sorted(path.relative_to(world).as_posix() for path in world.rglob("*"))


CLEAN = ["in", "outside", "outside/keys"]

HOSTILE = {
    "leads-up": member("../outside/keys", b"after"),
    "leads-up in the middle": member("a/../../outside/keys", b"after"),
    "leads-up by backslashes": member("..\\outside\\keys", b"after"),
    "leads-up in a folder": member("../up/", kind=tarfile.DIRTYPE),
    "absolute": member("/etc/cron.d/x", b"after"),
    "absolute by a backslash": member("\\etc\\x", b"after"),
    "drive-letter": member("C:/windows/x", b"after"),
    "drive-letter alone": member("c:x", b"after"),
    "control-character": member("a\nb", b"after"),
    "control-character NUL": member("x", b"after", pax_headers={"path": "good.jpg\0.exe"}),
    "too-long": member("n" * 256, b"after"),
    "too-long path": member("folder/" * 700 + "x", b"after"),
    "too-deep": member("d/" * 40 + "x", b"after"),
    "empty-part": member("a//b", b"after"),
    "not-text": member("caf\udce9", b"after", form=tarfile.GNU_FORMAT),
    "symlink": member("way", kind=tarfile.SYMTYPE, linkname="../../outside"),
    "hardlink": member("keys", kind=tarfile.LNKTYPE, linkname="../../outside/keys"),
    "device of characters": member("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "device of blocks": member("disk", kind=tarfile.BLKTYPE, devmajor=8, devminor=0),
    "device that is a pipe": member("pipe", kind=tarfile.FIFOTYPE),
    "sparse-file": member("sparse", b"x", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    "unknown-kind": member("odd", b"after", kind=b"V"),
    "reserved": member(NOTE, b"{}"),
    "reserved as a folder": member(f"{NOTE}/x", b"{}"),
    "twice": member("good.jpg", b"after"),
    "twice as a folder": member("good.jpg/x", b"after"),
}


@pytest.mark.fault("EX11")
@pytest.mark.parametrize("rule", HOSTILE)
def test_a_member_that_leads_elsewhere_or_is_no_file_is_refused_by_name_and_rule(world, rule):
    archive = tar(GOOD, HOSTILE[rule], member("last.jpg", b"last"))
    with pytest.raises(UnsafeArchive, match=rf"results\.tar\.gz has the member .*rule {rule.split()[0]};") as caught:
        out(archive, world)
    assert "\n" not in str(caught.value)
    assert all_of(world) == CLEAN

    done = out(archive, world, on_bad_member="skip")
    assert [refused.rule for refused in done.refused] == [rule.split()[0]]
    assert done.refused_count == 1
    target = world / "in" / "results"
    assert sorted(path.name for path in target.iterdir()) == [NOTE, "good.jpg", "last.jpg"]
    assert ((target / "good.jpg").read_bytes(), (target / "last.jpg").read_bytes()) == (b"good", b"last")
    assert (world / "outside" / "keys").read_text() == "before"


def test_a_chain_of_links_too_long_to_be_resolved_opens_no_way_out(world):
    # The shape of CVE-2025-4517: folders and links whose resolved path passes PATH_MAX, then a file through them.
    links, path = [], ""
    for letter in "abcdefghijklmnop":
        links.append(member(f"{path}{'d' * 247}", kind=tarfile.DIRTYPE))
        links.append(member(f"{path}{letter}", kind=tarfile.SYMTYPE, linkname="d" * 247))
        path += f"{letter}/"
    links.append(member(f"{path}{'l' * 254}", kind=tarfile.SYMTYPE, linkname="../" * 16))
    links.append(member("escape", kind=tarfile.SYMTYPE, linkname=f"{path}{'l' * 254}/../../outside"))
    archive = tar(*links, member("way", kind=tarfile.LNKTYPE, linkname="escape/keys"), member("way", b"after"),
                  member("escape/keys", b"after"))  # fmt: skip
    with pytest.raises(UnsafeArchive, match="symlink"):
        out(archive, world)
    assert all_of(world) == CLEAN
    out(archive, world, on_bad_member="skip")
    assert (world / "outside" / "keys").read_text() == "before"
    assert not any(path.is_symlink() for path in world.rglob("*"))


def zipped(name: str, mode: int, content: bytes = b"after", flags: int = 0) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    whole = bytearray(raw.getvalue())
    whole[6] |= flags
    whole[whole.index(b"PK\x01\x02") + 8] |= flags
    return bytes(whole)


@pytest.mark.parametrize(("rule", "archive"), [
    ("leads-up", zipped("../outside/keys", stat.S_IFREG)),
    ("symlink", zipped("way", stat.S_IFLNK, b"../../outside")),
    ("device", zipped("null", stat.S_IFCHR)),
    ("encrypted", zipped("secret", stat.S_IFREG, flags=1)),
])  # fmt: skip
def test_a_zip_is_judged_by_the_same_rules(world, rule, archive):
    with pytest.raises(UnsafeArchive, match=rf"rule {rule};"):
        out(archive, world)
    assert all_of(world) == CLEAN


@pytest.mark.fault("EX12")
def test_a_link_that_is_there_already_is_not_written_through(world):
    (world / "in").mkdir()
    target = world / "in" / "results"
    archive = tar(member("keys", b"after"))
    target.symlink_to(world / "outside")
    with pytest.raises(UnsafeName, match="is a link"):
        out(archive, world)
    target.unlink()
    hidden = target.with_name(".results.unpacking")
    hidden.symlink_to(world / "outside")
    with pytest.raises(UnsafeName, match="in the way"):
        out(archive, world)
    hidden.unlink()
    # What a stranger has put where the members go: links, in a folder that looks like one left by a kill.
    hidden.mkdir()
    (hidden / "keys").symlink_to(world / "outside" / "keys")
    (hidden / "a").symlink_to(world / "outside")
    out(tar(member("keys", b"after"), member("a/keys", b"after")), world)
    assert (target / "keys").read_bytes() == (target / "a" / "keys").read_bytes() == b"after"
    assert not (target / "keys").is_symlink()
    assert not (target / "a").is_symlink()
    (world / "in" / "linked").symlink_to(world / "outside")
    with pytest.raises(UnsafeName, match="through a link"):
        safe_target(world / "in", "linked/results")
    assert (world / "outside" / "keys").read_text() == "before"


BOMBS = {
    "ratio": (packed(tar(member("zeros", bytes(40 * MIB)))), {}),
    "ratio in a refused member": (packed(tar(member("/zeros", bytes(40 * MIB)))), {}),
    "ratio behind the end": (packed(tar(GOOD) + bytes(40 * MIB)), {}),
    "total-bytes": (tar(member("one", b"1" * MIB), member("two", b"2" * MIB)), {"total_bytes": 2 * MIB}),
    "total-bytes as it says itself": (tar(member("huge", size=10**15)), {}),
    "entries": (tar(*(member(str(number)) for number in range(11))), {"entries": 10}),
    "entries that are refused": (tar(*(member(f"/{number}") for number in range(11))), {"entries": 10}),
}


@pytest.mark.fault("EX13")
@pytest.mark.parametrize("rule", BOMBS)
def test_a_bomb_is_stopped_by_the_budget_whatever_the_policy(world, rule):
    archive, limits = BOMBS[rule]
    with pytest.raises(UnsafeArchive, match=rf"over the budget \({rule.split()[0]}\)"):
        out(archive, world, on_bad_member="skip", budget=UnpackBudget(**limits))
    assert all_of(world) == CLEAN


def test_an_archive_in_an_archive_stays_one(world):
    inner = packed(tar(member("deeper", b"x" * MIB)))
    done = out(tar(member("inner.tar.gz", inner)), world)
    assert [file.path for file in done.files] == ["inner.tar.gz"]


def test_a_zip_bomb_is_stopped_too(world):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(40 * MIB))
    with pytest.raises(UnsafeArchive, match="ratio"):
        out(raw.getvalue(), world)


def test_a_header_that_would_fill_the_memory_is_damaged(world):
    huge = tarfile.TarInfo("././@LongLink")
    huge.type, huge.size = tarfile.GNUTYPE_LONGNAME, 10**12
    with pytest.raises(Damaged, match="a header of 1000000000000 bytes"):
        out(huge.tobuf(tarfile.GNU_FORMAT) + bytes(2048), world)


def test_headers_of_extensions_are_members_to_the_budget(world):
    header = member("././@PaxHeader", b"9 path=x\n", kind=tarfile.XHDTYPE, form=tarfile.USTAR_FORMAT)
    with pytest.raises(UnsafeArchive, match="entries"):
        out(tar(*[header] * 30, GOOD), world, budget=UnpackBudget(entries=20))


@pytest.mark.parametrize("size", [-512, -1, -(10**12)])
def test_a_negative_size_does_not_lead_back(world, size):
    # CVE-2025-8194: a reader that moves by it would never end.
    header = bytearray(member("back", form=tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 4 + struct.pack(">q", size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    with pytest.raises(Damaged, match="negative size"):
        out(tar(bytes(header)), world)


@pytest.mark.parametrize("records", [b"99 path=x\n", b"x path=x\n", b"9 path=x", b"0 \n", b"-9 path=x\n",
                                     b"6 path\n"])  # fmt: skip
def test_pax_records_that_cannot_be_read_are_damaged(world, records):
    header = member("././@PaxHeader", records, kind=tarfile.XHDTYPE, form=tarfile.USTAR_FORMAT)
    with pytest.raises(Damaged, match="pax records"):
        out(tar(header, GOOD), world)


@pytest.mark.parametrize("size", ["-1", "1e3", "", "9" * 30, "٣"])
def test_a_size_that_is_no_number_is_damaged(world, size):
    with pytest.raises(Damaged, match="no number"):
        out(tar(member("x", b"", pax_headers={"size": size})), world)


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="ratio"):
        UnpackBudget(ratio=0)


@given(st.binary(max_size=3000))
def test_whatever_the_bytes_are_nothing_but_our_errors_come_of_them(tmp_path_factory, noise):
    world = tmp_path_factory.mktemp("noise")
    for archive in (noise, packed(noise), b"PK\x03\x04" + noise, tar(GOOD, noise)):
        with pytest.raises((Damaged, UnsafeArchive)):
            out(archive + b"x", world)
    assert all_of(world) == ["in"]


@given(st.binary(min_size=1, max_size=40), st.integers(0, 511))
def test_a_header_with_other_bytes_in_it_harms_nothing(tmp_path_factory, noise, place):
    world = tmp_path_factory.mktemp("header")
    header = bytearray(member("name", b"content", form=tarfile.GNU_FORMAT))
    header[place : place + len(noise)] = noise[: 512 - place]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    try:
        out(tar(GOOD, bytes(header[:1024])), world, on_bad_member="skip")
    except (Damaged, UnsafeArchive):
        return
    assert all(
        path.resolve().is_relative_to(world / "in" / "results") for path in (world / "in" / "results").rglob("*")
    )


@given(st.text(max_size=30) | st.text("./\\:aC\0\n", max_size=12))
@example("../../x")
@example("C:\\x")
@example("")
@example("a" * 300 + ".tar.gz")
@example("\ud800")
@example("/".join("b" * 200 for _ in range(30)))
def test_a_tamed_name_breaks_no_rule_and_a_good_one_stays(name):
    tamed = tame_name(name, "unnamed")
    assert broken_rule(tamed) is None
    assert not any(part.startswith(".") for part in tamed.split("/"))
    plain = all(
        part.strip() and part[0] != "." and len(part.encode("utf-8", "replace")) <= 200 for part in name.split("/")
    )
    if broken_rule(name) is None and plain and len(name) < 1000:
        assert tamed == name
