"""The figures are what a person with the records and much patience would count."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.report.builders import (
    SCHEMAS,
    day_of,
    demo,
    differs,
    first_time,
    is_blocked,
    jobs_of,
    tally_of,
    write_tables,
)
from visionbatch.errors import ConfigError, InputMissing, UnreadableTables
from visionbatch.report.counting import figures_from
from visionbatch.report.figures import Figures, FirstTime, Inputs, Part, Tally
from visionbatch.report.tables import Tables

NAMES = st.sampled_from(["a", "b", "<script>", "", None])
VALUES = st.sampled_from([None, True, False, "x", "true", "", 1, 1.0, 2, "é"])
JOBS = st.fixed_dictionaries(
    {
        "task_name": NAMES,
        "analyzed_value": VALUES,
        "corrected_value": VALUES,
        "is_conformity_validated": st.sampled_from([True, True, False, None]),
    }
)
CODES = st.fixed_dictionaries(
    {"check": NAMES, "code": NAMES, "level": st.sampled_from(["error", "warning", "odd", None])}
)
PHOTOS = st.fixed_dictionaries(
    {"data_conformity": st.lists(CODES, max_size=2), "job_conformity": st.lists(JOBS, max_size=3)}
)
ITEMS = st.fixed_dictionaries({"name": NAMES, "input": st.lists(PHOTOS, max_size=3)})
MOMENTS = st.none() | st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 5), timezones=st.just(UTC))  # noqa: DTZ001
ORDERS = st.fixed_dictionaries(
    {
        "site_id": NAMES,
        "create_date": MOMENTS,
        "update_date": MOMENTS,
        "work_items": st.lists(ITEMS, max_size=3),
    }
)


def numbered(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ids as the vendor would give them."""
    for at, order in enumerate(orders):
        order["id"] = f"o{at}"
        for of, item in enumerate(order["work_items"]):
            item["id"] = f"i{of}"
            for one, photo in enumerate(item["input"]):
                photo["id"] = f"p{one}"
    return orders


def counted_part(orders: list[dict[str, Any]]) -> Part:
    per_order = [[first_time(item) for item in order["work_items"]] for order in orders]
    items = [item for of in per_order for item in of]
    assessed = [[right for was_assessed, right in of if was_assessed] for of in per_order]
    photos = [photo for order in orders for item in order["work_items"] for photo in item["input"]]
    return Part(
        len(orders),
        Tally(*tally_of(job for _, _, job in jobs_of(orders))),
        FirstTime(sum(one for one, _ in items), sum(right for _, right in items)),
        FirstTime(sum(bool(of) for of in assessed), sum(bool(of) and all(of) for of in assessed)),
        Inputs(len(photos), sum(map(is_blocked, photos))),
    )


def figures(folder: Path, orders: list[dict[str, Any]], timezone: str = "UTC", rows: int = 500_000) -> Figures:
    return figures_from(Tables(write_tables(folder, orders, row_group=3), timezone, rows_at_once=rows), shots=5)


def check(found: Figures, orders: list[dict[str, Any]], timezone: str) -> None:
    days = {day_of(order, timezone) for order in orders} - {None}
    assert found.total == counted_part(orders)
    assert found.days == {
        day: counted_part([order for order in orders if day_of(order, timezone) == day]) for day in days
    }
    sites = {order["site_id"] for order in orders}
    assert found.sites == {site: counted_part([one for one in orders if one["site_id"] == site]) for site in sites}
    check_tasks(found, orders, timezone)
    check_groups(found, orders)
    check_codes(found, orders)
    check_pairs(found, orders)


def check_tasks(found: Figures, orders: list[dict[str, Any]], timezone: str) -> None:
    jobs = list(jobs_of(orders))
    assert {(one.task_group, one.task) for one in found.tasks} == {
        (item["name"], job["task_name"]) for _, item, job in jobs
    }
    last = found.latest_day
    for task in found.tasks:
        own = [
            (day_of(order, timezone), job)
            for order, item, job in jobs
            if (item["name"], job["task_name"]) == (task.task_group, task.task)
        ]
        assert task.tally == Tally(*tally_of(job for _, job in own))
        assert task.latest == Tally(*tally_of(job for day, job in own if day == last is not None))
        before = [job for day, job in own if day and last and last - timedelta(days=7) <= day < last]
        assert task.previous == Tally(*tally_of(before))


