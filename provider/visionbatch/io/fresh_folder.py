"""A folder that is filled out of sight and then takes its name in one step: it shows the old set, or the whole new one.

Nobody else can have put a link or a file where this writes: the folder is new, and open to this user alone until it is
published.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from visionbatch.errors import AlreadyRunning, UnsafeName
from visionbatch.io.closing import Closable
from visionbatch.io.partial import hidden_name

NOTE = ".unpacked.json"
"""Name of the file by which a published folder is known as one: no other folder is ever replaced."""

_AT_FDCWD = -100
_EXCHANGE = 2


class FreshFolder(Closable):
    """Use as a context manager; what was not published by then is gone.

    :param target: where it shall be. Its own parts above it are the caller's to check.
    :raises UnsafeName: when a link, a file, or a folder that was not made here is in its place.
    :raises AlreadyRunning: when another process fills it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(hidden_name(target.name, "unpacking"))
        self._old = target.with_name(hidden_name(target.name, "replaced"))
        target.parent.mkdir(parents=True, exist_ok=True)
        self._handle = self._held()
        try:
            self._recover()
            self._check()
            _empty(self.path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove what was not published, and let go."""
        if self._handle >= 0:
            if not self._published():
                shutil.rmtree(self.path, ignore_errors=True)
            handle, self._handle = self._handle, -1
            os.close(handle)

    def publish(self) -> None:
        """Put it in its place; what was there before goes."""
        self.path.chmod(self.target.parent.stat().st_mode & 0o777)
        if not self.target.exists():
            self.path.rename(self.target)
        elif _exchanged(self.path, self.target):
            shutil.rmtree(self.path)
        else:
            self.target.rename(self._old)
            self.path.rename(self.target)
            shutil.rmtree(self._old)

    def _held(self) -> int:
        """The hidden folder, open and kept for this process; the lock goes with the process."""
        while True:
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            try:
                handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise UnsafeName(f"{self.path} is in the way: {error.strerror}") from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    # Who held it before may have published or removed it.
                    if os.path.samestat(os.fstat(handle), self.path.lstat()):
                        return handle
            except BlockingIOError:
                os.close(handle)
                raise AlreadyRunning(f"another process is unpacking into {self.target}") from None
            os.close(handle)

    def _recover(self) -> None:
        """Put back what a kill between two renames has left aside."""
        if self._old.is_dir() and not self._old.is_symlink():
            if self.target.exists():
                shutil.rmtree(self._old)
            else:
                self._old.rename(self.target)

    def _check(self) -> None:
        if self.target.is_symlink():
            raise UnsafeName(f"{self.target} is a link, and is not followed")
        if not self.target.exists():
            return
        if not self.target.is_dir():
            raise UnsafeName(f"{self.target} is a file where a folder shall be")
        if not (self.target / NOTE).is_file() and any(self.target.iterdir()):
            raise UnsafeName(f"{self.target} holds what was not unpacked here, and is not replaced")

    def _published(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._handle), self.target.lstat())
        except FileNotFoundError:
            return False


def _empty(folder: Path) -> None:
    folder.chmod(0o700)
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _exchanged(one: Path, other: Path) -> bool:
    """Let two folders swap names in one step; false where the system or the disk cannot."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    if exchange is None:
        return False
    return bool(exchange(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)
