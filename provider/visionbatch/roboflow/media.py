"""Which files of a folder are images or videos, and what they are called in a batch, where there are no folders."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b, sha256

from visionbatch.errors import InvalidInput
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.litter import litter_kind
from visionbatch.model.text import printable
from visionbatch.model.tree import HEAD_BYTES, Kind, Member, Tree

FINDINGS_KEPT = 1000
NAME_BYTES = 255
"""What a file's name may have on the disks that results are unpacked to."""

_MARK_BYTES = 16
_PREFIX_DIGITS = 8

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
    """The images or videos of a folder, in the order of their paths.

    :param sizes: bytes of each.
    :param origins: paths in the source of those that are called otherwise in the batch.
    :param skipped: what was left out, by reason.
    """

    location: str
    names: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    marks: list[bytes] = field(default_factory=list, repr=False)
    origins: dict[str, str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    refused: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(self.sizes)

    def members(self) -> Iterator[Member]:
        """Each under its name in the batch, with a hash of its head."""
        for name, size, mark in zip(self.names, self.sizes, self.marks, strict=True):
            yield Member(name, size, mark)

    def origin(self, name: str) -> str:
        """Path in the source."""
        return self.origins.get(name, name)

    def require(self) -> None:
        """Refuse what cannot be sent.

        :raises InvalidInput: with the findings; nothing was sent.
        """
        if self.refused:
            raise InvalidInput(f"{self.location} was refused: {self.refused} errors", findings=self.findings)
        if not self.names:
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
    files = [(path, size) for path, size in _files(tree, "", found.skipped) if _is_wanted(path, media, found.skipped)]
    names = batch_names([path for path, _ in files])
    for (path, size), name in zip(files, names, strict=True):
        mark = _looked_at(tree, path, name, size, media, most_bytes, found)
        found.names.append(name)
        found.sizes.append(size)
        found.marks.append(mark)
        if name != path:
            found.origins[name] = path
    return found


def batch_names(paths: Sequence[str]) -> list[str]:
    """What files are called where there are no folders: by their last name, those that share it with a prefix.

    The prefix comes from the path alone, so it is the same on every machine. Names that differ in case or in Unicode's
    form only count as the same, because results are unpacked to disks that take them for the same.

    :raises InvalidInput: in the unlikely case that a name with a prefix is taken too.
    """
    last = [path.rpartition("/")[2] for path in paths]
    count = Counter(map(_same, last))
    names = [
        name if count[_same(name)] == 1 else f"{_prefix(path)}-{name}" for path, name in zip(paths, last, strict=True)
    ]
    (taken, times), *_ = Counter(map(_same, names)).most_common(1) or [("", 0)]
    if times > 1:
        raise InvalidInput(f"several files would be called {printable(taken)} in the batch [file-name-twice]")
    return names


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _prefix(path: str) -> str:
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:_PREFIX_DIGITS]


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


def _is_wanted(path: str, media: Media, skipped: Counter[str]) -> bool:
    wanted = path.rpartition(".")[2].lower() in media.extensions
    if not wanted:
        skipped[f"not {media} by its extension"] += 1
    return wanted


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
