"""Which files of a folder are images or videos, and what they are called in a batch, where there are no folders."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

from visionbatch.errors import InvalidInput
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.litter import litter_kind
from visionbatch.model.text import printable
from visionbatch.model.texts import Texts
from visionbatch.model.tree import HEAD_BYTES, Kind, Member, Tree
from visionbatch.roboflow.batch_names import BatchNames

FINDINGS_KEPT = 1000
NAME_BYTES = 255
"""What a file's name may have on the disks that results are unpacked to."""

_MARK_BYTES = 16

_MAGIC = (
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"BM"),
    (8, b"WEBP"),
    (4, b"jP  \r\n\x87\n"),  # JPEG 2000
    (0, b"\xff\x4f\xff\x51"),  # its bare stream
)


class Media(StrEnum):
    """What is looked for."""

    IMAGES = "images"
    VIDEOS = "videos"

    @property
    def extensions(self) -> frozenset[str]:
        """Extensions that the vendor's client takes."""
        return _EXTENSIONS[self]


_EXTENSIONS = {
    Media.IMAGES: frozenset(["bmp", "dib", "jpeg", "jpg", "jpe", "jp2", "png", "webp"]),
    Media.VIDEOS: frozenset(
        [
            "mp4",
            "m4a",
            "m4p",
            "m4b",
            "m4r",
            "m4v",
            "avi",
            "mov",
            "mkv",
            "flv",
            "wmv",
            "mpeg",
            "mpg",
            "3gp",
            "webm",
            "ogg",
        ]
    ),
}


@dataclass
class Collection:
    """The images or videos of a folder, in the order of their paths; some seventy bytes for each.

    :param sizes: bytes of each.
    :param renamed: how many are called otherwise in the batch than in the source.
    :param skipped: what was left out, by reason.
    """

    location: str
    paths: Texts = field(default_factory=Texts, repr=False)
    sizes: array[int] = field(default_factory=lambda: array("Q"), repr=False)
    marks: bytearray = field(default_factory=bytearray, repr=False)
    renamed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    refused: int = 0

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(self.sizes)

    @cached_property
    def _names(self) -> BatchNames:
        return BatchNames(lambda: self.paths)

    def name(self, index: int) -> str:
        """What one is called in the batch.

        :raises InvalidInput: see `visionbatch.roboflow.batch_names.BatchNames`.
        """
        return self.called(self.paths[index])

    def called(self, path: str) -> str:
        """The same, by its path."""
        return self._names.name(path)

    def members(self) -> Iterator[Member]:
        """Each under its name in the batch, with a hash of its head."""
        for index, size in enumerate(self.sizes):
            mark = self.marks[index * _MARK_BYTES : (index + 1) * _MARK_BYTES]
            yield Member(self.name(index), size, bytes(mark))

    def origins(self, indexes: Iterable[int] | None = None) -> Iterator[tuple[str, str]]:
        """Names in the batch and paths in the source of those, of all or of some, that are called otherwise."""
        for index in range(len(self)) if indexes is None else indexes:
            path = self.paths[index]
            if (name := self._names.name(path)) != path:
                yield name, path

    def require(self) -> None:
        """Refuse what cannot be sent.

        :raises InvalidInput: with the findings; nothing was sent.
        """
        if self.refused:
            raise InvalidInput(f"{self.location} was refused: {self.refused} errors", findings=self.findings)
        if not self.sizes:
            left = ", ".join(f"{count} x {reason}" for reason, count in sorted(self.skipped.items()))
            raise InvalidInput(f"{self.location} holds nothing to send; left out: {left or 'nothing'}")

    def refuse(self, rule: str, path: str, message: str, hint: str) -> None:
        """Count a file that cannot be sent."""
        self.refused += 1
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(Finding(rule, Severity.ERROR, path, message, hint))


def survey(tree: Tree, media: Media, most_bytes: int = 0) -> Collection:
    """Look at a folder and all below it; nothing is sent.

    :param most_bytes: of one file; 0 for no limit.
    :raises OSError: when the folder cannot be listed.
    """
    found = Collection(tree.location)
    extensions = media.extensions
    for path, size in _files(tree, "", found.skipped):
        if path.rpartition(".")[2].lower() in extensions:
            found.paths.append(path)
            found.sizes.append(size)
        else:
            found.skipped[f"not {media} by its extension"] += 1
    for path, size in zip(found.paths, found.sizes, strict=True):
        name = found.called(path)
        found.marks += _looked_at(tree, path, name, size, media, most_bytes, found)
        found.renamed += name != path
    return found


def _files(tree: Tree, folder: str, skipped: Counter[str]) -> Iterator[tuple[str, int]]:
    for entry in tree.entries(folder):
        path = f"{folder}/{entry.name}" if folder else entry.name
        if kind := litter_kind(entry.name):
            skipped[kind] += 1
        elif entry.kind is Kind.FOLDER:
            yield from _files(tree, path, skipped)
        elif entry.kind is Kind.FILE:
            yield path, entry.size
        else:
            skipped[f"{entry.kind}, which is not followed"] += 1


def _looked_at(tree: Tree, path: str, name: str, size: int, media: Media, most_bytes: int, found: Collection) -> bytes:
    """A hash of the file's head; what is wrong with the file is noted."""
    if problem := _name_problem(name):
        found.refuse("file-name", printable(path), problem, "Rename it.")
    if size == 0:
        found.refuse("file-empty", path, "the file is empty", "Leave it out.")
    if 0 < most_bytes < size:
        found.refuse("file-size", path, f"{size} bytes, {most_bytes} are the most", "Make it smaller, or leave it out.")
    head = tree.read(path, min(size, HEAD_BYTES))[:HEAD_BYTES]
    if head and media is Media.IMAGES and not is_image(head):
        found.refuse("image-content", path, "by its first bytes it is no image that the service takes", "Leave it out.")
    return blake2b(head, digest_size=_MARK_BYTES).digest()


def _name_problem(name: str) -> str:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if "\\" in name or not name.isprintable():
        return "the name holds a backslash or a control character"
    return f"the name has {length} bytes, {NAME_BYTES} are the most" if length > NAME_BYTES else ""


def is_image(head: bytes) -> bool:
    """Whether the first bytes are those of a format behind one of the extensions."""
    return any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)