def check_groups(found: Figures, orders: list[dict[str, Any]]) -> None:
    items = [item for order in orders for item in order["work_items"]]
    assert {one.task_group for one in found.groups} == {item["name"] for item in items}
    for group in found.groups:
        own = [first_time(item) for item in items if item["name"] == group.task_group]
        assert group.items == FirstTime(sum(one for one, _ in own), sum(right for _, right in own))
        jobs = [job for _, item, job in jobs_of(orders) if item["name"] == group.task_group]
        assert group.tally == Tally(*tally_of(jobs))


def check_codes(found: Figures, orders: list[dict[str, Any]]) -> None:
    codes = Counter(
        (code["check"], code["code"], code["level"])
        for order in orders
        for item in order["work_items"]
        for photo in item["input"]
        for code in photo["data_conformity"]
    )
    assert {(one.check, one.code, one.level): one.count for one in found.codes} == codes


def check_pairs(found: Figures, orders: list[dict[str, Any]]) -> None:
    for confusion in found.confusions:
        own = [
            job
            for _, item, job in jobs_of(orders)
            if (item["name"], job["task_name"]) == (confusion.task_group, confusion.task)
        ]
        reviewed = [job for job in own if job["corrected_value"] is not None]
        assert sum(confusion.counts.values()) == len(reviewed)
        apart = sum(count for (automatic, given), count in confusion.counts.items() if automatic != given)
        # 1 and 1.0 are two texts and one value.
        assert apart >= sum(map(differs, reviewed))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(ORDERS, max_size=8).map(numbered),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland"]),
    st.sampled_from([2, 500_000]),
)
def test_the_figures_are_those_of_a_naive_count(orders: list[dict[str, Any]], timezone: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(figures(Path(folder), orders, timezone, rows), orders, timezone)


def test_the_figures_of_a_real_amount_do_not_depend_on_the_size_of_the_pieces(tmp_path: Path) -> None:
    orders = demo(300)
    at_once = figures(tmp_path, orders)
    check(at_once, orders, "UTC")
    assert figures(tmp_path, orders, rows=100) == at_once
    assert len(at_once.confusions) == 8
    assert len(at_once.shots) == 5


def test_shots_are_the_latest_that_failed_or_were_corrected(tmp_path: Path) -> None:
    orders = demo(200)
    found = figures(tmp_path, orders, rows=50)
    telling = sorted(
        (day for order, _, job in jobs_of(orders) if (day := day_of(order)) and _is_telling(job)), reverse=True
    )
    assert found.shots[0].day == telling[0]
    assert all(shot.lines and shot.extension == ".jpg" for shot in found.shots)


def _is_telling(job: dict[str, Any]) -> bool:
    return differs(job) or job["is_conformity_validated"] is False


PASS = {"task_name": "t", "analyzed_value": True, "is_conformity_validated": True}
FAIL = {**PASS, "analyzed_value": False, "is_conformity_validated": False}
OPEN = {**PASS, "is_conformity_validated": None}
CONFIRMED = {**PASS, "corrected_value": True}
CORRECTED = {**PASS, "corrected_value": False}
REFUSED = {"data_conformity": [{"check": "blur", "code": "blurred", "level": "error"}]}
WARNED = {"data_conformity": [{"check": "blur", "code": "blurred", "level": "warning"}]}


@pytest.mark.parametrize(
    ("photos", "expected"),
    [
        pytest.param([{"job_conformity": [PASS, PASS]}], (1, 1), id="one input, all passed"),
        pytest.param([{"job_conformity": [PASS, OPEN]}], (1, 1), id="an undecided verdict does not count"),
        pytest.param([{"job_conformity": [CONFIRMED]}], (1, 1), id="a person agreed"),
        pytest.param([{"job_conformity": [PASS]} | WARNED], (1, 1), id="a warning does not refuse"),
        pytest.param([{"job_conformity": [CORRECTED]}], (1, 0), id="a person corrected"),
        pytest.param([{"job_conformity": [PASS, FAIL]}], (1, 0), id="one failed"),
        pytest.param([{"job_conformity": [FAIL]}, {"job_conformity": [PASS]}], (1, 0), id="right with the second"),
        pytest.param([{"job_conformity": [PASS]}, {"job_conformity": [PASS]}], (1, 0), id="two, both passed"),
        pytest.param([{"job_conformity": [PASS]}, {}], (1, 0), id="a second without verdicts"),
        pytest.param([REFUSED], (1, 0), id="refused"),
        pytest.param([{"job_conformity": [OPEN]}], (0, 0), id="nothing decided"),
        pytest.param([{}], (0, 0), id="not looked at"),
        pytest.param([], (0, 0), id="no input"),
    ],
)
def test_right_first_time_is_one_good_input(
    photos: list[dict[str, Any]], expected: tuple[int, int], tmp_path: Path
) -> None:
    numbered_photos = [{"id": str(number), **photo} for number, photo in enumerate(photos)]
    item = {"id": "1", "name": "g", "input": numbered_photos}
    found = figures(tmp_path, [{"id": "1", "work_items": [item]}])
    assert found.total.items == found.total.orders == FirstTime(*expected)


def test_a_task_of_free_text_gets_no_table_of_values(tmp_path: Path) -> None:
    jobs = [
        {
            "task_name": "serial",
            "analyzed_value": f"a{at}",
            "corrected_value": f"b{at}",
            "is_conformity_validated": True,
        }
        for at in range(100)
    ]
    few = [{"task_name": "door", "analyzed_value": True, "corrected_value": False, "is_conformity_validated": False}]
    long = [{"task_name": "essay", "analyzed_value": "x" * 99, "corrected_value": "y", "is_conformity_validated": True}]
    orders = [
        {"id": str(at), "work_items": [{"id": "1", "name": "g", "input": [{"id": "1", "job_conformity": [job]}]}]}
        for at, job in enumerate([*jobs, *few, *long])
    ]
    found = figures(tmp_path, orders, rows=10)
    assert [one.task for one in found.confusions] == ["door"]
    assert found.confusions[0].counts == {("true", "false"): 1}
    assert found.total.tally.corrected == 102


def test_empty_tables_have_no_rates_and_no_days(tmp_path: Path) -> None:
    found = figures(tmp_path, [])
    assert found.total == Part()
    assert (found.total.tally.pass_rate, found.total.items.rate, found.latest_day) == (None, None, None)
    assert (found.latest, found.previous, found.tasks, found.codes) == (Part(), Part(), (), ())


def test_tables_without_a_single_value_are_counted(tmp_path: Path) -> None:
    for name, schema in SCHEMAS.items():
        nothing = pa.table({column: pa.nulls(3) for column in schema})
        pq.write_table(nothing, tmp_path / f"{name}.parquet")
    found = figures_from(Tables(tmp_path), shots=5)
    assert found.total.work_orders == 3
    assert found.total.tally == Tally(verdicts=3)
    assert list(found.sites) == [None]


def test_other_arrow_types_of_the_same_content_are_read(tmp_path: Path) -> None:
    orders = demo(20)
    expected = figures(tmp_path, orders)
    for name, schema in SCHEMAS.items():
        table = pq.read_table(tmp_path / f"{name}.parquet")
        other = {pa.string(): pa.large_string(), pa.timestamp("us", "UTC"): pa.timestamp("ns", "UTC")}
        cast = table.cast(pa.schema([(column, other.get(kind, kind)) for column, kind in schema.items()]))
        pq.write_table(cast, tmp_path / f"{name}.parquet")
    assert figures_from(Tables(tmp_path), shots=5) == expected


def test_a_day_ends_when_the_clocks_of_the_timezone_say_so(tmp_path: Path) -> None:
    late = {"id": "1", "update_date": datetime(2026, 11, 1, 23, 30, tzinfo=UTC)}
    early = {"id": "2", "create_date": datetime(1969, 12, 31, 22, 0, tzinfo=UTC)}
    assert list(figures(tmp_path, [late, early]).days) == [date(1969, 12, 31), date(2026, 11, 1)]
    assert list(figures(tmp_path, [late], "Europe/Berlin").days) == [date(2026, 11, 2)]


def test_an_unknown_timezone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        Tables(write_tables(tmp_path, []), "Mars/Olympus")


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_tables(tmp_path, [])
    (tmp_path / "inputs.parquet").unlink()
    with pytest.raises(InputMissing, match=r"inputs\.parquet"):
        Tables(tmp_path)


def test_a_table_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    write_tables(tmp_path, [])
    (tmp_path / "inputs.parquet").write_text("id,position\n")
    with pytest.raises(UnreadableTables, match=r"inputs\.parquet"):
        Tables(tmp_path)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_tables(tmp_path, [])
    pq.write_table(pa.table({"work_order_id": ["1"]}), tmp_path / "work_items.parquet")
    with pytest.raises(UnreadableTables, match="task_group"):
        Tables(tmp_path)


def test_a_column_of_a_hopeless_type_is_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, demo(2))
    table = pq.read_table(tmp_path / "work_orders.parquet").drop_columns("update_date")
    pq.write_table(table.append_column("update_date", pa.array([["x"], []])), tmp_path / "work_orders.parquet")
    with pytest.raises(UnreadableTables, match="work_orders"):
        figures_from(Tables(tmp_path))
