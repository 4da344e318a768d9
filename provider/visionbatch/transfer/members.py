"""Members' bytes for a computed archive: read as they were planned, or refused, and collected into blocks."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator

from visionbatch.config import MIB
from visionbatch.errors import InputChanged
from visionbatch.model.tree import Tree

_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EACCES, errno.EPERM})
"""Answers that are about the file: it is gone, is another thing, or is forbidden. Anything else is a disk or a network
drive in trouble, which may pass; taken for a change, it would cost the batch."""


def read_whole(tree: Tree, path: str, size: int) -> bytes:
    """A member's bytes.

    :param size: as planned.
    :raises InputChanged: when there are more or fewer, or it can no longer be read.
    :raises OSError: for a trouble that may pass.
    """
    try:
        content = tree.read(path, size)
    except OSError as error:
        _complain(path, error)
        raise
    if len(content) != size:
        raise _another_size(path, len(content), size)
    return content


def read_part(tree: Tree, path: str, size: int, start: int, stop: int) -> Iterator[bytes]:
    """A member's bytes between two positions, in pieces of 1 MiB at most.

    :param size: as planned.
    :raises InputChanged: when it ends before the second position, goes on behind its planned end, or can no longer be
        opened.
    :raises OSError: for a trouble that may pass.
    """
    try:
        file = tree.open(path, start)
    except OSError as error:
        _complain(path, error)
        raise
    with file:
        while start < stop:
            piece = file.read(min(MIB, stop - start))
            if not piece:
                raise _another_size(path, start, size)
            yield piece
            start += len(piece)
        if stop == size and file.read(1):
            raise _another_size(path, size + 1, size)


def skipped(pieces: Iterable[bytes], skip: int) -> Iterator[bytes]:
    """The pieces without the first ``skip`` of their bytes."""
    for piece in pieces:
        if skip < len(piece):
            yield piece[skip:] if skip else piece
        skip = max(skip - len(piece), 0)


def packed(pieces: Iterable[bytes], length: int, block_bytes: int) -> Iterator[bytes]:
    """The first ``length`` bytes in full blocks: twenty headers and photos are one system call, not forty."""
    held: list[memoryview] = []
    room = min(block_bytes, length)
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) >= room > 0:
            length -= min(block_bytes, length)
            yield b"".join([*held, rest[:room]])
            rest, held, room = rest[room:], [], min(block_bytes, length)
        if not room:
            return
        if rest:
            held.append(rest)
            room -= len(rest)
    if held:
        yield b"".join(held)


def _complain(path: str, error: OSError) -> None:
    """Tell a file that has changed from a disk in trouble.

    :raises InputChanged: unless the trouble may pass.
    """
    if error.errno in _CHANGED:
        raise InputChanged(f"{path} can no longer be read: {error.strerror or error}") from error


def _another_size(path: str, found: int, planned: int) -> InputChanged:
    return InputChanged(f"{path} is not what was planned: {found} bytes instead of {planned}")
