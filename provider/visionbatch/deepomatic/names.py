"""What names may be, and what the name of a photo says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from visionbatch.deepomatic.rulebook import finding
from visionbatch.model.finding import Finding, Severity

DOCUMENTS = ("metadata.json", "parameters.json")
"""The documents of a work order, in the order of the vendor's tree."""

PHOTO_EXTENSIONS = frozenset({"jpg", "jpeg", "png"})
"""From Deepomatic's page on the format of a batch, which does not speak of case."""

MAX_NAME_BYTES = 255
"""What one name may take on ext4, XFS, APFS and NTFS, on one of which every archive ends."""

_ARCHIVE_EXTENSIONS = frozenset({"zip", "7z", "rar", "tar", "tgz", "gz", "bz2", "xz", "zst"})
_WORK_ORDER = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NUMBERED = re.compile(r"(.*)-([0-9]+)", re.DOTALL)
_NOT_ON_WINDOWS = frozenset('<>:"|?*')
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
_TURNS_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def same_name(name: str) -> str:
    """A key that is equal for names that differ only in case or Unicode normalisation.

    macOS hands out decomposed names, and many file systems ignore case: names with the same key fall
    onto each other there.
    """
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", folded)


def extension(name: str) -> str:
    """The part after the last dot, in lower case."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_photo(name: str) -> bool:
    """Whether the extension is one of a photo."""
    return extension(name) in PHOTO_EXTENSIONS


def is_archive(name: str) -> bool:
    """Whether the extension is one of an archive, which nobody unpacks on the other side."""
    return extension(name) in _ARCHIVE_EXTENSIONS


def name_findings(path: str, name: str) -> Iterator[Finding]:
    """What is wrong with one name as such, whatever it names."""
    return (finding(rule, path, message) for rule, message in _flaws(name))


def work_order_findings(name: str) -> Iterator[Finding]:
    """What is wrong with the name of a work order.

    An invalid name is one finding, with the worst flaw in its message: the rule forbids all the rest.
    """
    flaws = list(_flaws(name))
    if _WORK_ORDER.fullmatch(name):
        yield from (finding(rule, name, message) for rule, message in flaws)
        return
    yield finding("work-order-name", name, flaws[0][1] if flaws else _foreign_characters(name))


def _foreign_characters(name: str) -> str:
    if len(name) > 128:
        return f"the name has {len(name)} characters"
    foreign = sorted({char for char in name if not _WORK_ORDER.fullmatch(char)})
    return f"the name holds {', '.join(ascii(char) for char in foreign[:5])}"


def _flaws(name: str) -> Iterator[tuple[str, str]]:
    """Rule and message for each flaw, errors first."""
    if name in {"", ".", ".."} or any(char in "/\\" or _is_control(char) for char in name):
        yield "name-unsafe", f"the name {name[:40]!a} is empty, dots, or holds / \\ or controls"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        yield "name-not-utf8", "the name is not UTF-8"
    else:
        if length > MAX_NAME_BYTES:
            yield "name-too-long", f"the name has {length} bytes"
    if turning := _TURNS_DIRECTION.intersection(name):
        yield "name-direction", f"the name holds {', '.join(sorted(map(ascii, turning)))}"
    if why := _not_portable(name):
        yield "name-not-portable", why


def _is_control(char: str) -> bool:
    # Zl and Zp end a line in logs just as a newline does; Cf must pass, for emoji are joined by it.
    return unicodedata.category(char) in {"Cc", "Zl", "Zp"}


def _not_portable(name: str) -> str:
    if forbidden := _NOT_ON_WINDOWS.intersection(name):
        return f"the name holds {' '.join(sorted(forbidden))}"
    if name.endswith((".", " ")):
        return "the name ends with a dot or a space"
    if name.partition(".")[0].rstrip().lower() in _DEVICES:
        return "the name is that of a device on Windows"
    return ""


@dataclass(frozen=True)
class PhotoName:
    """The two things that a photo's name says.

    :param group: the task group.
    :param number: its place in the processing order of the work order; ``None`` is after all numbers.
    """

    group: str
    number: int | None

    def place(self, name: str) -> tuple[bool, int, str]:
        """Sort key in the processing order; ties, of which nothing is documented, go by name."""
        return (self.number is None, self.number or 0, name)


def parse_photo(name: str, groups: Collection[str] | None) -> PhotoName:
    """Take a photo's name apart, as on Deepomatic's page on work order batch processing.

    Task groups have hyphens and digits of their own, so a stem that is wholly a known group has no
    number; only then does a final ``-<digits>`` count.
    """
    stem = name.rpartition(".")[0]
    match = _NUMBERED.fullmatch(stem)
    if match is None or (groups is not None and stem in groups):
        return PhotoName(stem, None)
    return PhotoName(match[1], int(match[2]))


def photo_findings(path: str, photo: PhotoName, groups: Collection[str] | None) -> Iterator[Finding]:
    """What is wrong with a photo's task group or number."""
    if not photo.group:
        yield finding("photo-name", path, "there is no task group before the number")
    elif groups is None:
        yield from _doubtful_suffix(path, photo)
    elif photo.group not in groups:
        yield _unknown_group(path, photo, groups)


def _doubtful_suffix(path: str, photo: PhotoName) -> Iterator[Finding]:
    _, hyphen, tail = photo.group.rpartition("-")
    looks_like_one = photo.number is None and tail[:1] in set("0123456789")
    if hyphen and (not tail or looks_like_one):
        message = f"{photo.group!r} is taken for the task group, as {tail!r} is not a number"
        yield finding("photo-suffix", path, message)


def _unknown_group(path: str, photo: PhotoName, groups: Collection[str]) -> Finding:
    before = photo.group.rpartition("-")[0].rstrip("-")
    if before in groups:
        # With the list at hand this is no longer a doubt: no reading of the name gives a known group.
        message = f"what follows the task group {before!r} is not a number"
        return finding("photo-suffix", path, message, Severity.ERROR)
    alike = [group for group in groups if same_name(group) == same_name(photo.group)]
    known = f"; did you mean {alike[0]!r}, in this spelling?" if alike else ""
    return finding("unknown-task-group", path, f"there is no task group {photo.group!r}{known}")
