"""Rows of JSON Lines and CSV, one after the other, and the lines that are none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from visionbatch.io.jsonl import Line, blocks, lines
from visionbatch.pipelines.row_settings import RowSource


@dataclass(slots=True)
class Row:
    """One row.

    :param line: its number in the file, from 1; of a CSV row that spans several the last.
    :param values: as decoded; lists and objects are `NESTED`.
    :param texts: the JSON of each value as it stands there; empty for CSV.
    :param weight: bytes of the line.
    """

    line: int
    values: Mapping[str, Any]
    texts: Mapping[str, Any]
    weight: int


@dataclass(slots=True)
class BrokenRow:
    """A line that is no row."""

    line: int
    rule: str
    reason: str
    content: bytes


NESTED = object()
"""Stands for a list or an object, which is in the texts of its row."""

_OBJECT = msgspec.json.Decoder()
_TEXTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def rows_of(source: RowSource, limit: int) -> Iterator[Row | BrokenRow]:
    """The rows of a file.

    :param limit: bytes of the longest line, or cell.
    """
    with source.opened() as stream:
        if source.origin.member.lower().endswith(".csv"):
            yield from _csv_rows(stream, limit)
            return
        for block in blocks(stream, limit):
            for line in lines(block, limit):
                yield _json_row(line)


def json_text(row: Row, name: str) -> str:
    """A value as JSON."""
    raw = row.texts.get(name)
    return (bytes(raw) if isinstance(raw, msgspec.Raw) else msgspec.json.encode(row.values[name])).decode()


def _json_row(line: Line) -> Row | BrokenRow:
    if not line.whole:
        return BrokenRow(line.number, "line-too-long", "it is longer than the limit", line.content)
    try:
        values = _OBJECT.decode(line.content)
        if not isinstance(values, dict):
            return BrokenRow(line.number, "not-an-object", "it is no JSON object", line.content)
        # Of a list or an object its text is enough; decoded it takes ten times as much memory.
        held = {name: NESTED if isinstance(value, list | dict) else value for name, value in values.items()}
        return Row(line.number, held, _TEXTS.decode(line.content), len(line.content))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return BrokenRow(line.number, "not-json", str(error), line.content)


def _csv_rows(stream: BinaryIO, limit: int) -> Iterator[Row | BrokenRow]:
    """The rows of a CSV file: every cell is a text, whatever it looks like.

    After a quote that is not closed, or a line beyond the limit, nobody can say where the next row begins: the rest of
    the file is one broken row.
    """
    with io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(_bounded(text, limit), strict=True)
        try:
            header = _columns(_next(reader, limit) or [])
            while (cells := _next(reader, limit)) is not None:
                if cells:
                    yield _csv_row(reader.line_num, header, cells)
        except csv.Error as error:
            yield BrokenRow(reader.line_num, "not-csv", f"{error}; the rest of the file is left out", b"")


def _next(reader: Iterator[list[str]], limit: int) -> list[str] | None:
    with _cells_up_to(limit):
        return next(reader, None)


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row | BrokenRow:
    joined = ",".join(cells).encode("utf-8", "surrogateescape")
    if len(cells) != len(header):
        return BrokenRow(number, "cells", f"it has {len(cells)} cells, {len(header)} were expected", joined)
    if not _is_text(joined):
        return BrokenRow(number, "not-utf8", "it is not UTF-8", joined)
    return Row(number, dict(zip(header, cells, strict=True)), {}, len(joined))


def _columns(header: list[str]) -> list[str]:
    """Names of columns, each once and none empty."""
    found: dict[str, None] = {}
    for number, cell in enumerate(header, 1):
        plain = cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") or f"column_{number}"
        name, nth = plain, 1
        while name in found:
            nth += 1
            name = f"{plain}_{nth}"
        found[name] = None
    return list(found)


def _bounded(text: io.TextIOWrapper, limit: int) -> Iterator[str]:
    while line := text.readline(limit):
        if len(line) >= limit and not line.endswith("\n"):
            raise csv.Error("a line is longer than the limit")
        yield line


@contextmanager
def _cells_up_to(limit: int) -> Iterator[None]:
    """The limit of the module is one for all who use it, so it is raised for the length of one row."""
    before = csv.field_size_limit(limit)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
