"""What all computed archives have in common: bytes that follow from a plan and the files, and are never written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from visionbatch.model.tree import Tree
from visionbatch.transfer.members import packed
from visionbatch.transfer.plan import Plan


class ComputedArchive(ABC):
    """The archive of a plan, as a `visionbatch.transfer.source.Source`.

    :param plan: members in the order the archive has them.
    :param tree: has the members' bytes.
    """

    def __init__(self, plan: Plan, tree: Tree) -> None:
        self._plan = plan
        self._tree = tree

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of the whole archive."""

    @property
    def summary_start(self) -> int:
        """See `visionbatch.transfer.source.Source.summary_start`."""
        return self.size

    @abstractmethod
    def _pieces(self, offset: int, stop: int) -> Iterator[bytes]:
        """The archive from an offset on, in pieces of any size; a large member ends with ``stop``."""

    @property
    def name(self) -> str:
        """The plan's name."""
        return self._plan.name

    @property
    def fingerprint(self) -> str:
        """The plan's identity."""
        return self._plan.fingerprint

    def verify(self) -> None:  # noqa: B027  # there is nothing to do, here and in all of them
        """Nothing to look at in advance: members are compared with the plan while they are read."""

    def blocks(self, offset: int, stop: int, block_bytes: int) -> Iterator[bytes]:
        """See `visionbatch.transfer.source.Source.blocks`."""
        return packed(self._pieces(offset, stop), stop - offset, block_bytes)

    def span(self, offset: int, stop: int) -> None:  # noqa: B027  # the same
        """There is no file that holds the archive."""
