"""The five tables of a data export, read piece by piece, so that nothing held grows with the export.

A piece is a range of source lines. Every row carries the line of the work order that it belongs to, so that all rows of
one work order are in the same piece of every table, in whatever order the tables are. Row groups whose statistics lie
outside the range are not read.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from visionbatch.errors import ConfigError, InputMissing, UnreadableTables

ROWS_AT_ONCE = 150_000
"""Verdicts in a piece, about; one takes some 150 bytes on its way, joins included."""

TEXT_KEPT = 41
"""Characters of a value that are kept: one more than a value may have to be shown in a table of corrections."""

KEYS = ("work_order_id", "work_item_id", "input_id")

_BATCH_ROWS = 32_768
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, the days that a calendar has
_SIDES = ("text", "string", "number", "bool")
_KINDS = {"text": pa.string(), "string": pa.string(), "number": pa.float64(), "bool": pa.bool_()}

Expressions = Mapping[str, pc.Expression]


class Tables:
    """The tables in a folder.

    :param rows_at_once: verdicts in a piece, about.
    :raises InputMissing: when one of them is not there.
    :raises UnreadableTables: when one is not Parquet.
    :raises ConfigError: for a timezone that is not known here.
    """

    def __init__(self, folder: Path, timezone: str = "UTC", rows_at_once: int = ROWS_AT_ONCE) -> None:
        self.timezone = timezone
        self._tables = {name: _opened(folder / f"{name}.parquet") for name in _COLUMNS}
        self._day = _day(timezone)
        self._bounds = self._boundaries(rows_at_once)

    def days(self) -> pa.Table:
        """The column ``day`` of the work orders: days since 1970, null without a date."""
        return self._read("work_orders", {"day": self._day}, None).group_by("day").aggregate([])

    def pieces(self) -> Iterator[dict[str, pa.Table]]:
        """Name of the table to the rows of one piece, with the columns that figures need."""
        edges = [None, *self._bounds, None]
        for low, high in itertools.pairwise(edges):
            within = _within(low, high)
            yield {name: self._read(name, self._columns(name), within) for name in _COLUMNS}

    def _columns(self, name: str) -> Expressions:
        own = {"day": self._day} if name == "work_orders" else {}
        return {**_COLUMNS[name], **own}

    def _boundaries(self, rows_at_once: int) -> list[int]:
        """Source lines that cut the work orders into pieces of the same number; 8 bytes a work order, for a moment."""
        count = -(-self._tables["job_conformity"].count_rows() // rows_at_once)
        if count <= 1:
            return []
        lines = self._read("work_orders", {"line": _text("source_line", pa.int64())}, None)["line"]
        cuts = pc.quantile(lines, q=[part / count for part in range(1, count)], interpolation="lower")
        return sorted({cut for cut in cuts.to_pylist() if cut is not None})

    def _read(self, name: str, columns: Expressions, rows: pc.Expression | None) -> pa.Table:
        scanner_options = {"batch_size": _BATCH_ROWS, "batch_readahead": 2, "fragment_readahead": 1}
        try:
            return self._tables[name].scanner(columns=dict(columns), filter=rows, **scanner_options).to_table()
        except (pa.ArrowException, OSError) as error:
            raise UnreadableTables(f"{name}.parquet cannot be read: {_first_line(error)}") from error


def _opened(path: Path) -> ds.Dataset:
    if not path.is_file():
        raise InputMissing(f"{path} is not there", next_step="Make the tables of the export first.")
    try:
        table = ds.dataset(path, format="parquet")
    except (pa.ArrowException, OSError) as error:
        raise UnreadableTables(f"{path} cannot be read: {_first_line(error)}") from error
    lacking = sorted(_needed(path.stem) - set(table.schema.names))
    if lacking:
        raise UnreadableTables(f"{path} has no column {', '.join(lacking)}")
    return table


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _within(low: int | None, high: int | None) -> pc.Expression | None:
    """Source lines above one cut and up to the next; a row without a line is in the first piece."""
    line = pc.field("source_line")
    if low is None:
        return None if high is None else (line <= high) | line.is_null()
    return line > low if high is None else (line > low) & (line <= high)


def _text(name: str, kind: pa.DataType | None = None) -> pc.Expression:
    return pc.field(name).cast(kind or pa.string())


def _key(name: str) -> pc.Expression:
    """An id; missing ones are the empty text, because null joins with nothing."""
    return pc.coalesce(_text(name), pc.scalar(""))


def _day(timezone: str) -> pc.Expression:
    """Days since 1970 of a work order's last update where the clocks show that timezone."""
    stamp = pa.timestamp("us", "UTC")
    moment = pc.coalesce(_text("update_date", stamp), _text("create_date", stamp))
    if timezone == "UTC":
        # Without a conversion, so that it works where there is no timezone database.
        local = moment.cast(pa.timestamp("us"))
    else:
        _require_timezone(timezone)
        local = pc.local_timestamp(moment.cast(pa.timestamp("us", timezone)))
    day = local.cast(pa.date32()).cast(pa.int32())
    return pc.if_else((day >= _FIRST_DAY) & (day <= _LAST_DAY), day, pc.scalar(pa.scalar(None, pa.int32())))


