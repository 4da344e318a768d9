"""Run by a test in a process of its own: how much memory a survey of many work orders takes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from visionbatch.deepomatic.rules import CheckSettings, survey
from visionbatch.model.tree import Entry, Kind, WorkOrder

PHOTO = bytes.fromhex("ffd8ffc0000b08000100010101110000") + b"\x55" * 20_000 + b"\xff\xd9"
DOCUMENT = b'{"site": "somewhere"}'


class Synthetic:
    location = "synthetic"

    def __init__(self, count: int) -> None:
        self._count = count

    def entries(self, folder: str = "") -> Iterator[Entry]:
        if not folder:
            return (Entry(f"WO_{number:09}", Kind.FOLDER) for number in range(self._count))
        photos = [Entry(f"door-{n}.jpg", Kind.FILE, len(PHOTO)) for n in range(2)]
        return iter([*photos, Entry("metadata.json", Kind.FILE, len(DOCUMENT))])

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        return io.BytesIO((DOCUMENT if path.endswith("json") else PHOTO)[offset:])


def peak_bytes() -> int:
    # Not getrusage: its peak is inherited from the process that started this one.
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM")


def main() -> None:
    before = peak_bytes()
    orders = members = 0
    for item in survey(Synthetic(int(sys.argv[1])), CheckSettings(task_groups=("door",))):
        assert isinstance(item, WorkOrder), item
        orders += 1
        members += len(item.members)
    json.dump({"work_orders": orders, "members": members, "grown_bytes": peak_bytes() - before}, sys.stdout)


if __name__ == "__main__":
    main()
