"""Unpacking archives that somebody else has made: bounded, below one folder, and whole or not at all.

Never `tarfile.extract` or its like: what a member is called and what it is are judged here, and every file is new,
in a folder that nobody else can write to (`visionbatch.io.fresh_folder`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from visionbatch.config import KIB, MIB
from visionbatch.errors import Damaged, NoRoom, UnsafeArchive
from visionbatch.io.disk import FULL, RESERVE_BYTES
from visionbatch.io.fresh_folder import NOTE, FreshFolder
from visionbatch.model.policy import OnBadMember
from visionbatch.model.safe_names import PATH_BYTES, NameRule, broken_rule
from visionbatch.model.text import printable
from visionbatch.transfer.archive_members import Member, MemberKind
from visionbatch.transfer.archive_stream import ArchiveStream
from visionbatch.transfer.tar_reader import TarReader
from visionbatch.transfer.unpack_budget import Spending, UnpackBudget
from visionbatch.transfer.zip_reader import ZipReader

READ_BYTES = 256 * KIB
REFUSED_SHOWN = 1000
"""Refused members that are named; the others are counted."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TWICE, _RESERVED, _DEPTH = "twice", "reserved", "too-deep"


@dataclass(frozen=True)
class UnpackedFile:
    """A file that came out.

    :param path: below the folder, with ``/`` between its parts.
    """

    path: str
    size: int
    crc32c: int


