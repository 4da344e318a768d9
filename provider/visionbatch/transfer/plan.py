"""The list of what goes into an archive: paths, sizes, and an identity."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator

from visionbatch.model.tree import Member


class Plan:
    """Members in archive order, in columns: some 50 bytes each, so that half a million stay below 50 MB.

    :param name: what to call the archive.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._paths = bytearray()
        self._path_ends = array("Q")
        self._sizes = array("Q")
        self._digest = hashlib.sha256(b"tree:")

    def add(self, member: Member) -> None:
        """Append one member."""
        path = member.path.encode()
        self._paths += path
        self._path_ends.append(len(self._paths))
        self._sizes.append(member.size)
        # Lengths in front keep two different lists from hashing alike.
        lengths = (len(path), member.size, len(member.head))
        self._digest.update(b"%d:%d:%d:%b%b" % (*lengths, path, member.head))

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Paths in UTF-8, and sizes."""
        return map(self.member, range(len(self._sizes)))

    def member(self, index: int) -> tuple[bytes, int]:
        """Path in UTF-8 and size of one member."""
        start = self._path_ends[index - 1] if index else 0
        return bytes(self._paths[start : self._path_ends[index]]), self._sizes[index]

    def size(self, index: int) -> int:
        """Bytes of one member."""
        return self._sizes[index]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over paths, sizes and the first 4 KiB of every member, in hexadecimal.

        Times and inodes are left out on purpose: a copy of the folder on another machine has the same identity. What
        4 KiB do not show, the running CRC-32C of the upload does.
        """
        return self._digest.hexdigest()