def _require_timezone(timezone: str) -> None:
    try:
        pc.local_timestamp(pa.scalar(0, pa.timestamp("us", timezone)))
    except (pa.ArrowException, ValueError) as error:
        raise ConfigError(f"the timezone {timezone!r} is not known on this machine") from error


def _side(side: str, kind: str) -> pc.Expression:
    return _text(f"{side}_{kind}", _KINDS[kind])


def _same() -> pc.Expression:
    """Whether a person gave the automatic value, however either is written."""
    equal = [pc.coalesce(_side("analyzed", kind) == _side("corrected", kind), pc.scalar(False)) for kind in _SIDES]
    return functools.reduce(operator.or_, equal)


def _shown(name: str) -> pc.Expression:
    return pc.utf8_slice_codeunits(_text(name), 0, TEXT_KEPT)


def _count(condition: pc.Expression) -> pc.Expression:
    return pc.coalesce(condition, pc.scalar(False)).cast(pa.int64())


_PASSED = _text("is_conformity_validated", pa.bool_())
_REVIEWED = _text("corrected_text").is_valid()
_COLUMNS: dict[str, Expressions] = {
    "work_orders": {"work_order_id": _key("work_order_id"), "site": _text("site_id"), "name": _text("name")},
    "work_items": {**{key: _key(key) for key in KEYS[:2]}, "task_group": _text("task_group")},
    "inputs": {**{key: _key(key) for key in KEYS}, "extension": _text("file_extension")},
    "data_conformity": {
        **{key: _key(key) for key in KEYS},
        **{name: _text(name) for name in ("check", "code", "level")},
    },
    "job_conformity": {
        **{key: _key(key) for key in KEYS},
        "task": _text("task_name"),
        "passed": _count(_PASSED),
        "failed": _count(~_PASSED),
        "reviewed": _count(_REVIEWED),
        "corrected": _count(_REVIEWED & ~_same()),
        "automatic": _shown("analyzed_text"),
        "given": _shown("corrected_text"),
    },
}


def _needed(name: str) -> set[str]:
    """The columns that the figures read."""
    needed = {
        "work_orders": {"work_order_id", "site_id", "name", "update_date", "create_date"},
        "work_items": {*KEYS[:2], "task_group"},
        "inputs": {*KEYS, "file_extension"},
        "data_conformity": {*KEYS, "check", "code", "level"},
        "job_conformity": {
            *KEYS,
            "task_name",
            "is_conformity_validated",
            *(f"{side}_{kind}" for side in ("analyzed", "corrected") for kind in _SIDES),
        },
    }
    return needed[name] | {"source_line"}