@dataclass(frozen=True)
class RefusedMember:
    """A member that was left out.

    :param rule: a `NameRule`, a `MemberKind`, ``twice``, ``too-deep`` or ``reserved``.
    """

    name: str
    rule: str


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive.

    :param files: in the order of the archive.
    :param refused: the first of the members that were left out.
    :param refused_count: all of them.
    """

    folder: Path
    files: tuple[UnpackedFile, ...]
    refused: tuple[RefusedMember, ...] = ()
    refused_count: int = 0


def unpack(
    archive: BinaryIO,
    target: Path,
    *,
    name: str = "the archive",
    on_bad_member: str = OnBadMember.FAIL,
    budget: UnpackBudget | None = None,
    expected_files: int | None = None,
) -> Unpacked:
    """Unpack a tar, a gzipped tar or a zip, which its first bytes say, into a folder of its own.

    The folder shows what it held before, or all of the archive. One that an earlier unpacking made is replaced, any
    other must be empty or absent. Links and devices, absolute names and those that lead up are never unpacked. Rights,
    owners and times are not taken over.

    :param archive: read once from its beginning; a zip must be seekable.
    :param target: the folder.
    :param name: what to call the archive in messages.
    :param on_bad_member: ``fail``, or ``skip`` to leave such members out and go on.
    :param expected_files: files that it should have, where somebody knows.
    :raises UnsafeArchive: for a bad member, whose name and rule it tells, or when it is over the budget.
    :raises Damaged: when it is cut, also between two members, or damaged, or has another number of files.
    :raises NoRoom: when the disk is, or would be, full.
    :raises UnsafeName: when something else is in the target's place.
    :raises AlreadyRunning: when another process unpacks there.
    """
    work = _Unpacking(printable(name, 200), OnBadMember(on_bad_member), budget or UnpackBudget())
    with FreshFolder(target) as fresh:
        done = work.into(fresh.path, archive, target)
        if expected_files not in (None, len(done.files) + done.refused_count):
            raise Damaged(f"{work.name} has {len(done.files) + done.refused_count} files, {expected_files} should be")
        fresh.publish()
    return done


class _Unpacking:
    """One archive on its way out."""

    def __init__(self, name: str, on_bad_member: OnBadMember, budget: UnpackBudget) -> None:
        self.name = name
        self._on_bad_member = on_bad_member
        self._spending = Spending(budget, name)
        self._refused: list[RefusedMember] = []
        self._refused_count = 0

    def into(self, folder: Path, archive: BinaryIO, target: Path) -> Unpacked:
        """Fill an empty folder.

        :param target: what it will be called.
        """
        files: list[UnpackedFile] = []
        room = PATH_BYTES - len(os.fsencode(folder.absolute())) - 1
        for member in self._members(archive):
            path = _plain(member)
            self._spending.entry(printable(member.name, 200), member.size)
            rule = self._broken(member, path, room)
            if rule is None and path:
                done = self._written(folder, path, member)
                rule = _TWICE if done is None else None
                files += [done] if isinstance(done, UnpackedFile) else []
            if rule is not None:
                self._refuse(member, rule)
        note = {"archive": self.name, "files": len(files), "refused": self._refused_count}
        with self._room(target):
            (folder / NOTE).write_text(json.dumps(note) + "\n")
        return Unpacked(target, tuple(files), tuple(self._refused), self._refused_count)

    def _members(self, archive: BinaryIO) -> Iterator[Member]:
        stream = ArchiveStream(archive, self._spending, self.name)
        if stream.head.startswith(_ZIP):
            # Its readers jump to and fro, so what it has is known at once, and not from what was read.
            archive.seek(0, os.SEEK_END)
            self._spending.packed(archive.tell())
            return ZipReader(archive, self._spending, self.name).members()
        return TarReader(stream.expanded(), self._spending, self.name).members()

    def _broken(self, member: Member, path: str, room: int) -> str | None:
        """The rule that a member breaks."""
        if member.kind not in (MemberKind.FILE, MemberKind.FOLDER):
            return member.kind
        if not path:
            return None if member.kind is MemberKind.FOLDER else NameRule.EMPTY_PART
        if (rule := broken_rule(path)) is not None:
            return rule
        if len(path.encode()) > room:
            return NameRule.TOO_LONG
        if self._spending.too_deep(path):
            return _DEPTH
        return _RESERVED if path.partition("/")[0] == NOTE else None

    def _refuse(self, member: Member, rule: str) -> None:
        name = printable(member.name, 200)
        if self._on_bad_member is OnBadMember.FAIL:
            raise UnsafeArchive(f"{self.name} has the member {name!r}, which breaks the rule {rule}; nothing was kept")
        self._refused_count += 1
        if len(self._refused) < REFUSED_SHOWN:
            self._refused.append(RefusedMember(name, rule))

    def _written(self, folder: Path, path: str, member: Member) -> UnpackedFile | Path | None:
        """The file, or folder, that was made; ``None`` when its name is taken."""
        with self._room(folder):
            place = folder / path
            try:
                if member.kind is MemberKind.FOLDER:
                    place.mkdir(parents=True, exist_ok=True)
                    return place
                handle = _new_file(place)
            except (FileExistsError, NotADirectoryError):
                return None
            with open(handle, "wb", buffering=0) as file:  # noqa: PTH123  # a handle, opened so that it is new
                if member.size > MIB and member.size + RESERVE_BYTES > shutil.disk_usage(folder).free:
                    raise NoRoom(f"no room for {member.size} bytes of {self.name}", total=member.size)
                crc32c = self._copied(member, file.fileno())
            return UnpackedFile(path, member.size, crc32c)

    def _copied(self, member: Member, handle: int) -> int:
        crc32c = count = 0
        while block := member.body.read(READ_BYTES):
            count += len(block)
            crc32c = google_crc32c.extend(crc32c, block)
            left = memoryview(block)
            while left:
                left = left[os.write(handle, left) :]
        if count != member.size:
            raise Damaged(f"{self.name}: a member has {count} bytes, {member.size} should be")
        return crc32c

    @contextmanager
    def _room(self, place: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise NoRoom(f"no room to unpack {self.name} at {place.parent} ({error.strerror})") from error
            raise


def _plain(member: Member) -> str:
    """A member's name without the ``./`` before it, and the slash that a folder has behind it."""
    name = member.name
    while name.startswith("./"):
        name = name[2:]
    if member.kind is MemberKind.FOLDER:
        name = name[:-1] if name.endswith("/") else name
        return "" if name == "." else name
    return name


def _new_file(place: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(place, flags, 0o666)
    except FileNotFoundError:
        place.parent.mkdir(parents=True, exist_ok=True)
        return os.open(place, flags, 0o666)
