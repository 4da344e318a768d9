"""What the tables of a data export are called, and what stands in them.

One record of an export is a work order with everything below it; each level becomes a table, and each row names the
rows above it and the line of the export that it comes from. The names and types are a promise: columns are added at
the end, never renamed, never given another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

SCHEMA_VERSION = 1
"""Goes up when a column is added."""


class Kind(StrEnum):
    """Type of a column, in Arrow's words."""

    STRING = "string"
    INTEGER = "int64"
    NUMBER = "double"
    FLAG = "bool"
    MOMENT = "timestamp[us, tz=UTC]"


class Table(StrEnum):
    """The five tables; the file of each is its name with ``.parquet``."""

    WORK_ORDERS = "work_orders"
    WORK_ITEMS = "work_items"
    INPUTS = "inputs"
    DATA_CONFORMITY = "data_conformity"
    JOB_CONFORMITY = "job_conformity"

    @property
    def file_name(self) -> str:
        """Name of the file that holds the table."""
        return f"{self}.parquet"


_FOUND = {"extra": Kind.STRING, "source_file": Kind.STRING, "source_line": Kind.INTEGER}
_ITEM = {"work_order_id": Kind.STRING, "work_item_id": Kind.STRING}
_INPUT = {**_ITEM, "input_id": Kind.STRING}
_CHECKED = {**_INPUT, "position": Kind.INTEGER}


def _value(name: str) -> dict[str, Kind]:
    """The columns of one value that may be a string, a number or a boolean."""
    kinds = {"text": Kind.STRING, "string": Kind.STRING, "number": Kind.NUMBER, "bool": Kind.FLAG}
    return {f"{name}_{form}": kind for form, kind in kinds.items()}


COLUMNS: Mapping[Table, Mapping[str, Kind]] = {
    Table.WORK_ORDERS: {
        "work_order_id": Kind.STRING,
        "name": Kind.STRING,
        "site_id": Kind.STRING,
        "create_date": Kind.MOMENT,
        "update_date": Kind.MOMENT,
        "progress_score": Kind.NUMBER,
        "metadata": Kind.STRING,
        **_FOUND,
    },
    Table.WORK_ITEMS: {**_ITEM, "task_group": Kind.STRING, "position": Kind.INTEGER, **_FOUND},
    Table.INPUTS: {
        **_INPUT,
        "position": Kind.INTEGER,
        "file_extension": Kind.STRING,
        "metadata": Kind.STRING,
        **_FOUND,
    },
    Table.DATA_CONFORMITY: {
        **_CHECKED,
        "check": Kind.STRING,
        "code": Kind.STRING,
        "level": Kind.STRING,
        "level_text": Kind.STRING,
        **_FOUND,
    },
    Table.JOB_CONFORMITY: {
        **_CHECKED,
        "task_name": Kind.STRING,
        **_value("analyzed"),
        **_value("corrected"),
        "corrected_date": Kind.MOMENT,
        **_value("effective"),
        "message": Kind.STRING,
        "is_conformity_validated": Kind.FLAG,
        **_FOUND,
    },
}
"""Table to column to type, in the order of the files."""
