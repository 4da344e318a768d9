"""Reads an archive around one huge file from end to end, opens it, and prints the most memory that took, in bytes."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

from support.memory import peak_memory
from support.trees import MemoryTree
from support.windows import Window
from visionbatch.io.local_tree import LocalTree
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.zip_archive import ZipArchive


class Shelf(MemoryTree):
    """A film on disk beside a photo in memory."""

    def __init__(self, film: Path) -> None:
        super().__init__(lambda path: b"photo")
        self._film = film
        self._disk = LocalTree(film.parent)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        return self._disk.open(self._film.name, offset) if "mp4" in path else super().open(path, offset)


if __name__ == "__main__":
    video = Path(sys.argv[1])
    size = video.stat().st_size
    plan = Plan("huge")
    plan.add(Member("WO/a.mp4", size, b""))
    plan.add(Member("WO/b.jpg", 5, b"photo"))
    archive = ZipArchive(plan, Shelf(video))
    read = sum(len(block) for block in archive.blocks(0, archive.size, 1 << 20))
    assert read == archive.size, f"{read} bytes of {archive.size}"
    with zipfile.ZipFile(Window(archive)) as found:
        large, small = found.infolist()
        assert large.file_size == size > 1 << 32
        assert small.header_offset > 1 << 32
        assert found.read(small) == b"photo"
    sys.stdout.write(str(peak_memory()))
