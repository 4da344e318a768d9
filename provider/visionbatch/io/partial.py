"""A file on its way: ``.<name>.partial`` beside its target, and a note of what has arrived.

The final name appears in one step, when all is there. The note holds a CRC-32C of each span that was written, and who
goes on with a partial file reads the spans again: what a crash or another program did to them is found, and only
those are asked for again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import google_crc32c

from visionbatch.config import KIB, MIB
from visionbatch.errors import AlreadyRunning, NoRoom, UnsafeName
from visionbatch.io.closing import Closable
from visionbatch.io.disk import FULL, RESERVE_BYTES
from visionbatch.model.safe_names import NAME_BYTES, broken_rule
from visionbatch.model.text import printable

SCHEMA = 1
SMALL_BYTES = 1 * MIB
"""Files up to this are fetched whole again after a crash rather than noted: there may be many."""

CRC_BYTES = 64 * KIB
"""The checksum takes no buffer that can be written to; copies of this size stay in the processor's cache."""

Expand = Callable[[BinaryIO], Iterable[bytes]]
"""Makes of a file as it is stored the file that is wanted, in blocks."""

_AROUND = len(".partial.json") + len(".")


@dataclass
class Span:
    """A run of bytes; ``position`` is how far it has been written, ``crc32c`` covers what was."""

    start: int
    stop: int | None
    position: int
    crc32c: int = 0

    @property
    def length(self) -> int:
        """Bytes of it that have been written."""
        return self.position - self.start

    @classmethod
    def missing(cls, start: int, stop: int | None) -> Span:
        """One of which nothing has arrived."""
        return cls(start, stop, start)


def safe_target(folder: Path, name: str) -> Path:
    """The path of a name from outside, below a folder and nowhere else.

    :param name: with ``/`` between its parts.
    :raises UnsafeName: when it breaks a `NameRule`, or leads through a link out of the folder.
    """
    rule = broken_rule(name)
    if rule is not None:
        raise UnsafeName(f"the name {printable(name, 200)!r} {rule.reason}")
    target = folder.joinpath(*PurePosixPath(name).parts)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafeName(f"the name {printable(name, 200)!r} leads out of {folder} through a link")
    return target


