"""What stands in the tables, whatever a record lacks or has too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from support.exports import (
    CHECK,
    JOB,
    RECORD,
    changed,
    expected,
    read_tables,
    record,
    tables,
    without,
)
from visionbatch.deepomatic.export_schema import COLUMNS, Table

PHOTO = ("work_items", 0, "input", 0)
JOB_PLACE = (*PHOTO, "job_conformity", 0)
CHECK_PLACE = (*PHOTO, "data_conformity", 0)


def one(tmp_path: Path, table: str, made: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The only row of a table."""
    tables(tmp_path, made, **options)
    (row,) = read_tables(tmp_path / "tables")[table]
    return row


def test_the_files_have_the_promised_columns_even_without_a_row(tmp_path: Path) -> None:
    tables(tmp_path)
    for table in Table:
        schema = pq.read_schema(tmp_path / "tables" / table.file_name)
        assert {field.name: str(field.type) for field in schema} == dict(COLUMNS[table])


def test_a_record_becomes_rows_that_know_where_they_come_from(tmp_path: Path) -> None:
    told = tables(tmp_path, b"", RECORD)
    assert read_tables(tmp_path / "tables") == expected([("export.jsonl", 2, RECORD)])
    assert told.rows == dict.fromkeys(COLUMNS, 1)


def test_a_states_export_may_have_items_without_input(tmp_path: Path) -> None:
    states = record(work_items=[{"id": "i-1", "name": "meter", "input": []}, RECORD["work_items"][0]])  # type: ignore[index]
    tables(tmp_path, states)
    found = read_tables(tmp_path / "tables")
    assert found == expected([("export.jsonl", 1, states)])
    assert [row["position"] for row in found["work_items"]] == [0, 1]


@pytest.mark.fault("EX16")
@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ('"gr\\u00fcn"', {"string": "grün"}),
        ('""', {"string": ""}),
        ('"true"', {"string": "true"}),
        ("12", {"number": 12.0}),
        ("-1.50", {"number": -1.5}),
        ("1e400", {}),
        ("false", {"bool": False}),
        ('[1,  {"a": null}]', {}),
    ],
)
def test_a_value_of_any_type_keeps_its_text_beside_its_typed_column(
    value: str, typed: dict[str, Any], tmp_path: Path
) -> None:
    """The schema is the same for all of them, with or without ``progress_score``, and with a key nobody knows."""
    nothing = {"string": None, "number": None, "bool": None}
    made = without((), "progress_score") | {"colour": "blue"}
    line = json.dumps(made).replace('"analyzed_value": true', f'"analyzed_value": {value}')
    row = one(tmp_path, "job_conformity", line.encode())  # type: ignore[arg-type]
    for name, wanted in (("analyzed", value), ("corrected", None), ("effective", value)):
        assert row[f"{name}_text"] == wanted
        kinds = {kind: row[f"{name}_{kind}"] for kind in nothing}
        assert kinds == {**nothing, **(typed if wanted else {})}
    (order,) = read_tables(tmp_path / "tables")["work_orders"]
    assert (order["progress_score"], json.loads(order["extra"])) == (None, {"colour": "blue"})
    schema = pq.read_schema(tmp_path / "tables" / "job_conformity.parquet")
    assert {field.name: str(field.type) for field in schema} == dict(COLUMNS[Table.JOB_CONFORMITY])


@pytest.mark.parametrize("corrected", ["other", 7, False])
def test_a_correction_by_a_person_is_what_counts(corrected: Any, tmp_path: Path) -> None:
    made = changed(JOB_PLACE, analyzed_value="first", corrected_value=corrected)
    row = one(tmp_path, "job_conformity", made)
    assert row["effective_text"] == row["corrected_text"] == json.dumps(corrected)
    wanted = {"string": corrected if isinstance(corrected, str) else None}
    assert row["effective_string"] == wanted["string"]
    assert row["analyzed_string"] == "first"


