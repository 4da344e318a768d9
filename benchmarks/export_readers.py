"""One export made into tables by one method, in a process of its own.

Run: ``python -m benchmarks.export_readers METHOD FILE FOLDER``. Prints wall and CPU seconds without imports but with
children, the peak of this process, and the rows of each table. All methods write the same five tables with the same
columns, as zstd Parquet of level 1; ours also looks for older versions, checks each record and hashes what it wrote.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.export_decoding import decode_only
from benchmarks.export_duckdb import duckdb, once_through, table_by_table
from benchmarks.harness import memory_kib, own_cpu

Convert = Callable[[Path, Path], dict[str, int]]
TABLES = ("work_orders", "work_items", "inputs", "data_conformity", "job_conformity")
CHUNK_BYTES = 8 << 20
ITEM_IDS = ("work_order_id", "work_item_id")
INPUT_IDS = (*ITEM_IDS, "input_id")
VALUES = tuple(
    f"{n}_{kind}" for n in ("analyzed", "corrected", "effective") for kind in ("text", "string", "number", "bool")
)
JOB = (*INPUT_IDS, "position", "task_name", "corrected_date", "message", "is_conformity_validated", *VALUES)


def visionbatch(processes: int = 1) -> Convert:
    """Ours."""
    import visionbatch.pipelines.export_reading  # noqa: F401  # what the call below would import
    from visionbatch import export_tables

    return lambda path, folder: export_tables([path], folder, processes=processes).rows


def stdlib_json() -> Convert:
    """The loop that everybody writes, with json."""
    return _loop(json.loads, json.dumps)


def orjson_loop() -> Convert:
    """The same with orjson."""
    import orjson

    return _loop(orjson.loads, lambda value: orjson.dumps(value).decode())


def _loop(loads: Callable[[bytes], Any], dumps: Callable[[Any], str]) -> Convert:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from visionbatch.deepomatic.export_schema import COLUMNS, Kind, Table

    arrow = {
        Kind.STRING: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.MOMENT: pa.timestamp("us", "UTC"),
    }
    schemas = {str(table): pa.schema([(n, arrow[kind]) for n, kind in COLUMNS[table].items()]) for table in Table}

    def convert(path: Path, folder: Path) -> dict[str, int]:
        writers = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd", compression_level=1)
            for name, schema in schemas.items()
        }
        counts = dict.fromkeys(TABLES, 0)
        columns = _empty(schemas)
        size = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                _append(columns, loads(line), (path.name, number), dumps)
                size += len(line)
                if size >= CHUNK_BYTES:
                    _flush(columns, schemas, writers, counts)
                    columns, size = _empty(schemas), 0
        _flush(columns, schemas, writers, counts)
        for writer in writers.values():
            writer.close()
        return counts

    def _flush(columns: Any, schemas: Any, writers: Any, counts: dict[str, int]) -> None:
        for name, schema in schemas.items():
            table = pa.table([pa.array(columns[name][field.name], field.type) for field in schema], schema=schema)
            writers[name].write_table(table)
            counts[name] += table.num_rows

    return convert


def _empty(schemas: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    return {name: {column: [] for column in schema.names} for name, schema in schemas.items()}


def _append(columns: Any, order: dict[str, Any], found: tuple[str, int], dumps: Callable[[Any], str]) -> None:
    def add(table: str, names: Iterable[str], values: Iterable[Any]) -> None:
        into = columns[table]
        for name, value in zip(names, values, strict=True):
            into[name].append(value)
        into["extra"].append(None)
        into["source_file"].append(found[0])
        into["source_line"].append(found[1])

    def text(value: Any) -> str | None:
        return None if value is None else dumps(value)

    def moment(value: str | None) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)

    def typed(value: Any) -> tuple[Any, ...]:
        kind = type(value)
        number = float(value) if kind in (int, float) else None
        return text(value), value if kind is str else None, number, value if kind is bool else None

    known = order["id"]
    head = (known, order["name"], order["site_id"], moment(order["create_date"]), moment(order["update_date"]))
    names = ("work_order_id", "name", "site_id", "create_date", "update_date", "progress_score", "metadata")
    add("work_orders", names, (*head, order.get("progress_score"), text(order.get("metadata"))))
    for place, item in enumerate(order["work_items"]):
        add("work_items", (*ITEM_IDS, "task_group", "position"), (known, item["id"], item["name"], place))
        for number, photo in enumerate(item["input"]):
            ids = (known, item["id"], photo["id"])
            extension = "." + photo["file_extension"].lower().lstrip(".")
            told: tuple[Any, ...] = (*ids, number, extension, text(photo.get("metadata")))
            add("inputs", (*INPUT_IDS, "position", "file_extension", "metadata"), told)
            for row, check in enumerate(photo["data_conformity"]):
                level = check["level"]
                told = (*ids, row, check["check"], check["code"], level.lower(), level)
                add("data_conformity", (*INPUT_IDS, "position", "check", "code", "level", "level_text"), told)
            for row, job in enumerate(photo["job_conformity"]):
                told = (*ids, row, job["task_name"], moment(job.get("corrected_date")), job.get("message"))
                verdict = (*told, job["is_conformity_validated"])
                analyzed, corrected = job.get("analyzed_value"), job.get("corrected_value")
                effective = analyzed if corrected is None else corrected
                add("job_conformity", JOB, (*verdict, *typed(analyzed), *typed(corrected), *typed(effective)))


def polars() -> Convert:
    """The whole file at once with a schema, then explode. A string and a boolean of the same text look alike."""
    import polars as pl

    check = pl.Struct({"check": pl.String, "code": pl.String, "level": pl.String})
    names = ("task_name", "analyzed_value", "corrected_value", "corrected_date", "message")
    job = pl.Struct({**dict.fromkeys(names, pl.String), "is_conformity_validated": pl.Boolean})
    photo = pl.Struct(
        {
            **dict.fromkeys(("id", "file_extension", "metadata"), pl.String),
            "data_conformity": pl.List(check),
            "job_conformity": pl.List(job),
        }
    )
    item = pl.Struct({"id": pl.String, "name": pl.String, "input": pl.List(photo)})
    texts = ("id", "name", "site_id", "create_date", "update_date", "metadata")
    schema: dict[str, Any] = {
        **dict.fromkeys(texts, pl.String),
        "progress_score": pl.Float64,
        "work_items": pl.List(item),
    }

    def below(frame: Any, column: str, kept: list[str]) -> Any:
        position = pl.int_ranges(pl.col(column).list.len()).alias("position")
        exploded = frame.select(*kept, column, position).explode(column, "position").drop_nulls(column)
        return exploded.unnest(column)

    def moment(name: str) -> Any:
        return pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC", strict=False)

    def typed(name: str, source: Any) -> list[Any]:
        flag = pl.when(source == "true").then(True).when(source == "false").then(False)
        number = source.cast(pl.Float64, strict=False)
        string = pl.when(flag.is_null() & number.is_null()).then(source)
        return [
            source.alias(f"{name}_text"),
            string.alias(f"{name}_string"),
            number.alias(f"{name}_number"),
            flag.alias(f"{name}_bool"),
        ]

    def convert(path: Path, folder: Path) -> dict[str, int]:
        read = pl.read_ndjson(path, schema=schema)
        origin = [pl.lit(None, pl.String).alias("extra"), pl.lit(path.name).alias("source_file")]
        orders = read.with_row_index("source_line", 1).rename({"id": "work_order_id"})
        line = ["source_line"]
        items = below(orders, "work_items", ["work_order_id", *line]).rename({"id": "work_item_id"})
        photos = below(items, "input", [*ITEM_IDS, *line]).rename({"id": "input_id"})
        checks = below(photos, "data_conformity", [*INPUT_IDS, *line])
        jobs = below(photos, "job_conformity", [*INPUT_IDS, *line])
        analyzed, corrected = pl.col("analyzed_value"), pl.col("corrected_value")
        made = {
            "work_orders": orders.drop("work_items").with_columns(moment("create_date"), moment("update_date")),
            "work_items": items.drop("input").rename({"name": "task_group"}),
            "inputs": photos.drop("data_conformity", "job_conformity").with_columns(
                "." + pl.col("file_extension").str.to_lowercase().str.strip_prefix(".")
            ),
            "data_conformity": checks.with_columns(
                pl.col("level").str.to_lowercase(), pl.col("level").alias("level_text")
            ),
            "job_conformity": jobs.with_columns(
                *typed("analyzed", analyzed),
                *typed("corrected", corrected),
                *typed("effective", pl.coalesce(corrected, analyzed)),
                moment("corrected_date"),
            ).drop("analyzed_value", "corrected_value"),
        }
        for name, frame in made.items():
            target = folder / f"{name}.parquet"
            frame.with_columns(*origin).write_parquet(target, compression="zstd", compression_level=1)
        return {name: frame.height for name, frame in made.items()}

    return convert


METHODS = {
    "visionbatch": visionbatch,
    "visionbatch, 2 processes": partial(visionbatch, 2),
    "json": stdlib_json,
    "orjson": orjson_loop,
    "polars": polars,
    "duckdb": partial(duckdb, table_by_table),
    "duckdb, once through": partial(duckdb, once_through),
    "decode only, in chunks": partial(decode_only, in_chunks=True),
    "decode only": partial(decode_only, in_chunks=False),
}


def main() -> None:
    method, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    convert = METHODS[method]()
    began, used = time.perf_counter(), own_cpu()
    rows = convert(path, folder)
    wall_s, cpu_s = time.perf_counter() - began, own_cpu() - used
    told = {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": memory_kib(what="VmHWM") / 1024, "rows": rows}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
