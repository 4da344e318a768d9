"""A folder of work orders to measure with: photos that nothing can compress, and the documents beside them."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

KIB = 1024
_POOL_BYTES = 4 << 20
_HEAD = b"".join(
    (
        b"\xff\xd8",
        b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 480, 640, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01",
        b"\xff\xda" + struct.pack(">HB", 12, 3) + b"\x01\x00\x02\x11\x03\x11\x00\x3f\x00",
    )
)
_END = b"\xff\xd9"


def photo(pool: bytes, chance: random.Random, size: int) -> bytes:
    """A JPEG whose header is right and whose picture is noise."""
    noise = size - len(_HEAD) - len(_END)
    start = chance.randrange(len(pool) - noise)
    return _HEAD + pool[start : start + noise] + _END


def write_folder(folder: Path, photos: int, *, folders: int, size: int = 50 * KIB) -> Path:
    """Photos spread evenly over folders, each with two documents."""
    pool, chance = os.urandom(_POOL_BYTES), random.Random(photos)
    for number in range(folders):
        place = folder / f"WO_{number:06}"
        place.mkdir(parents=True)
        for index in range(number, photos, folders):
            (place / f"cabinet-{index}.jpg").write_bytes(photo(pool, chance, size))
        for name in ("metadata.json", "parameters.json"):
            (place / name).write_text(f'{{"site": {number}, "line": "north"}}')
    return folder