OPTIONAL = [
    ((), "work_orders", "metadata", "metadata"),
    ((), "work_orders", "progress_score", "progress_score"),
    (PHOTO, "inputs", "file_extension", "file_extension"),
    (PHOTO, "inputs", "metadata", "metadata"),
    (CHECK_PLACE, "data_conformity", "code", "code"),
    (CHECK_PLACE, "data_conformity", "level", "level_text"),
    (JOB_PLACE, "job_conformity", "analyzed_value", "analyzed_text"),
    (JOB_PLACE, "job_conformity", "corrected_value", "corrected_text"),
    (JOB_PLACE, "job_conformity", "corrected_date", "corrected_date"),
    (JOB_PLACE, "job_conformity", "message", "message"),
]


@pytest.mark.parametrize("how", ["absent", "null"])
@pytest.mark.parametrize(("where", "table", "name", "column"), OPTIONAL)
def test_an_optional_field_may_be_absent_or_null(
    where: tuple[Any, ...], table: str, name: str, column: str, how: str, tmp_path: Path
) -> None:
    made = without(where, name) if how == "absent" else changed(where, **{name: None})
    row = one(tmp_path, table, made)
    assert row[column] is None
    assert row["extra"] is None
    assert read_tables(tmp_path / "tables") == expected([("export.jsonl", 1, made)])


@pytest.mark.parametrize("value", [["a", 1], {"a": None}, "text", 1.5, True])
@pytest.mark.parametrize(("where", "table", "name", "column"), OPTIONAL)
def test_an_optional_field_of_another_type_is_kept(
    where: tuple[Any, ...], table: str, name: str, column: str, value: Any, tmp_path: Path
) -> None:
    row = one(tmp_path, table, changed(where, **{name: value}))
    if row["extra"] is None:
        shown = row[column]
        kept = json.loads(shown) if name in {"metadata", "analyzed_value", "corrected_value"} else shown
        assert kept == (".text" if name == "file_extension" else value)
    else:
        assert row[column] is None
        assert json.loads(row["extra"]) == {name: value}


@pytest.mark.parametrize("name", ["work_items", "input", "data_conformity", "job_conformity"])
@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_an_array_may_be_absent_null_or_empty(name: str, how: str, tmp_path: Path) -> None:
    where: tuple[Any, ...] = {"work_items": (), "input": ("work_items", 0)}.get(name, PHOTO)
    made = without(where, name) if how == "absent" else changed(where, **{name: None if how == "null" else []})
    tables(tmp_path, made)
    assert read_tables(tmp_path / "tables") == expected([("export.jsonl", 1, made)])


@pytest.mark.parametrize(
    ("where", "table"),
    [
        ((), "work_orders"),
        (("work_items", 0), "work_items"),
        (PHOTO, "inputs"),
        (CHECK_PLACE, "data_conformity"),
        (JOB_PLACE, "job_conformity"),
    ],
)
def test_unknown_keys_are_kept_where_they_stood(where: tuple[Any, ...], table: str, tmp_path: Path) -> None:
    unknown = {"score": 1.50, "extra": "x", "nested": {"ä": [None]}}
    tables(tmp_path, RECORD, changed(where, **unknown) | {"id": "other"})
    found = read_tables(tmp_path / "tables")
    for name, rows in found.items():
        first, second = rows
        assert first["extra"] is None
        assert (json.loads(second["extra"]) if name == table else second["extra"]) == (
            unknown if name == table else None
        )


def test_levels_are_lower_case_beside_the_delivered_text(tmp_path: Path) -> None:
    checks = [CHECK | {"level": level} for level in ("Error", "error", "ERROR", None)]
    tables(tmp_path, changed(PHOTO, data_conformity=checks))
    rows = read_tables(tmp_path / "tables")["data_conformity"]
    assert [(row["level"], row["level_text"]) for row in rows] == [
        ("error", "Error"),
        ("error", "error"),
        ("error", "ERROR"),
        (None, None),
    ]


def test_a_record_of_many_megabytes_is_read_whole(tmp_path: Path) -> None:
    huge = changed(PHOTO, job_conformity=[JOB | {"task_name": f"task-{number}"} for number in range(60_000)])
    assert len(json.dumps(huge)) > 8 << 20
    told = tables(tmp_path, RECORD | {"id": "small"}, huge, max_line_bytes=16 << 20)
    assert told.rows["job_conformity"] == 60_001
    last = read_tables(tmp_path / "tables")["job_conformity"][-1]
    assert (last["task_name"], last["position"], last["source_line"]) == ("task-59999", 59_999, 2)
