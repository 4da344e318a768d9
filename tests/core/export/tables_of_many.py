"""Makes tables of very many small work orders, or of few megabytes, and prints the most memory that took, in bytes."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from support.exports import RECORD, record
from support.memory import peak_memory
from visionbatch import export_tables


def small(count: int) -> Iterator[bytes]:
    """Work orders without items, each twice, the second one newer."""
    bare = json.dumps(record(id="ID", update_date="2026-11-12T08:20:4VZ", work_items=[]))
    for number in range(count):
        line = bare.replace("ID", str(uuid.UUID(int=number % (count // 2), version=4)))
        yield line.replace("4VZ", f"4{2 * number // count}Z").encode() + b"\n"


def usual(count: int) -> Iterator[bytes]:
    """Work orders with 25 verdicts each."""
    whole = record(id="ID", work_items=RECORD["work_items"] * 25)
    line = json.dumps(whole)
    for number in range(count):
        yield line.replace("ID", f"order-{number}").encode() + b"\n"


if __name__ == "__main__":
    kind, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    path = folder / "export.jsonl"
    with path.open("wb") as file:
        file.writelines({"small": small, "usual": usual}[kind](count))
    told = export_tables([path], folder / "tables")
    path.unlink()
    sys.stdout.write(json.dumps({"peak": peak_memory(), "rows": told.rows["work_orders"], "old": told.superseded}))
