"""The archive of a shard, opened for real: from a tar on disk to images, rejections and a subscription.

Its members are read one at a time and up to their limit, whatever their headers claim. What an archive
may hold is by the vendor's pages and its client's code: images at the top level, and at most one
`notification_config.json`.
"""

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import google_crc32c

from visionbatch_mock.images import UnreadableImage, inspect
from visionbatch_mock.roboflow.files import Content, StagedFile
from visionbatch_mock.roboflow.settings import RoboflowBehaviour
from visionbatch_mock.roboflow.words import ContentType, Rejection

FORMATS = ("BMP", "DIB", "JPEG", "JPEG2000", "PNG", "WEBP")
"""What the extensions that the official client picks up stand for."""

NOTIFICATION_CONFIG = "notification_config.json"
MAX_CONFIG_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that does not count, and why."""

    type: Rejection
    file_name: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """The record as webhooks write it."""
        return {"type": self.type.value, "file_name": self.file_name, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where events of an ingest go; without categories the service sends those of `ingest-status`."""

    ingest_id: str
    url: str | None = None
    categories: tuple[str, ...] = ("ingest-status",)


@dataclass(slots=True)
class Found:
    """What became of the files of a shard; `failure` is set when all of it was refused."""

    files: list[StagedFile] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    failure: Rejected | None = None
    subscription: Subscription | None = None


def examine(path: Path, rules: RoboflowBehaviour) -> Found:
    """Everything that can be said of the archive at `path`."""
    found = Found()
    try:
        with tarfile.open(path, "r:") as archive, path.open("rb") as raw:
            for member in archive:
                _take(found, member, raw, path, rules)
                _check_number(found, rules)
                if found.failure is not None:
                    return found
    except (OSError, tarfile.TarError, EOFError, ValueError) as cause:
        found.failure = Rejected(Rejection.BROKEN_ARCHIVE, "", f"not an uncompressed tar archive: {cause}")
    return found


def is_image(content: bytes) -> str | None:
    """Why the bytes are no image that the service takes; None when they are one."""
    try:
        inspect(content, FORMATS)
    except UnreadableImage:
        return f"cannot be read as one of {', '.join(FORMATS)}"
    return None


def _take(found: Found, member: tarfile.TarInfo, raw: IO[bytes], path: Path, rules: RoboflowBehaviour) -> None:
    if member.name == NOTIFICATION_CONFIG:
        found.subscription = _subscription(_read(raw, member, MAX_CONFIG_BYTES))
        return
    refused = _refused(member, rules)
    content = b"" if refused else _read(raw, member, member.size)
    if refused is None and (problem := is_image(content)):
        refused = Rejection.NOT_AN_IMAGE, problem
    if refused:
        found.rejected.append(Rejected(refused[0], member.name, refused[1]))
    else:
        place = Content(path, member.offset_data, member.size, google_crc32c.value(content))
        found.files.append(StagedFile(member.name, ContentType.IMAGES, place))


def _refused(member: tarfile.TarInfo, rules: RoboflowBehaviour) -> tuple[Rejection, str] | None:
    if not member.isreg():
        return Rejection.NOT_A_FILE, "members are plain files"
    if "/" in member.name or "\\" in member.name or member.name in {"", ".", ".."}:
        return Rejection.BAD_NAME, "images lie at the top level of the archive"
    if member.size > rules.roboflow_max_image_bytes:
        return Rejection.TOO_LARGE, f"{member.size} bytes; the limit is {rules.roboflow_max_image_bytes}"
    return None


def _read(raw: IO[bytes], member: tarfile.TarInfo, limit: int) -> bytes:
    raw.seek(member.offset_data)
    content = raw.read(min(member.size, limit))
    if len(content) < min(member.size, limit):
        raise EOFError(f"{member.name} ends before its announced size")
    return content


def _check_number(found: Found, rules: RoboflowBehaviour) -> None:
    limit = rules.roboflow_max_images_in_archive
    if len(found.files) + len(found.rejected) > limit:
        found.files.clear()
        found.failure = Rejected(Rejection.TOO_MANY, "", f"an archive holds at most {limit} images")


def _subscription(content: bytes) -> Subscription | None:
    try:
        told = json.loads(content)
    except ValueError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("ingestId"), str):
        return None
    url = told.get("notificationsURL")
    return Subscription(told["ingestId"], url if isinstance(url, str) else None)
