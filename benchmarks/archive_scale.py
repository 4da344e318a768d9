"""What a computed archive takes of memory and time, each in a process of its own, which prints JSON.

Run: ``python -m benchmarks.archive_scale plan MEMBERS``, ``read MEMBERS``, ``tails FOLDER OFFSET...`` or
``resume FOLDER OFFSET``.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.harness import memory_kib

from visionbatch.io.local_tree import LocalTree
from visionbatch.model.tree import HEAD_BYTES, Entry, Member
from visionbatch.transfer.folder import members
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.zip_archive import ZipArchive

BLOCK = 256 << 10
CONTENT = bytes(range(256)) * 16


def made_up(count: int) -> Iterator[Member]:
    """Members as a listing gives them, each with the head that the fingerprint covers."""
    for number in range(count):
        yield Member(f"WO_{number // 10:06}/cabinet-{number}.jpg", len(CONTENT), CONTENT[:HEAD_BYTES])


class MadeUp:
    """A tree whose files all hold the same."""

    location = "made up"

    def entries(self, folder: str = "") -> Iterator[Entry]:
        raise NotADirectoryError(folder)

    def open(self, path: str, offset: int = 0) -> BinaryIO:  # noqa: ARG002  # whatever the path
        return io.BytesIO(CONTENT[offset:])

    def read(self, path: str, size: int) -> bytes:  # noqa: ARG002  # the same
        return CONTENT


def planned(listed: Iterator[Member]) -> Plan:
    plan = Plan("benchmark")
    for member in listed:
        plan.add(member)
    return plan


def plan(count: str) -> dict[str, Any]:
    """List, plan and lay out; nothing is read."""
    wall, cpu = time.perf_counter(), time.process_time()
    archive = ZipArchive(planned(made_up(int(count))), MadeUp())
    return {"size": archive.size, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def read(count: str) -> dict[str, Any]:
    """The whole archive, from the first byte to the last of its directory."""
    archive = ZipArchive(planned(made_up(int(count))), MadeUp())
    total = sum(len(block) for block in archive.blocks(0, archive.size, BLOCK))
    assert total == archive.size
    return {"size": total}


def of_folder(folder: str) -> ZipArchive:
    tree = LocalTree(Path(folder))
    return ZipArchive(planned(members(tree)), tree)


def tails(folder: str, *offsets: str) -> dict[str, Any]:
    """Hashes of what follows each offset, from one reading of the whole."""
    archive = of_folder(folder)
    hashes = {int(offset): hashlib.sha256() for offset in offsets}
    position = 0
    for block in archive.blocks(0, archive.size, BLOCK):
        for offset, digest in hashes.items():
            digest.update(block[max(offset - position, 0) :])
        position += len(block)
    return {"size": archive.size, "tails": {str(offset): digest.hexdigest() for offset, digest in hashes.items()}}


def resume(folder: str, offset: str) -> dict[str, Any]:
    """From nothing to the first byte at an offset, and then the hash of the rest."""
    began = time.perf_counter()
    archive = of_folder(folder)
    ready = time.perf_counter()
    blocks = archive.blocks(int(offset), archive.size, BLOCK)
    digest = hashlib.sha256(next(blocks))
    first = time.perf_counter()
    for block in blocks:
        digest.update(block)
    return {"plan_s": ready - began, "first_s": first - ready, "tail": digest.hexdigest()}


if __name__ == "__main__":
    found = {"plan": plan, "read": read, "tails": tails, "resume": resume}[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps({**found, "peak_mib": memory_kib(what="VmHWM") / 1024}))
