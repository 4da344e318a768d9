"""The files of a folder as members of an archive, for services that do not care how folders are named."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.model.tree import HEAD_BYTES, Kind, Member, Tree


def members(tree: Tree, folder: str = "") -> Iterator[Member]:
    """Every plain file at and below a folder, depth first, names in order; links and devices are left out.

    Names are compared by code points, so the order is the same on every machine and in every store.

    :raises OSError: when a folder cannot be listed or a file cannot be read.
    """
    for entry in tree.entries(folder):
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.kind is Kind.FOLDER:
            yield from members(tree, path)
        elif entry.kind is Kind.FILE:
            with tree.open(path) as file:
                yield Member(path, entry.size, file.read(HEAD_BYTES))
