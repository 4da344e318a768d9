"""The tables of an export with duckdb, in two ways: that which comes first to mind, and the best that we found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Queries: TypeAlias = Callable[[Any, Path], dict[str, str]]
"""A connection and a file to the query of each table."""

COLUMNS = {
    **dict.fromkeys(("id", "name", "site_id"), "VARCHAR"),
    **dict.fromkeys(("create_date", "update_date"), "TIMESTAMPTZ"),
    "metadata": "JSON",
    "progress_score": "DOUBLE",
    "work_items": (
        "STRUCT(id VARCHAR, name VARCHAR, input STRUCT(id VARCHAR, file_extension VARCHAR, metadata JSON,"
        ' data_conformity STRUCT("check" VARCHAR, code VARCHAR, level VARCHAR)[],'
        " job_conformity STRUCT(task_name VARCHAR, analyzed_value JSON, corrected_value JSON,"
        " corrected_date TIMESTAMPTZ, message VARCHAR, is_conformity_validated BOOLEAN)[])[])[]"
    ),
}
IDS = "work_order_id, work_item_id"


def duckdb(queries: Queries) -> Callable[[Path, Path], dict[str, int]]:
    """One `COPY` for each table."""
    import duckdb as engine

    def convert(path: Path, folder: Path) -> dict[str, int]:
        base = engine.connect()
        counts = {}
        for name, query in queries(base, path).items():
            target = folder / f"{name}.parquet"
            told = base.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
            counts[name] = int(told.fetchall()[0][0])
        return counts

    return convert


def table_by_table(_: Any, path: Path) -> dict[str, str]:
    """One statement for each table, which reads the file with the columns given and unnests it down to its rows."""
    items = f"{_numbered(path)} AS o, unnest(o.work_items) WITH ORDINALITY AS i(item, item_at)"
    photos = f"{items}, unnest(item.input) WITH ORDINALITY AS p(photo, photo_at)"
    checks = f"{photos}, unnest(photo.data_conformity) WITH ORDINALITY AS c(one, one_at)"
    jobs = f"{photos}, unnest(photo.job_conformity) WITH ORDINALITY AS j(one, one_at)"
    item_ids = "o.id AS work_order_id, item.id AS work_item_id"
    input_ids = f"{item_ids}, photo.id AS input_id"
    orders = f"(SELECT * EXCLUDE (id, work_items), id AS work_order_id FROM {_numbered(path)})"
    origin = _origin(path)
    verdict = _of_job("one", _present("one.analyzed_value"), _present("one.corrected_value"))
    return {
        "work_orders": f"SELECT * EXCLUDE (source_line), {origin} FROM {orders}",
        "work_items": f"SELECT {item_ids}, item.name AS task_group, item_at - 1 AS position, {origin} FROM {items}",
        "inputs": f"SELECT {input_ids}, photo_at - 1 AS position, {_of_input('photo')}, {origin} FROM {photos}",
        "data_conformity": f"SELECT {input_ids}, one_at - 1 AS position, {_of_check('one')}, {origin} FROM {checks}",
        "job_conformity": f"SELECT {input_ids}, one_at - 1 AS position, {verdict}, {origin} FROM {jobs}",
    }


def once_through(base: Any, path: Path) -> dict[str, str]:
    """The file is read once, and each level unnested once, in the list of what is selected and not in a join."""

    def below(table: str, column: str, kept: str) -> str:
        numbered = f"unnest({column}) AS one, unnest(range(len({column}))) AS position"
        return f"(SELECT {kept}, source_line, {numbered} FROM {table})"

    base.execute(f"CREATE TEMP TABLE orders AS FROM {_numbered(path)}")
    items = below("orders", "work_items", "id AS work_order_id")
    base.execute(f"CREATE TEMP TABLE items AS SELECT *, one.id AS work_item_id, one.input AS photos FROM {items}")
    photos = below("items", "photos", IDS)
    base.execute(f"CREATE TEMP TABLE photos AS SELECT *, one.id AS input_id FROM {photos}")
    checks = below("photos", "one.data_conformity", f"{IDS}, input_id")
    jobs = below("photos", "one.job_conformity", f"{IDS}, input_id")
    found = f"{_present('one.analyzed_value')} AS analyzed, {_present('one.corrected_value')} AS corrected"
    verdict = _of_job("one", "analyzed", "corrected")
    place, origin = f"{IDS}, input_id, position", _origin(path)
    return {
        "work_orders": f"SELECT * EXCLUDE (id, work_items, source_line), id AS work_order_id, {origin} FROM orders",
        "work_items": f"SELECT {IDS}, one.name AS task_group, position, {origin} FROM items",
        "inputs": f"SELECT {place}, {_of_input('one')}, {origin} FROM photos",
        "data_conformity": f"SELECT {place}, {_of_check('one')}, {origin} FROM {checks}",
        "job_conformity": f"SELECT {place}, {verdict}, {origin} FROM (SELECT *, {found} FROM {jobs})",
    }


def _numbered(path: Path) -> str:
    """The work orders of a file, with the line of each."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    read = f"read_json('{path}', format='newline_delimited', columns={{{columns}}})"
    return f"(SELECT row_number() OVER () AS source_line, * FROM {read})"


def _origin(path: Path) -> str:
    return f"NULL::VARCHAR AS extra, '{path.name}' AS source_file, source_line"


def _of_input(photo: str) -> str:
    extension = f"'.' || ltrim(lower({photo}.file_extension), '.')"
    return f"{extension} AS file_extension, {photo}.metadata AS metadata"


def _of_check(check: str) -> str:
    return f'{check}."check", {check}.code, lower({check}.level) AS level, {check}.level AS level_text'


def _of_job(job: str, analyzed: str, corrected: str) -> str:
    return (
        f"{job}.task_name, {_typed('analyzed', analyzed)}, {_typed('corrected', corrected)}, {job}.corrected_date,"
        f" {_typed('effective', f'coalesce({corrected}, {analyzed})')}, {job}.message, {job}.is_conformity_validated"
    )


def _present(value: str) -> str:
    """A value that is not the `null` of JSON."""
    return f"nullif(CAST({value} AS VARCHAR), 'null')::JSON"


def _typed(name: str, value: str) -> str:
    kind = f"json_type({value})"
    number = f"CASE WHEN {kind} IN ('BIGINT', 'UBIGINT', 'DOUBLE') THEN CAST({value} AS DOUBLE) END"
    return (
        f"CAST({value} AS VARCHAR) AS {name}_text,"
        f" CASE WHEN {kind} = 'VARCHAR' THEN {value}->>'$' END AS {name}_string, {number} AS {name}_number,"
        f" CASE WHEN {kind} = 'BOOLEAN' THEN CAST({value} AS BOOLEAN) END AS {name}_bool"
    )
