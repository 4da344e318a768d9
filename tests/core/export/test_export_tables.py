"""Lines in, tables out: what stands in the files, which version counts, and what becomes of broken lines."""

from __future__ import annotations

import fcntl
import gc
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import visionbatch.pipelines.export_reading as reading
from support.exports import CHECK, JOB, RECORD, changed, expected, latest, read_tables, record, without, write_lines
from visionbatch import ExportSource, ExportTables, export_tables
from visionbatch.deepomatic.export_schema import COLUMNS, Table
from visionbatch.errors import AlreadyRunning, BrokenLine, ConfigError, InputMissing, SourceUnreadable

ROOT = Path(__file__).parents[3]
PHOTO = ("work_items", 0, "input", 0)
JOB_PLACE = (*PHOTO, "job_conformity", 0)
CHECK_PLACE = (*PHOTO, "data_conformity", 0)
MIB = 1 << 20


def tables(tmp_path: Path, *records: Any, **options: Any) -> ExportTables:
    path = write_lines(tmp_path / "export.jsonl", records)
    return export_tables([ExportSource(path, "export.jsonl")], tmp_path / "tables", **options)


def one(tmp_path: Path, table: str, made: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The only row of a table."""
    tables(tmp_path, made, **options)
    (row,) = read_tables(tmp_path / "tables")[table]
    return row


def quarantined(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


# What stands in the files


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
    assert len(json.dumps(huge)) > 8 * MIB
    told = tables(tmp_path, RECORD | {"id": "small"}, huge)
    assert told.rows["job_conformity"] == 60_001
    last = read_tables(tmp_path / "tables")["job_conformity"][-1]
    assert (last["task_name"], last["position"], last["source_line"]) == ("task-59999", 59_999, 2)


ids = st.sampled_from([f"order-{number}" for number in range(4)])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001  # Hypothesis wants bounds without a zone
scalars = st.none() | st.booleans() | texts | st.integers(-(10**6), 10**6) | st.floats(-1e300, 1e300)
free = st.dictionaries(texts, scalars, max_size=2)


def objects(required: dict[str, Any], optional: dict[str, Any]) -> Any:
    return st.fixed_dictionaries(required, optional={name: st.none() | found for name, found in optional.items()})


checks = objects({"check": texts}, {"code": texts, "level": texts})
jobs = objects(
    {"task_name": texts, "is_conformity_validated": st.booleans()},
    {"analyzed_value": scalars, "corrected_value": scalars, "corrected_date": moments, "message": texts},
)
photos = objects(
    {"id": texts.filter(bool)},
    {
        "file_extension": st.sampled_from([".jpg", "PNG"]),
        "metadata": free,
        "data_conformity": st.lists(checks, max_size=3),
        "job_conformity": st.lists(jobs, max_size=3),
    },
)
items = objects({"id": texts.filter(bool), "name": texts}, {"input": st.lists(photos, max_size=2)})
records = objects(
    {"id": ids, "name": texts, "site_id": texts, "create_date": moments, "update_date": moments},
    {"metadata": free, "progress_score": st.floats(0, 100), "work_items": st.lists(items, max_size=2)},
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(records, max_size=5), max_size=3), st.sampled_from([1, 300, MIB]))
def test_generated_records_come_back_as_a_plain_reading_says(found: list[list[dict[str, Any]]], chunk: int) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", chunk)
        folder = Path(name)
        paths = [write_lines(folder / f"{number}.jsonl", lines) for number, lines in enumerate(found)]
        told = export_tables([ExportSource(path, path.name) for path in paths], folder / "tables")
        placed = [
            (f"{number}.jsonl", line, one) for number, lines in enumerate(found) for line, one in enumerate(lines, 1)
        ]
        wanted = expected(latest(placed))
        assert read_tables(folder / "tables") == wanted
        assert told.rows == {table: len(rows) for table, rows in wanted.items()}
        assert told.superseded == len(placed) - told.rows["work_orders"]


# Which version counts


@pytest.mark.fault("EX17")
@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12), min_size=1, max_size=4))
def test_of_repeated_work_orders_the_latest_counts_with_all_below_it(files: list[list[tuple[int, int]]]) -> None:
    """Overlapping and repeated exports, in any order of lines; of equal dates the later file and line counts."""
    start = datetime(2026, 11, 12, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", 2500)
        folder, placed, sources = Path(name), [], []
        for number, lines in enumerate(files):
            made = [
                record(id=f"order-{order}", update_date=(start + timedelta(hours=hour)).isoformat())
                for order, hour in lines
            ]
            sources.append(write_lines(folder / f"{number}.jsonl", made))
            placed += [(str(sources[-1]), line, one) for line, one in enumerate(made, 1)]
        told = export_tables(sources, folder / "tables")
        counted = latest(placed)
        assert read_tables(folder / "tables") == expected(counted)
        assert told.superseded == len(placed) - len(counted)


def test_dates_are_compared_as_moments_and_not_as_texts(tmp_path: Path) -> None:
    newer = record(name="newer", update_date="2026-11-12T01:00:00-09:00")
    older = record(name="older", update_date="2026-11-12T09:59:59.999999Z")
    tables(tmp_path, newer, older)
    assert [row["name"] for row in read_tables(tmp_path / "tables")["work_orders"]] == ["newer"]


def test_a_broken_newer_record_leaves_the_older_one(tmp_path: Path) -> None:
    newer = record(update_date="2027-01-01T00:00:00Z", name=None)
    told = tables(tmp_path, RECORD, newer)
    assert (told.rows["work_orders"], told.superseded, told.quarantined) == (1, 0, 1)


# What becomes of broken lines


@pytest.mark.fault("EX15")
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.binary(max_size=60).map(lambda line: line.replace(b"\n", b""))
        | st.sampled_from(
            [
                b"",
                b" \r",
                b"\xef\xbb\xbf",
                json.dumps(RECORD).encode(),
                json.dumps(RECORD).encode() + b"\r",
                json.dumps(RECORD | {"name": "two\u2028lines"}, ensure_ascii=False).encode(),
                json.dumps(RECORD).encode()[:-1],
                json.dumps(RECORD).replace("0.5", "NaN").encode(),
            ]
        ),
        max_size=10,
    ),
    st.booleans(),
)
def test_every_line_is_a_row_or_in_quarantine_with_its_number(found: list[bytes], ended: bool) -> None:
    """Line separators that are none, CRLF, byte order marks, blank and cut lines, NaN, and bytes of any kind."""
    content = b"\n".join(found) + (b"\n" if ended else b"")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "export.jsonl"
        path.write_bytes(content)
        told = export_tables([path], folder / "tables")
        lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
        assert told.inputs[0]["lines"] == len(lines)
        assert told.rows["work_orders"] + told.superseded + told.quarantined == len(lines)
        kept = quarantined(folder / "tables")
        split = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert all(split[entry["line"] - 1].decode(errors="backslashreplace") == entry["text"] for entry in kept)
        assert len(kept) == told.quarantined
        whole = json.dumps(RECORD).encode()
        assert bool(told.rows["work_orders"]) == any(
            (line.startswith(whole[:-1]) and line != whole[:-1]) or "\u2028".encode() in line for line in lines
        )


def test_a_broken_line_is_kept_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    told = tables(tmp_path, RECORD, b'{"id": "gr\xfcn"}', RECORD | {"id": "other"})
    assert told.rows["work_orders"] == 2
    assert quarantined(tmp_path / "tables") == [
        {
            "file": "export.jsonl",
            "line": 2,
            "rule": "not-utf-8",
            "reason": "byte 10 of the line is not UTF-8: invalid start byte",
            "text": '{"id": "gr\\xfcn"}',
            "cut": False,
        }
    ]


def test_a_line_over_the_limit_is_broken_and_the_next_is_read(tmp_path: Path) -> None:
    long = record(name="x" * 300_000)
    told = tables(tmp_path, long, RECORD, max_line_bytes=200_000)
    assert told.rows["work_orders"] == 1
    (entry,) = quarantined(tmp_path / "tables")
    assert (entry["line"], entry["rule"], entry["cut"], len(entry["text"])) == (1, "line-too-long", True, 65_536)


def test_the_policy_may_be_to_fail_and_leaves_what_was_there(tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    with pytest.raises(BrokenLine, match=r"line 2 of export\.jsonl is broken: .* \[not-json\]"):
        tables(tmp_path, RECORD | {"name": "newer"}, b"{", on_broken_line="fail")
    assert contents(tmp_path / "tables") == before


def test_blank_lines_are_no_reason_to_fail(tmp_path: Path) -> None:
    assert tables(tmp_path, b"", RECORD, b" \r", on_broken_line="fail").rows["work_orders"] == 1


# How the files come about


def test_the_same_export_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export.jsonl", [record(id=str(n % 40), name=str(n)) for n in range(60)])
    for target in ("first", "second"):
        export_tables([ExportSource(path, "export.jsonl", "generation 7")], tmp_path / target)
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert first == second
    export_tables([ExportSource(path, "export.jsonl", "generation 7")], tmp_path / "first")
    assert contents(tmp_path / "first") == first


def test_the_manifest_tells_rows_files_and_inputs(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export.jsonl", [RECORD, b"{", RECORD])
    told = export_tables([ExportSource(path, "day 1", "generation 7")], tmp_path / "tables")
    manifest = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    assert manifest["rows"] == told.rows == dict.fromkeys(COLUMNS, 1)
    assert (manifest["superseded"], manifest["quarantined"]) == (1, 1)
    assert manifest["inputs"] == [{"name": "day 1", "fingerprint": "generation 7", "lines": 3, "records": 2}]
    hashes = contents(tmp_path / "tables")
    assert {name: file["sha256"] for name, file in manifest["files"].items()} == {
        name: digest for name, digest in hashes.items() if name != "manifest.json"
    }
    assert len(json.dumps(told.to_json())) < 4096
    assert told.path("inputs") == tmp_path / "tables" / "inputs.parquet"


def test_gzip_and_files_of_a_store_are_read_alike(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [RECORD])
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/export.jsonl", plain.read_bytes())

    class InStore:
        def open(self, mode: str, /) -> object:
            return store.open("/bucket/export.jsonl", mode)

    for path in (plain, packed, InStore()):
        export_tables([ExportSource(path, "export.jsonl")], tmp_path / "tables")
        assert read_tables(tmp_path / "tables") == expected([("export.jsonl", 1, RECORD)])


def test_no_files_give_empty_tables(tmp_path: Path) -> None:
    assert export_tables([], tmp_path / "tables").rows == dict.fromkeys(COLUMNS, 0)


def test_two_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    handle = os.open(tmp_path / "tables", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning, match="another process writes tables"):
            tables(tmp_path, RECORD)
    finally:
        os.close(handle)
    assert tables(tmp_path, RECORD).rows["work_orders"] == 1


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "tables" / ".tables-old.partial"
    left.mkdir(parents=True)
    (left / "inputs.parquet").write_bytes(b"half")
    tables(tmp_path, RECORD)
    assert not [path for path in (tmp_path / "tables").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda path: None, InputMissing),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 99)[:-4]), SourceUnreadable),
    ],
)
def test_a_file_that_cannot_be_read_replaces_nothing(prepare: Any, error: type[Exception], tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    prepare(tmp_path / "bad.jsonl")
    with pytest.raises(error):
        export_tables([tmp_path / "export.jsonl", tmp_path / "bad.jsonl"], tmp_path / "tables")
    assert contents(tmp_path / "tables") == before


def test_a_full_disk_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        tables(tmp_path, RECORD)
    assert contents(tmp_path / "tables") == before


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool, tmp_path: Path) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        tables(tmp_path, RECORD)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("options", [{"on_broken_line": "ignore"}, {"max_line_bytes": 10}])
def test_a_setting_that_cannot_be_is_refused_before_anything_is_made(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        export_tables([tmp_path / "nowhere.jsonl"], tmp_path / "tables", **options)
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("package", ["msgspec", "pyarrow"])
def test_without_the_extra_the_error_names_it(package: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import visionbatch\n"
        "try: visionbatch.export_tables([], sys.argv[1])\n"
        "except visionbatch.VisionBatchError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "tables")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert package in ran.stdout
    assert "visionbatch[parquet]" in ran.stdout
    assert not (tmp_path / "tables").exists()


def peak(kind: str, count: int, folder: Path) -> dict[str, int]:
    folder.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("tables_of_many.py")), kind, str(count), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


@pytest.mark.parametrize(("kind", "few", "many"), [("usual", 2_000, 10_000), ("small", 30_000, 200_000)])
def test_memory_does_not_grow_with_the_export(kind: str, few: int, many: int, tmp_path: Path) -> None:
    """An export five or six times as large, with many bytes or with many work orders that each come twice."""
    first, second = peak(kind, few, tmp_path / "few"), peak(kind, many, tmp_path / "many")
    assert second["rows"] == (many // 2 if kind == "small" else many)
    assert second["peak"] < 256 * MIB
    assert second["peak"] < first["peak"] + 40 * MIB
