"""Writes an archive of very many members and prints the most memory that took, in bytes."""

from __future__ import annotations

import sys
from pathlib import Path

from support.memory import peak_memory
from support.trees import MemoryTree
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.zip_archive import ZipArchive

if __name__ == "__main__":
    target, members, work_orders = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    plan = Plan("large")
    for number in range(members):
        plan.add(Member(f"WO_{number % work_orders}/cabinet-{number // work_orders}.jpg", 5, b"photo"))
    archive = ZipArchive(plan, MemoryTree(lambda path: b"photo"))
    with target.open("wb") as file:
        for block in archive.blocks(0, archive.size, 1 << 18):
            file.write(block)
    sys.stdout.write(str(peak_memory()))
