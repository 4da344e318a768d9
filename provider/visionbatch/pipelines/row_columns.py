"""Columns of a table whose rows nobody has described: a type where every value agrees, else JSON text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import pyarrow as pa

from visionbatch.pipelines.row_reading import Row, json_text
from visionbatch.pipelines.row_settings import PROVENANCE, RowOrigin


class CellKind(StrEnum):
    """What a value is."""

    FLAG = "flag"
    INTEGER = "integer"
    LARGE = "large-integer"
    """Beyond 2**53: no floating-point number can hold it exactly."""
    NUMBER = "number"
    TEXT = "text"
    JSON = "json"


_TYPES = (
    (frozenset({CellKind.FLAG}), CellKind.FLAG, pa.bool_()),
    (frozenset({CellKind.INTEGER, CellKind.LARGE}), CellKind.INTEGER, pa.int64()),
    (frozenset({CellKind.INTEGER, CellKind.NUMBER}), CellKind.NUMBER, pa.float64()),
    (frozenset({CellKind.TEXT}), CellKind.TEXT, pa.string()),
)
_MIXED = (CellKind.JSON, pa.string())
_EXACT = 1 << 53
_INT64 = 1 << 63


class Columns:
    """The union of all columns, in the order in which they were first met, and what each holds.

    :param most: rows that would bring more columns are not taken in.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kinds: dict[str, set[CellKind]] = {}

    def take(self, row: Row) -> bool:
        """Learn from a row; false for one that has too many new columns."""
        fresh = sum(name not in self._kinds for name in row.values)
        if len(self._kinds) + fresh > self._most:
            return False
        for name, value in row.values.items():
            kinds = self._kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))
        return True

    def knows(self, row: Row) -> bool:
        """Whether a row was taken in, or might have been."""
        return all(name in self._kinds for name in row.values)

    def told(self) -> dict[str, str]:
        """Name of each column in the table, and what it holds."""
        names = self._names()
        return {names[name]: kind.value for name, kind, _ in self._typed()}

    def schema(self) -> pa.Schema:
        """The table's: where a row comes from, then its values; JSON text is marked in the column's metadata."""
        provenance = [pa.field(name, pa.int64() if name == "source_line" else pa.string()) for name in PROVENANCE]
        names = self._names()
        marks = {CellKind.JSON: {"visionbatch": "json"}}
        values = [pa.field(names[name], type_, metadata=marks.get(kind)) for name, kind, type_ in self._typed()]
        return pa.schema([*provenance, *values])

    def table(self, rows: Sequence[tuple[RowOrigin, Row]], schema: pa.Schema) -> pa.Table:
        """Some rows."""
        origins = [origin for origin, _ in rows]
        arrays = [pa.array([getattr(o, name.removeprefix("source_")) for o in origins]) for name in PROVENANCE[:-1]]
        arrays.append(pa.array([row.line for _, row in rows], pa.int64()))
        for name, kind, type_ in self._typed():
            arrays.append(pa.array([_cell(row, name, kind) for _, row in rows], type_))
        return pa.Table.from_arrays(arrays, schema=schema)

    def _names(self) -> dict[str, str]:
        """A column of the results that is called as one of ours gets another name."""
        found: dict[str, str] = {}
        taken = {*PROVENANCE, *(set(self._kinds) - set(PROVENANCE))}
        for name in self._kinds:
            free = name
            if name in PROVENANCE:
                while free in taken:
                    free += "_"
                taken.add(free)
            found[name] = free
        return found

    def _typed(self) -> Iterable[tuple[str, CellKind, Any]]:
        for name, kinds in self._kinds.items():
            kind, type_ = next(
                ((k, t) for fits, k, t in _TYPES if kinds and kinds <= fits), (CellKind.JSON, pa.string())
            )
            yield name, (kind if kinds else CellKind.TEXT), type_


def _kind(value: Any) -> CellKind:
    if isinstance(value, bool):
        return CellKind.FLAG
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            return CellKind.JSON
        return CellKind.INTEGER if abs(value) <= _EXACT else CellKind.LARGE
    if isinstance(value, float):
        return CellKind.NUMBER
    return CellKind.TEXT if isinstance(value, str) else CellKind.JSON


def _cell(row: Row, name: str, kind: CellKind) -> Any:
    value = row.values.get(name)
    if value is None:
        return None
    if kind is CellKind.JSON:
        return json_text(row, name)
    return float(value) if kind is CellKind.NUMBER else value
