"""Reading the error report of a batch, whose format the vendor does not publish.

The bytes are kept untouched; they are read here for counting only, so whatever cannot be read is no failure.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from visionbatch.model.text import printable

WORK_ORDER_KEYS = ("work_order", "work_order_name", "name", "folder")
"""Keys under which a line may name its work order, best first."""

LINE_CHARS = 200


@dataclass(frozen=True)
class ReportSummary:
    """What an error report says in numbers.

    :param lines: errors listed.
    :param work_orders: distinct work orders with at least one line of level error.
    :param unplaced: lines of level error that name no work order by a key known here.
    :param by_code: lines by code.
    :param examples: the first few lines, for the log.
    """

    lines: int
    work_orders: int
    unplaced: int
    by_code: Mapping[str, int]
    examples: tuple[str, ...] = ()


def summarise(body: bytes, content_type: str, *, examples: int = 10) -> ReportSummary:
    """Count a report that is a JSON array, JSON Lines, or CSV with a header."""
    codes: Counter[str] = Counter()
    failed: set[str] = set()
    first: list[str] = []
    lines = unplaced = 0
    for lines, record in enumerate(_records(body, content_type), start=1):  # noqa: B007  # the last number is the count
        code = printable(str(record.get("code", "unknown")), LINE_CHARS)
        work_order = next((str(record[key]) for key in WORK_ORDER_KEYS if record.get(key)), "")
        codes[code] += 1
        if str(record.get("level", "error")).lower() == "error":
            if work_order:
                failed.add(work_order)
            else:
                unplaced += 1
        if len(first) < examples:
            place = "/".join(str(part) for part in (work_order, record.get("file")) if part)
            message = f"{place}: {record.get('message', '')} [{code}]"
            first.append(printable(message, LINE_CHARS))
    return ReportSummary(lines, len(failed), unplaced, dict(codes), tuple(first))


def _records(body: bytes, content_type: str) -> Iterator[Mapping[str, Any]]:
    if "csv" in content_type:
        # A field beyond the reader's limit ends the counting, and nothing else.
        with suppress(csv.Error):
            yield from csv.DictReader(io.StringIO(body.decode("utf-8-sig", "replace")))
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        yield from _json_lines(body)
        return
    items = value.get("results", value.get("errors", [value])) if isinstance(value, dict) else value
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _json_lines(body: bytes) -> Iterator[Mapping[str, Any]]:
    for line in body.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
