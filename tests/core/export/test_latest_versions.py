"""Which record counts, and that generated exports come back as a plain reading says."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import visionbatch.pipelines.export_chunks as reading
from support.exports import (
    RECORD,
    expected,
    latest,
    read_tables,
    record,
    tables,
    write_lines,
)
from visionbatch import ExportSource, export_tables
from visionbatch.io import jsonl

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
@given(st.lists(st.lists(records, max_size=5), max_size=3), st.sampled_from([1, 300, 1 << 20]))
def test_generated_records_come_back_as_a_plain_reading_says(found: list[list[dict[str, Any]]], chunk: int) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", chunk)
        patch.setattr(jsonl, "BLOCK_BYTES", chunk)
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


@pytest.mark.fault("EX17")
@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12), min_size=1, max_size=4))
def test_of_repeated_work_orders_the_latest_counts_with_all_below_it(files: list[list[tuple[int, int]]]) -> None:
    """Overlapping and repeated exports, in any order of lines; of equal dates the later file and line counts."""
    start = datetime(2026, 11, 12, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", 2500)
        patch.setattr(jsonl, "BLOCK_BYTES", 1000)
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
