"""The files of a folder as members of an archive, for services that do not care how folders are named."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.errors import InvalidInput
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.text import printable
from visionbatch.model.tree import HEAD_BYTES, Entry, Kind, Member, Tree


def members(tree: Tree, folder: str = "") -> Iterator[Member]:
    """Every file at and below a folder, depth first, names in order.

    Names are compared by code points, so the order is the same on every machine and in every store.

    :raises InvalidInput: at the first link, pipe or device, none of which is ever opened, and at the first name that
        no archive can hold.
    :raises OSError: when a folder cannot be listed or a file cannot be read.
    """
    for entry in tree.entries(folder):
        path = f"{folder}/{entry.name}" if folder else entry.name
        _require(entry, path)
        if entry.kind is Kind.FOLDER:
            yield from members(tree, path)
        else:
            yield Member(path, entry.size, tree.read(path, min(entry.size, HEAD_BYTES))[:HEAD_BYTES])


def _require(entry: Entry, path: str) -> None:
    """The rules have the names that they have in the check of work orders."""
    if entry.kind is Kind.LINK:
        raise _refused("link", path, "this is a symbolic link")
    if entry.kind is Kind.OTHER:
        raise _refused("special-file", path, "this is a pipe, a socket or a device")
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise _refused("name-not-utf8", path, "the name is not UTF-8") from error


def _refused(rule: str, path: str, message: str) -> InvalidInput:
    finding = Finding(rule, Severity.ERROR, path, message, "Remove or rename it.")
    return InvalidInput(f"{printable(path)} cannot be sent [{rule}]", findings=[finding])
