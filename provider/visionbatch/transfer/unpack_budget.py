"""How much an archive may become: a bomb is told by what it costs, while it is unpacked and before the disk is full."""

from __future__ import annotations

from dataclasses import dataclass

from visionbatch.config import MIB
from visionbatch.errors import ConfigError, UnsafeArchive

GIB = 1024 * MIB


@dataclass(frozen=True)
class UnpackBudget:
    """Limits on one archive. An archive inside it is a file like any other: it is never unpacked itself.

    :param total_bytes: unpacked, headers and refused members included.
    :param entries: members of any kind.
    :param ratio: unpacked to packed bytes, once ``small_bytes`` have been unpacked. Results in JSON shrink to a tenth
        or a fiftieth; gzip cannot pass about 1000.
    :param small_bytes: below this the ratio does not matter.
    :param depth: folders inside folders.
    """

    total_bytes: int = 256 * GIB
    entries: int = 200_000
    ratio: int = 200
    small_bytes: int = 16 * MIB
    depth: int = 32

    def __post_init__(self) -> None:
        for name in ("total_bytes", "entries", "ratio", "depth"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be greater than 0")


class Spending:
    """What has been spent of a budget.

    :param archive: what to call it in messages.
    """

    def __init__(self, budget: UnpackBudget, archive: str) -> None:
        self._budget = budget
        self._archive = archive
        self._packed = self._unpacked = self._entries = 0

    def packed(self, count: int) -> None:
        """Bytes of the archive itself that were read."""
        self._packed += count

    def unpacked(self, count: int) -> None:
        """Bytes that came out.

        :raises UnsafeArchive: beyond the budget.
        """
        self._unpacked += count
        budget = self._budget
        if self._unpacked > budget.total_bytes:
            raise self._spent("total-bytes", f"more than {budget.total_bytes} bytes come out of it")
        if self._unpacked > max(budget.small_bytes, budget.ratio * self._packed):
            raise self._spent("ratio", f"more than {budget.ratio} bytes come out of one")

    def entry(self, name: str, size: int) -> None:
        """A member that says that it has so many bytes.

        :raises UnsafeArchive: beyond the budget.
        """
        self._entries += 1
        if self._entries > self._budget.entries:
            raise self._spent("entries", f"it has more than {self._budget.entries} members")
        if self._unpacked + size > self._budget.total_bytes:
            raise self._spent("total-bytes", f"with {name!r} more than {self._budget.total_bytes} bytes come out of it")

    def too_deep(self, name: str) -> bool:
        """Whether a name has too many folders inside folders."""
        return name.count("/") > self._budget.depth

    def _spent(self, rule: str, reason: str) -> UnsafeArchive:
        return UnsafeArchive(f"{self._archive} is over the budget ({rule}): {reason}; nothing of it was kept")