class Partial(Closable):
    """One file on its way; use as a context manager, which leaves what has arrived for a later try.

    :param target: the final path; folders are made.
    :param version: mark of what is being fetched; what arrived of another version is forgotten. Empty when it is not
        known before the first answer, then the noted one holds.
    :param checkpoint_s: seconds between two notes.
    :raises AlreadyRunning: when another process fetches the same file.
    """

    def __init__(self, target: Path, version: str, *, checkpoint_s: float = 1.0) -> None:
        self.target = target
        self.version = version
        self.total: int | None = None
        self.spans: list[Span] = []
        self.kept = 0
        self._checkpoint_s = checkpoint_s
        self._path = target.with_name(hidden_name(target.name, "partial"))
        self._note = self._path.with_name(f"{self._path.name}.json")
        self._guard = threading.RLock()
        self._make_folder()
        self._handle = self._locked()
        self._saved = time.monotonic()
        self._resume()

    def close(self) -> None:
        """Note what has arrived, and let the file go."""
        if self._handle >= 0:
            if self.arrived or self._note.exists():
                self._save()
            self._let_go()

    @property
    def arrived(self) -> int:
        """Bytes that are there."""
        return sum(span.length for span in self.spans)

    def missing(self, total: int | None) -> list[Span]:
        """What is not there yet, in order; the last reaches to the end when that is not known."""
        found, position = [], 0
        for span in sorted(self.spans, key=lambda span: span.start):
            if span.start > position:
                found.append(Span.missing(position, span.start))
            position = max(position, span.position)
        if total is None or position < total:
            found.append(Span.missing(position, total))
        return found

    def write(self, span: Span, block: memoryview | bytes) -> None:
        """Put bytes where a span stands, and move it on by what could be written.

        :raises NoRoom: when the disk is full.
        """
        left = memoryview(block)
        while left:
            try:
                count = os.pwrite(self._handle, left, span.position)
            except OSError as error:
                raise self._failed(error) from error
            crc32c = span.crc32c
            for start in range(0, count, CRC_BYTES):
                crc32c = google_crc32c.extend(crc32c, bytes(left[start : min(start + CRC_BYTES, count)]))
            with self._guard:
                span.crc32c, span.position = crc32c, span.position + count
            left = left[count:]
        if time.monotonic() - self._saved >= self._checkpoint_s:
            self._save()

    def begin(self, total: int | None) -> int | None:
        """Say how many bytes there will be, if that is known; gives the number, which may be known from before."""
        self.total = self.total if total is None else total
        if self.total is None or self.total > SMALL_BYTES:
            # There has to be a note before the disk is full: one that is there can be written over.
            self._save()
        return self.total

    def reset(self, version: str = "") -> None:
        """Forget what has arrived."""
        self.spans, self.version, self.total = [], version, None
        self._note.unlink(missing_ok=True)
        self._cut(0)

    def finish(self, expand: Expand | None = None) -> int:
        """Give the file its final name, and its size.

        :param expand: makes the final file of what is stored, such as a compressed one; what it raises is passed on.
        :raises NoRoom: when what comes out of it does not fit on the disk.
        """
        self._cut(self.arrived)
        whole = self._expanded(expand) if expand is not None else self._path
        size = whole.stat().st_size
        whole.replace(self.target)
        self._let_go()
        for left in (self._note, self._path):
            left.unlink(missing_ok=True)
        return size

    def read(self, start: int, stop: int, block_bytes: int = MIB) -> Iterator[bytes]:
        """What has been written."""
        while start < stop and (block := os.pread(self._handle, min(block_bytes, stop - start), start)):
            yield block
            start += len(block)

    def _cut(self, size: int) -> None:
        # A file that was truncated is allocated when it is closed (ext4), which costs as much as the network did.
        if os.fstat(self._handle).st_size != size:
            os.ftruncate(self._handle, size)

    def _failed(self, error: OSError) -> Exception:
        if error.errno in FULL:
            wanted = f" of {self.total}" if self.total else ""
            return NoRoom(
                f"no room for {self.target} ({error.strerror}): {self.arrived}{wanted} bytes are there",
                persisted=self.arrived,
                total=self.total or 0,
            )
        return error

    def _make_folder(self) -> None:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def _locked(self) -> int:
        """The partial file, opened and held by this process alone; the lock goes with the process."""
        while True:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise self._failed(error) from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    # Who held it before may have given it its final name: then this handle is another's file.
                    if _same(handle, self._path):
                        return handle
            except BlockingIOError:
                os.close(handle)
                raise AlreadyRunning(f"another process is fetching {self.target}") from None
            os.close(handle)

    def _let_go(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _resume(self) -> None:
        noted = _noted(self._note)
        if noted is None or (self.version and noted.get("version") != self.version):
            self.reset(self.version)
            return
        self.version = str(noted.get("version", ""))
        self.total = noted["total"] if isinstance(noted.get("total"), int) else None
        self.spans = [span for span in _spans(noted.get("spans")) if self._intact(span)]
        self.kept = self.arrived

    def _intact(self, span: Span) -> bool:
        value = 0
        position = span.start
        for block in self.read(span.start, span.position):
            value = google_crc32c.extend(value, block)
            position += len(block)
        return (position, value) == (span.position, span.crc32c)

    def _save(self) -> None:
        """Write the note; where there is no room for another one, the one that is there is written over."""
        with self._guard:
            self._saved = time.monotonic()
            spans = [[span.start, span.position, span.crc32c] for span in self.spans if span.position > span.start]
            note = {"schema": SCHEMA, "version": self.version, "total": self.total, "spans": spans}
            text = json.dumps(note)
            fresh = self._note.with_name(f"{self._note.name}.new")
            try:
                fresh.write_text(text)
                fresh.replace(self._note)
            except OSError:
                fresh.unlink(missing_ok=True)
                with suppress(OSError), self._note.open("r+") as file:
                    file.write(text)
                    file.truncate()

    def _expanded(self, expand: Expand) -> Path:
        expanded = self._path.with_name(f"{self._path.name}.expanded")
        try:
            with expanded.open("wb") as file, self._path.open("rb") as stored:
                for block in expand(stored):
                    if file.tell() >= MIB and len(block) + RESERVE_BYTES > shutil.disk_usage(expanded.parent).free:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301  # as the disk says it
                    file.write(block)
        except BaseException as error:
            expanded.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise self._failed(error) from error
            raise
        return expanded


def hidden_name(name: str, what: str) -> str:
    """Hidden, so that no pattern takes it for a result; a name that leaves no room for the rest is hashed."""
    if len(name.encode()) > NAME_BYTES - _AROUND - len(".expanded.new"):
        name = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f".{name}.{what}"


def _same(handle: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(handle), path.stat())


def _noted(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_bytes()[: 64 * KIB * KIB]
        note = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and note.get("schema") == SCHEMA else None


def _spans(noted: Any) -> Iterator[Span]:
    """The noted spans that can be; they may not overlap."""
    position = 0
    for item in sorted((item for item in noted if _is_span(item)), key=lambda item: item[0]) if noted else ():
        start, stop, crc32c = item
        if position <= start < stop:
            position = stop
            yield Span(start, stop, stop, crc32c)


def _is_span(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 3 and all(type(number) is int and number >= 0 for number in item)
