"""Folders of work orders whose photos are noise from a seed: the same bytes everywhere, and hard to compress."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from functools import cache
from pathlib import Path

from PIL import Image

from visionbatch.transfer.source import Source

CHUNK = 262_144


@cache
def photo(seed: int, side: int = 350) -> bytes:
    """A JPEG of some 110 KB at the default size."""
    noise = random.Random(seed).randbytes(side * side * 3)
    held = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(held, "JPEG", quality=90)
    return held.getvalue()


def write_orders(folder: Path, *, work_orders: int = 2, photos: int = 5, side: int = 350) -> Path:
    """Work orders of equal make; by default their archive is a little over 1 MiB, that is five chunks."""
    for number in range(1, work_orders + 1):
        place = folder / f"WO_{number}"
        place.mkdir(parents=True)
        for index in range(photos):
            (place / f"cabinet-{index}.jpg").write_bytes(photo(100 * number + index, side))
        (place / "metadata.json").write_text(f'{{"site": {number}}}')
    return folder


def zip_orders(folder: Path, target: Path) -> Path:
    """The same as a ready-made archive."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return target


def read_whole(source: Source, block_bytes: int = 1 << 20) -> bytes:
    return b"".join(source.blocks(0, source.size, block_bytes))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
