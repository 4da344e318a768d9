"""How folders and photos of an archive are named, and the order in which photos are processed.

By the vendor's batch page a photo is `<task group>[-<number>].<extension>`, photos with a number go
first in ascending order, and those without come after. The numbers run over the whole folder.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

EXTENSIONS = frozenset({"jpg", "jpeg", "png"})
"""The extensions of the vendor's format page; case is not specified there, so any is taken."""

WORK_ORDER_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""The rule of the vendor's work-order page, assumed to hold for folders too."""

_SUFFIXED = re.compile(r"(?P<stem>.+)-(?P<number>\d+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class PhotoName:
    """A photo's file name taken apart; `number` is None without a suffix."""

    file: str
    task_group: str
    number: int | None
    extension: str

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Sort key of the processing order; equal numbers are ordered by name to be repeatable."""
        return (self.number is None, self.number or 0, self.file)


def split_extension(file: str) -> tuple[str, str]:
    """Stem and lower-case extension of a file name; the extension is empty without a dot."""
    stem, dot, extension = file.rpartition(".")
    return (stem, extension.lower()) if dot else (file, "")


def parse_photo_name(file: str, task_groups: Collection[str] | None = None) -> PhotoName | None:
    """The parts of a photo's name, or None when it names no known task group.

    Task groups may contain hyphens and digits themselves: a stem that is a known group has no
    suffix. Without a list of groups only a final `-<digits>` counts.
    """
    stem, extension = split_extension(file)
    if task_groups is not None and stem in task_groups:
        return PhotoName(file, stem, None, extension)
    match = _SUFFIXED.fullmatch(stem)
    group, number = (match["stem"], int(match["number"])) if match else (stem, None)
    if not group or (task_groups is not None and group not in task_groups):
        return None
    return PhotoName(file, group, number, extension)


def processing_order(photos: Iterable[PhotoName]) -> list[PhotoName]:
    """Photos in the order in which they are analysed."""
    return sorted(photos, key=lambda photo: photo.rank)
