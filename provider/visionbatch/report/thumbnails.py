"""Small copies of photos for a page: few, small, and never a danger to the process that makes them."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from visionbatch.config import MIB
from visionbatch.errors import InputMissing
from visionbatch.report.figures import Shot

WIDTH, HEIGHT = 320, 240
"""Pixels; twice what is shown, for screens with small pixels."""

MAX_FILE_BYTES = 64 * MIB
MAX_PIXELS = 64_000_000
"""Phones take up to 50 million pixels; a decoder needs 3 bytes for each, whatever the file's size claims."""

MAX_PAGE_BYTES = 3 * MIB
"""All thumbnails together: mail servers refuse larger attachments, and 24 of them take 400 KiB."""

QUALITY = 72


@dataclass(frozen=True)
class Thumbnail:
    """A photo's place on the page.

    :param source: a ``data:`` URI, or empty when there is no picture.
    :param absent: why there is none.
    """

    shot: Shot
    source: str = ""
    absent: str = ""
    width: int = WIDTH
    height: int = HEIGHT


def thumbnails(folder: Path, shots: Iterable[Shot], max_bytes: int = MAX_PAGE_BYTES) -> list[Thumbnail]:
    """A thumbnail for each input, from ``{input id}{extension}`` in a folder.

    :param max_bytes: of all of them; those beyond are shown as absent.
    :raises InputMissing: when there is no such folder.
    """
    if not folder.is_dir():
        raise InputMissing(f"the folder of images {folder} is not there")
    made, used = [], 0
    for shot in shots:
        thumbnail = _thumbnail(folder, shot)
        if used + len(thumbnail.source) > max_bytes:
            thumbnail = Thumbnail(shot, absent="left out to keep the page small")
        used += len(thumbnail.source)
        made.append(thumbnail)
    return made


def _thumbnail(folder: Path, shot: Shot) -> Thumbnail:
    photo = _read(folder, f"{shot.input_id}{shot.extension}")
    if photo is None:
        return Thumbnail(shot, absent="not among the images")
    small = shrunk(photo)
    if small is None:
        return Thumbnail(shot, absent="cannot be shown")
    content, width, height = small
    return Thumbnail(shot, f"data:image/jpeg;base64,{base64.b64encode(content).decode()}", "", width, height)


def _read(folder: Path, file_name: str) -> bytes | None:
    """A photo's bytes; an id comes from outside, and one that is a path leads nowhere, nor does a link."""
    if file_name in {"", ".", ".."} or "/" in file_name or "\0" in file_name or len(file_name.encode()) > 255:
        return None
    try:
        descriptor = os.open(folder / file_name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= MAX_FILE_BYTES else None


def shrunk(photo: bytes) -> tuple[bytes, int, int] | None:
    """A small JPEG with its width and height, upright and without the original's metadata, which may say where it was
    taken; ``None`` for what is no picture, is damaged, or claims more pixels than any photo has.
    """  # noqa: D205  # one sentence
    from PIL import Image, ImageOps  # noqa: PLC0415  # only pages with pictures need it

    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata, both of which are dealt with here.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(photo), formats=("JPEG", "PNG", "WEBP")) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                # A JPEG is decoded at an eighth of its size where that is still large enough.
                image.draft("RGB", (2 * WIDTH, 2 * HEIGHT))
                upright = ImageOps.exif_transpose(image).convert("RGB")
        upright.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        upright.save(out, "JPEG", quality=QUALITY, optimize=True)
    except Exception:  # noqa: BLE001  # hostile pictures make decoders raise anything
        return None
    return out.getvalue(), upright.width, upright.height
